import { type ByteReader, chunkInvalid } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/** The largest power of ten that is tried. */
const exponentMax = 15;

/** The largest mantissa: the difference of two differences, its sign folded in, still is a whole number of 53 bits. */
const mantissaMax = 2 ** 50;

/** Adding and taking away this rounds a number below 2^51 to a whole one: its last bit is worth 1. */
const rounder = 1.5 * 2 ** 52;

// Written out: raising to a power may round.
const powersOfTen = Float64Array.of(
  ...[1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15],
);

/**
 * Values as whole numbers over a common power of ten: 0.25, 1.5 become 25, 150 over 100. A double is taken for a decimal
 * when dividing the whole number by the power gives it back to the bit; as both are exact doubles and division rounds
 * correctly, it then does so everywhere. What is none (a NaN, a -0, a third) is an exception, kept as it is.
 */
export class Decimals {
  exponent = 0;
  /** As many as there are values; that of an exception repeats the one before. */
  mantissas: Float64Array = new Float64Array(64);
  /** Indices of exceptions, rising. */
  readonly exceptions: number[] = [];

  /**
   * Finds them. O(values), up to {@link exponentMax} times as long for each exception.
   *
   * @param values - with `words`, the same memory
   * @returns false when more than `exceptionsMax` of them are no decimals
   */
  find(values: Float64Array, words: Uint32Array, length: number, exceptionsMax: number): boolean {
    if (this.mantissas.length < length) this.mantissas = new Float64Array(2 ** Math.ceil(Math.log2(length)));
    const mantissas = this.mantissas;
    const exceptions = this.exceptions;
    exceptions.length = 0;
    let exponent = 0;
    let power = 1;
    let largest = 0;
    for (let i = 0; i < length; i++) {
      const value = values[i]!;
      let mantissa = value * power + rounder - rounder;
      if (
        // Most columns are of whole numbers: no need to divide.
        (power === 1 ? mantissa : mantissa / power) !== value ||
        mantissa > mantissaMax ||
        mantissa < -mantissaMax ||
        (mantissa === 0 && words[2 * i + 1] !== 0)
      ) {
        const found = exponentOf(value, words[2 * i + 1]!, exponent + 1);
        const scale = found < 0 ? Number.POSITIVE_INFINITY : powersOfTen[found - exponent]!;
        if (largest * scale > mantissaMax || found < 0) {
          if (exceptions.length === exceptionsMax) return false;
          exceptions.push(i);
          mantissa = i === 0 ? 0 : mantissas[i - 1]!;
        } else {
          for (let j = 0; j < i; j++) mantissas[j]! *= scale;
          largest *= scale;
          exponent = found;
          power = powersOfTen[found]!;
          mantissa = value * power + rounder - rounder;
        }
      }
      mantissas[i] = mantissa;
      const magnitude = Math.abs(mantissa);
      if (magnitude > largest) largest = magnitude;
    }
    this.exponent = exponent;
    return true;
  }

  /** Writes where the exceptions are and their bits. */
  writeExceptions(out: ByteWriter, words: Uint32Array): void {
    out.varint(this.exceptions.length);
    let next = 0;
    for (const index of this.exceptions) {
      out.varint(index - next);
      out.word(words[2 * index]!);
      out.word(words[2 * index + 1]!);
      next = index + 1;
    }
  }
}

/** The smallest power of ten, from `from` on, over which a value is a whole number; -1 when there is none. */
function exponentOf(value: number, high: number, from: number): number {
  if (value === 0 && high !== 0) return -1;
  for (let exponent = from; exponent <= exponentMax; exponent++) {
    const power = powersOfTen[exponent]!;
    const mantissa = value * power + rounder - rounder;
    // Also ends with a NaN.
    if (!(mantissa <= mantissaMax && mantissa >= -mantissaMax)) return -1;
    if (mantissa / power === value) return exponent;
  }
  return -1;
}

/** Exceptions that were read: where they are and what is there instead. */
export interface Exceptions {
  readonly indices: readonly number[];
  /** Two words for each, the lower first. */
  readonly words: readonly number[];
}

/** Reads what {@link Decimals.writeExceptions} wrote. @param length - of the column */
export function readExceptions(reader: ByteReader, length: number): Exceptions {
  const count = reader.count(9);
  const indices: number[] = [];
  const words: number[] = [];
  let next = 0;
  for (let i = 0; i < count; i++) {
    const index = next + reader.varint();
    if (index >= length) throw chunkInvalid(`expected an index below ${length}, got ${index}`);
    indices.push(index);
    words.push(reader.word(), reader.word());
    next = index + 1;
  }
  return { indices, words };
}

/**
 * Values from whole numbers, `mantissas[from .. to)` over a power of ten.
 *
 * @param values - gets them from its start on
 */
export function valuesFromMantissas(
  mantissas: Float64Array,
  exponent: number,
  from: number,
  to: number,
  values: Float64Array,
): void {
  if (exponent === 0) {
    for (let i = from; i < to; i++) values[i - from] = mantissas[i]!;
    return;
  }
  const power = powersOfTen[exponent]!;
  for (let i = from; i < to; i++) values[i - from] = mantissas[i]! / power;
}
