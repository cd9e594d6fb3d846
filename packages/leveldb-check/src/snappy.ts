import { Buffer } from "node:buffer";
import { VarintReader } from "./varint.ts";

/** More than LevelDB ever puts in a block. */
const bytesMax = 1024 * 1024 * 1024;

/**
 * The bytes that Snappy compressed (format_description.txt of Snappy): literals, and copies of what came before.
 *
 * @throws {RangeError} when it did not make them
 */
export function unsnappy(input: Uint8Array): Buffer {
  const reader = new VarintReader(input);
  const length = reader.integer();
  if (length > bytesMax) throw new RangeError(`expected at most ${bytesMax} bytes, got ${length}`);
  const output = Buffer.allocUnsafe(length);
  let written = 0;
  const littleEndian = (bytes: number): number => {
    let value = 0;
    for (const [i, byte] of reader.take(bytes).entries()) value += byte * 256 ** i;
    return value;
  };
  while (!reader.done) {
    const tag = reader.take(1)[0]!;
    if ((tag & 3) === 0) {
      const short = tag >>> 2;
      const bytes = 1 + (short < 60 ? short : littleEndian(short - 59));
      if (written + bytes > length) throw new RangeError("expected fewer bytes after decompression");
      output.set(reader.take(bytes), written);
      written += bytes;
      continue;
    }
    const bytes = (tag & 3) === 1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2);
    const offset =
      (tag & 3) === 1 ? (tag >>> 5) * 256 + littleEndian(1) : littleEndian((tag & 3) === 2 ? 2 : 4);
    if (offset === 0 || offset > written || written + bytes > length) {
      throw new RangeError("expected a copy of what came before");
    }
    // Byte by byte: a copy may reach into itself.
    for (let i = 0; i < bytes; i++, written++) output[written] = output[written - offset]!;
  }
  if (written !== length)
    throw new RangeError(`expected ${length} bytes after decompression, got ${written}`);
  return output;
}
