import { zstdDecompressSync } from "node:zlib";
import { ByteReader, chunkInvalid } from "./byte-reader.ts";
import { columnFlag, decimalsHead, method, methodMask, zstdMagic } from "./column-format.ts";
import { scratch } from "./column-scratch.ts";
import { type Exceptions, readExceptions, valuesFromMantissas } from "./decimals.ts";
import { readMarks } from "./marks.ts";
import { readPlanes } from "./planes.ts";
import { readPrefixed } from "./prefix-coder.ts";
import { readPacked, readVarints } from "./residual-coders.ts";
import type { Order } from "./residuals.ts";
import { readXor } from "./xor.ts";

/** Values and flags of a stretch of a column. */
export interface ColumnValues {
  readonly values: Float64Array;
  readonly flags: Uint32Array;
}

/**
 * Reads the samples of a column from index `from` to before `to`; what comes after is not decoded.
 * O(`to`).
 *
 * @param column - reads the column and nothing else
 * @param length - how many the column has in all
 * @throws {StoreError} STORE_CHUNK_INVALID
 */
export function readColumn(column: ByteReader, length: number, from: number, to: number): ColumnValues {
  const values = new Float64Array(to - from);
  if (column.remaining === 0) return { values, flags: new Uint32Array(to - from) };
  const first = column.byte();
  if (first > (methodMask | columnFlag.zstd | columnFlag.marked)) {
    throw chunkInvalid(`expected a known encoding, got a column that begins with ${first}`);
  }
  const reader = (first & columnFlag.zstd) === 0 ? column : inflated(column, length);
  const isPlain = (first & columnFlag.marked) === 0;
  const flags = isPlain ? new Uint32Array(to - from) : readMarks(reader, length, from, to);
  scratch.hold(length);
  if (to > from) readValues(reader, first & methodMask, length, from, to, values);
  return { values, flags };
}

/** The body of a column without zstd. */
function inflated(column: ByteReader, length: number): ByteReader {
  const rawLength = column.varint();
  // Marks take up to ten bytes each, values nine, an exception eighteen, the rest a few.
  if (rawLength > 64 + 40 * length) {
    throw chunkInvalid(`expected a body of ${length} samples, got ${rawLength} bytes`);
  }
  const frame = new Uint8Array(zstdMagic.length + column.remaining);
  frame.set(zstdMagic);
  frame.set(column.take(column.remaining), zstdMagic.length);
  let body: Uint8Array;
  try {
    body = zstdDecompressSync(frame, { maxOutputLength: Math.max(rawLength, 1) });
  } catch (cause) {
    throw chunkInvalid("expected a zstd frame, got something else", cause);
  }
  if (body.length !== rawLength) throw chunkInvalid(`expected ${rawLength} bytes, got ${body.length}`);
  return new ByteReader(body);
}

function readValues(
  reader: ByteReader,
  found: number,
  length: number,
  from: number,
  to: number,
  values: Float64Array,
): void {
  switch (found) {
    case method.constantDecimal: {
      const exponent = reader.byte();
      if (exponent > decimalsHead.exponentMask) {
        throw chunkInvalid(`expected an exponent of at most ${decimalsHead.exponentMask}, got ${exponent}`);
      }
      scratch.values[0] = reader.signed();
      valuesFromMantissas(scratch.values, exponent, 0, 1, values);
      values.fill(values[0]!);
      break;
    }
    case method.constantBits: {
      const words = new Uint32Array(values.buffer);
      words[0] = reader.word();
      words[1] = reader.word();
      for (let i = 2; i < words.length; i++) words[i] = words[i - 2]!;
      break;
    }
    case method.bits:
      scratch.bytes.set(reader.take(8 * length));
      copyBits(from, to, values);
      break;
    case method.planes:
      readPlanes(reader, scratch.bytes, length, to);
      copyBits(from, to, values);
      break;
    case method.xor:
      readXor(reader, scratch.words, length, to);
      copyBits(from, to, values);
      break;
    default:
      readDecimals(reader, found, length, from, to, values);
      return;
  }
  reader.assertEnd();
}

/** Copies from the scratch as bytes, not as numbers. */
function copyBits(from: number, to: number, values: Float64Array): void {
  values.set(scratch.values.subarray(from, to));
}

function readDecimals(
  reader: ByteReader,
  found: number,
  length: number,
  from: number,
  to: number,
  values: Float64Array,
): void {
  const { residuals } = scratch;
  const head = reader.byte();
  const order = (head >>> decimalsHead.orderShift) & decimalsHead.orderMask;
  if (order === 3) throw chunkInvalid("expected an order of at most 2, got 3");
  residuals.readHead(reader, order as Order, (head & decimalsHead.hasStep) !== 0, length);
  const exceptions = (head & decimalsHead.hasExceptions) === 0 ? undefined : readExceptions(reader, length);
  residuals.hold(length);
  const wanted = Math.max(to - order, 0);
  if (found === method.varints) readVarints(reader, residuals.values, wanted);
  else if (found === method.packed) readPacked(reader, residuals.values, residuals.length, wanted);
  else readPrefixed(reader, residuals.values, residuals.length, wanted);
  if (to === length) reader.assertEnd();
  residuals.restore(scratch.values, Math.max(to, order));
  valuesFromMantissas(scratch.values, head & decimalsHead.exponentMask, from, to, values);
  if (exceptions !== undefined) putExceptions(exceptions, from, to, values);
}

function putExceptions({ indices, words }: Exceptions, from: number, to: number, values: Float64Array): void {
  const bits = new Uint32Array(values.buffer);
  for (const [i, index] of indices.entries()) {
    if (index < from || index >= to) continue;
    bits[2 * (index - from)] = words[2 * i]!;
    bits[2 * (index - from) + 1] = words[2 * i + 1]!;
  }
}
