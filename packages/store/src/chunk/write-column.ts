import { zstdCompressSync } from "node:zlib";
import { ByteWriter } from "./byte-writer.ts";
import { columnFlag, decimalsHead, type Effort, method, zstdMagic, zstdOptions } from "./column-format.ts";
import { scratch } from "./column-scratch.ts";
import { hasMarks, writeMarks } from "./marks.ts";
import { writePlanes } from "./planes.ts";
import { preparePrefixed, writePrefixed } from "./prefix-coder.ts";
import { packedSize, packedWidth, varintsSize, writePacked, writeVarints } from "./residual-coders.ts";
import { cheapestOrder, type Order, stepOf } from "./residuals.ts";
import { writeXor } from "./xor.ts";

/** Bodies shorter than this never gain by zstd. */
const zstdBytesMin = 48;

/** Fewer residuals than this are not worth a prefix code, whose table takes a dozen bytes and some microseconds. */
const prefixedLengthMin = { fast: 128, small: 48 };

/** Bodies on trial, the smallest so far in `best`. */
let trial = new ByteWriter();
let best = new ByteWriter();

/**
 * Writes a column: nothing when all is +0 and unmarked, else a byte that says how, and the body. Every bit is kept.
 *
 * @param values - at least one
 * @param flags - as many, or undefined for none
 */
export function writeColumn(
  out: ByteWriter,
  values: Float64Array,
  flags: Uint32Array | undefined,
  effort: Effort,
): void {
  const { length } = values;
  scratch.hold(length);
  // Copied as bytes, not as numbers.
  scratch.values.set(values);
  const marks = flags !== undefined && hasMarks(flags) ? flags : undefined;
  if (isConstant(length)) writeConstant(out, marks);
  else if (effort === "fast") writeFast(out, length, marks);
  else writeSmall(out, length, marks);
}

function isConstant(length: number): boolean {
  const { words } = scratch;
  const low = words[0]!;
  const high = words[1]!;
  for (let i = 1; i < length; i++) if (words[2 * i] !== low || words[2 * i + 1] !== high) return false;
  return true;
}

function writeConstant(out: ByteWriter, marks: Uint32Array | undefined): void {
  const { words, values, decimals } = scratch;
  if (words[0] === 0 && words[1] === 0 && marks === undefined) return;
  if (decimals.find(values, words, 1, 0)) {
    begin(out, method.constantDecimal, marks);
    out.byte(decimals.exponent);
    out.signed(decimals.mantissas[0]!);
  } else {
    begin(out, method.constantBits, marks);
    out.word(words[0]!);
    out.word(words[1]!);
  }
}

/** Writes the first byte and the marks. */
function begin(out: ByteWriter, chosen: number, marks: Uint32Array | undefined): void {
  out.byte(marks === undefined ? chosen : chosen | columnFlag.marked);
  if (marks !== undefined) writeMarks(out, marks);
}

function writeFast(out: ByteWriter, length: number, marks: Uint32Array | undefined): void {
  const start = out.length;
  const chosen = findDecimals(length) ? cheapestCoder("fast") : method.xor;
  begin(out, chosen, marks);
  const valuesStart = out.length;
  if (chosen === method.xor) writeXor(out, scratch.words, length);
  else writeDecimals(out, chosen);
  if (out.length - valuesStart <= 8 * length) return;
  out.length = start;
  writeBits(out, length, marks);
}

/** Takes the values for decimals and finds their residuals. @returns whether they are */
function findDecimals(length: number): boolean {
  const { values, words, decimals, residuals } = scratch;
  if (!decimals.find(values, words, length, exceptionsMax(length))) return false;
  const { mantissas } = decimals;
  residuals.take(mantissas, length, cheapestOrder(mantissas, length), Math.max(1, stepOf(mantissas, length)));
  return true;
}

/** How many values may be no decimals in a column of decimals: each takes nine bytes and more. */
function exceptionsMax(length: number): number {
  return 1 + (length >>> 4);
}

/** The coder that makes the residuals at hand smallest. A prefix code, if it is that, is prepared. */
function cheapestCoder(effort: Effort): number {
  const { values, length } = scratch.residuals;
  const packed = packedSize(packedWidth(values, length), length);
  if (length < prefixedLengthMin[effort]) {
    return packed < varintsSize(values, length) ? method.packed : method.varints;
  }
  return packed < preparePrefixed(values, length) ? method.packed : method.prefixed;
}

/** Writes the decimals and residuals at hand; a prefix code must be the one just prepared. */
function writeDecimals(out: ByteWriter, chosen: number): void {
  const { words, decimals, residuals } = scratch;
  const hasStep = residuals.step !== 1;
  const hasExceptions = decimals.exceptions.length > 0;
  out.byte(
    decimals.exponent |
      (residuals.order << decimalsHead.orderShift) |
      (hasStep ? decimalsHead.hasStep : 0) |
      (hasExceptions ? decimalsHead.hasExceptions : 0),
  );
  residuals.writeHead(out, hasStep);
  if (hasExceptions) decimals.writeExceptions(out, words);
  const { values, length } = residuals;
  if (chosen === method.varints) writeVarints(out, values, length);
  else if (chosen === method.packed) writePacked(out, values, length, packedWidth(values, length));
  else writePrefixed(out);
}

function writeBits(out: ByteWriter, length: number, marks: Uint32Array | undefined): void {
  begin(out, method.bits, marks);
  out.put(scratch.bytes.subarray(0, 8 * length));
}

/** Writes a column in every way there is and keeps the smallest. */
function writeSmall(out: ByteWriter, length: number, marks: Uint32Array | undefined): void {
  const { values, words, bytes, decimals, residuals } = scratch;
  best.clear();
  writeBits(best, length, marks);
  if (decimals.find(values, words, length, exceptionsMax(length))) {
    const { mantissas } = decimals;
    const step = Math.max(1, stepOf(mantissas, length));
    for (let order = 0; order <= 2 && order <= length; order++) {
      residuals.take(mantissas, length, order as Order, step);
      const chosen = cheapestCoder("small");
      tryBody(chosen, marks, () => writeDecimals(trial, chosen));
      tryZstd(method.varints, marks, () => writeDecimals(trial, method.varints));
    }
  } else {
    tryZstd(method.planes, marks, () => writePlanes(trial, bytes, length));
    tryZstd(method.bits, marks, () => trial.put(bytes.subarray(0, 8 * length)));
  }
  tryBody(method.xor, marks, () => writeXor(trial, words, length));
  out.put(best.bytes.subarray(0, best.length));
  best.clear();
  trial.clear();
}

function tryBody(chosen: number, marks: Uint32Array | undefined, write: () => void): void {
  trial.clear();
  begin(trial, chosen, marks);
  write();
  keepSmaller();
}

function tryZstd(chosen: number, marks: Uint32Array | undefined, write: () => void): void {
  trial.clear();
  begin(trial, chosen, marks);
  write();
  if (trial.length < zstdBytesMin) return;
  const first = trial.bytes[0]! | columnFlag.zstd;
  const plainLength = trial.length - 1;
  const frame = zstdCompressSync(trial.bytes.subarray(1, trial.length), zstdOptions);
  trial.clear();
  trial.byte(first);
  trial.varint(plainLength);
  trial.put(frame.subarray(zstdMagic.length));
  keepSmaller();
}

function keepSmaller(): void {
  if (trial.length < best.length) [best, trial] = [trial, best];
}
