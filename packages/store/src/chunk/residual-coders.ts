import { BitReader, BitWriter, bitLength, pastEnd } from "./bits.ts";
import { type ByteReader, chunkInvalid } from "./byte-reader.ts";
import { type ByteWriter, varintSize } from "./byte-writer.ts";

const bitWriter = new BitWriter();

/** How many bytes residuals take as varints. */
export function varintsSize(values: Float64Array, length: number): number {
  let size = 0;
  for (let i = 0; i < length; i++) size += values[i]! < 128 ? 1 : varintSize(values[i]!);
  return size;
}

/** Writes residuals as varints: for few of them, and for zstd, which sees bytes. */
export function writeVarints(out: ByteWriter, values: Float64Array, length: number): void {
  out.reserve(8 * length);
  for (let i = 0; i < length; i++) {
    const value = values[i]!;
    if (value < 128) out.bytes[out.length++] = value;
    else out.varint(value);
  }
}

export function readVarints(reader: ByteReader, values: Float64Array, length: number): void {
  const { bytes, end } = reader;
  for (let i = 0; i < length; i++) {
    const position = reader.position;
    if (position < end && bytes[position]! < 128) {
      values[i] = bytes[position]!;
      reader.position = position + 1;
    } else values[i] = reader.varint();
  }
}

/** The width of the widest residual, in bits. */
export function packedWidth(values: Float64Array, length: number): number {
  let largest = 0;
  for (let i = 0; i < length; i++) if (values[i]! > largest) largest = values[i]!;
  return bitLength(largest);
}

/** How many bytes residuals of one width take. */
export function packedSize(width: number, length: number): number {
  return 1 + Math.ceil((width * length) / 8);
}

/** Writes residuals in bits, all as wide as the widest. */
export function writePacked(out: ByteWriter, values: Float64Array, length: number, width: number): void {
  out.byte(width);
  out.reserve(packedSize(width, length));
  bitWriter.begin(out);
  if (width <= 24) for (let i = 0; i < length; i++) bitWriter.put(values[i]!, width);
  else for (let i = 0; i < length; i++) bitWriter.putLong(values[i]!, width);
  bitWriter.end(out);
}

/** @param count - how many are wanted; the rest is not looked at */
export function readPacked(reader: ByteReader, values: Float64Array, length: number, count: number): void {
  const width = reader.byte();
  if (width > 54) throw chunkInvalid(`expected a width of at most 54 bits, got ${width}`);
  const bits = new BitReader(reader.take(packedSize(width, length) - 1));
  if (width > 24) {
    for (let i = 0; i < count; i++) values[i] = bits.takeLong(width);
    return;
  }
  const { view, length: end } = bits;
  const mask = (1 << width) - 1;
  let position = 0;
  for (let i = 0; i < count; i++) {
    values[i] = (view.getUint32(position >>> 3, true) >>> (position & 7)) & mask;
    position += width;
  }
  if (position > end) throw pastEnd();
}
