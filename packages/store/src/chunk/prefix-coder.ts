import { BitReader, BitWriter, bitLength, pastEnd } from "./bits.ts";
import { type ByteReader, chunkInvalid } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { codeLengthMax, PrefixCode } from "./prefix-code.ts";

/**
 * Residuals in a code made for them. What is common in measurements should take few bits, so that there is a Huffman
 * code over classes of numbers, as DEFLATE has for lengths. Numbers below {@link literals} are classes of their own;
 * a larger one shares a class with half of those that are as long, and the rest of its bits follow the code. A run of
 * zeros is a class too, so that what hardly ever changes costs next to nothing.
 */
const literals = 32;
const literalBits = 5;
/** Classes of larger numbers: two for each length from 6 to 54 bits. */
const rangeClasses = 2 * 49;
const runs = literals + rangeClasses;
/** Runs of 2 to 2^23 - 1 zeros: a class for each power of two. */
const runClasses = 22;

const code = new PrefixCode(runs + runClasses);
const bitWriter = new BitWriter();

/** 2^0 to 2^53. */
const powersOfTwo = new Float64Array(54).fill(1);
for (let i = 1; i < powersOfTwo.length; i++) powersOfTwo[i] = 2 * powersOfTwo[i - 1]!;

/** Tokens that memory is kept for. */
const keptTokensMax = 65_536;

/** The residuals at hand as tokens, of which each gets one code. */
let tokenCount = 0;
/** By token. */
let classes = new Uint8Array(256);
/** By token: the number, or how many zeros. */
let amounts = new Float64Array(256);

/** How many bits follow the code of a number of a class. */
function extraBitsOf(rangeClass: number): number {
  return ((rangeClass - literals) >>> 1) + literalBits - 1;
}

/**
 * Makes the code for residuals; {@link writePrefixed} then writes them in it. O(residuals).
 *
 * @returns how many bytes they take
 */
export function preparePrefixed(values: Float64Array, length: number): number {
  return Math.ceil((tokenize(values, length) + code.make()) / 8);
}

/** Finds tokens and counts their classes. @returns how many bits follow codes */
function tokenize(values: Float64Array, length: number): number {
  if (length > classes.length || classes.length > keptTokensMax) {
    classes = new Uint8Array(Math.max(256, 2 ** Math.ceil(Math.log2(length))));
    amounts = new Float64Array(classes.length);
  }
  const { counts } = code;
  counts.fill(0);
  let extraBits = 0;
  let token = 0;
  for (let i = 0; i < length; ) {
    let amount = values[i++]!;
    let found: number;
    if (amount === 0) {
      const start = i - 1;
      while (i < length && values[i] === 0) i++;
      amount = i - start;
      if (amount === 1) found = 0;
      else {
        const log = 31 - Math.clz32(amount);
        found = runs + log - 1;
        extraBits += log;
      }
    } else if (amount < literals) found = amount;
    else {
      const bits = bitLength(amount);
      // The second highest bit: tells the halves of those that are as long apart.
      const half = bits < 32 ? (amount >>> (bits - 2)) & 1 : amount >= 1.5 * powersOfTwo[bits - 1]! ? 1 : 0;
      found = literals + 2 * (bits - literalBits - 1) + half;
      extraBits += bits - 2;
    }
    classes[token] = found;
    amounts[token] = amount;
    token++;
    counts[found]!++;
  }
  tokenCount = token;
  return extraBits;
}

/** Writes the residuals that a code was made for just before, after the code. */
export function writePrefixed(out: ByteWriter): void {
  code.write(out);
  const { codes } = code;
  out.reserve(8 * tokenCount + 8);
  bitWriter.begin(out);
  for (let i = 0; i < tokenCount; i++) {
    const found = classes[i]!;
    const entry = codes[found]!;
    const codeLength = entry & 15;
    if (found < literals) {
      bitWriter.put(entry >>> 4, codeLength);
      continue;
    }
    const amount = amounts[i]!;
    const isRun = found >= runs;
    const extra = isRun ? found - runs + 1 : extraBitsOf(found);
    if (extra <= 24 - codeLengthMax) {
      // In one go. The highest bits, which the class tells, go.
      bitWriter.put((entry >>> 4) | ((amount & ((1 << extra) - 1)) << codeLength), codeLength + extra);
      continue;
    }
    bitWriter.put(entry >>> 4, codeLength);
    bitWriter.putLong(amount % powersOfTwo[extra]!, extra);
  }
  bitWriter.end(out);
}

/**
 * Reads residuals.
 *
 * @param length - how many there are
 * @param count - how many are wanted; the rest is not looked at
 * @throws {StoreError} STORE_CHUNK_INVALID
 */
export function readPrefixed(reader: ByteReader, values: Float64Array, length: number, count: number): void {
  const tableMask = code.read(reader);
  const { table } = code;
  const bits = new BitReader(reader.take(reader.remaining));
  const { view, length: end } = bits;
  let position = 0;
  for (let i = 0; i < count; ) {
    const window = view.getUint32(position >>> 3, true) >>> (position & 7);
    const entry = table[window & tableMask]!;
    const codeLength = entry & 15;
    const found = entry >>> 4;
    if (codeLength === 0) throw chunkInvalid("expected a code, got bits that are none");
    position += codeLength;
    if (found < literals) values[i++] = found;
    else if (found < runs) {
      const extra = extraBitsOf(found);
      const base = (2 + (found & 1)) * powersOfTwo[extra]!;
      // A window has 25 bits, of which the code took at most 11.
      if (extra <= 14) values[i++] = base + ((window >>> codeLength) & ((1 << extra) - 1));
      else {
        bits.position = position;
        values[i++] = base + bits.takeLong(extra);
      }
      position += extra;
    } else {
      const log = found - runs + 1;
      bits.position = position;
      const run = (1 << log) + bits.take(log);
      position += log;
      if (run > length - i) throw chunkInvalid(`expected a run of at most ${length - i} zeros, got ${run}`);
      const runEnd = Math.min(i + run, count);
      while (i < runEnd) values[i++] = 0;
    }
    if (position > end) throw pastEnd();
  }
  if (count < length) return;
  bits.position = position;
  bits.assertEnd();
}
