import { bitLength } from "./bits.ts";
import { type ByteReader, chunkInvalid, unzigzag } from "./byte-reader.ts";
import { type ByteWriter, zigzag } from "./byte-writer.ts";

/**
 * How often differences are taken before whole numbers are written: 0 for numbers that jump about one level, 1 for
 * those that wander, 2 for those that grow steadily.
 */
export type Order = 0 | 1 | 2;

/**
 * The step of whole numbers: the greatest common divisor of their differences. 4,096 for memory that comes in pages,
 * 0 when all are the same. O(numbers).
 */
export function stepOf(numbers: Float64Array, length: number): number {
  let step = 0;
  for (let i = 1; i < length; i++) {
    const difference = Math.abs(numbers[i]! - numbers[i - 1]!);
    if (difference === 0) continue;
    // A quotient of numbers below 2^52 is never rounded to a whole number when it is none.
    const quotient = difference / step;
    if (step !== 0 && quotient === Math.floor(quotient)) continue;
    step = greatestCommonDivisor(difference, step);
    if (step === 1) return 1;
  }
  return step;
}

function greatestCommonDivisor(a: number, b: number): number {
  let [larger, smaller] = [a, b];
  while (smaller !== 0) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}

/** How much of a long column is looked at to choose an order, in each of three places. */
const sampleLength = 64;

/** By order: how many bits residuals take. */
const bits = new Float64Array(3);

/** The order whose residuals have the fewest bits, judged by a part of a long column. */
export function cheapestOrder(numbers: Float64Array, length: number): Order {
  bits.fill(0);
  if (length <= 3 * sampleLength) addBits(numbers, 0, length);
  else {
    addBits(numbers, 0, sampleLength);
    const middle = length >>> 1;
    addBits(numbers, middle, middle + sampleLength);
    addBits(numbers, length - sampleLength, length);
  }
  const zeroth = bits[0]!;
  const first = bits[1]!;
  const second = bits[2]!;
  if (second < first && second < zeroth) return 2;
  return first <= zeroth ? 1 : 0;
}

/** Adds up how many bits residuals of each order take, of the numbers from `from + 2` to `to`. */
function addBits(numbers: Float64Array, from: number, to: number): void {
  let least = numbers[from]!;
  for (let i = from + 1; i < to; i++) if (numbers[i]! < least) least = numbers[i]!;
  let zeroth = 0;
  let first = 0;
  let second = 0;
  let previous = from + 1 < to ? numbers[from + 1]! - numbers[from]! : 0;
  for (let i = from + 2; i < to; i++) {
    const difference = numbers[i]! - numbers[i - 1]!;
    zeroth += bitLength(numbers[i]! - least);
    first += bitLength(2 * Math.abs(difference));
    second += bitLength(2 * Math.abs(difference - previous));
    previous = difference;
  }
  bits[0]! += zeroth;
  bits[1]! += first;
  bits[2]! += second;
}

/** Whole numbers as a beginning and differences: what is left is small, not negative, and to be coded. */
export class Residuals {
  order: Order = 1;
  step = 1;
  /** The least number with order 0, else the first one. */
  first = 0;
  /** With order 2, the first difference in steps. */
  firstDifference = 0;
  length = 0;
  values: Float64Array = new Float64Array(64);

  /**
   * Takes differences.
   *
   * @param step - of {@link stepOf}, or 1
   * @param length - of the numbers, at least 1; at least 2 with order 2
   */
  take(numbers: Float64Array, length: number, order: Order, step: number): void {
    this.order = order;
    this.step = step;
    this.length = length - order;
    this.hold(length);
    const values = this.values;
    if (order === 0) {
      let least = numbers[0]!;
      for (let i = 1; i < length; i++) if (numbers[i]! < least) least = numbers[i]!;
      this.first = least;
      for (let i = 0; i < length; i++) values[i] = (numbers[i]! - least) / step;
      return;
    }
    this.first = numbers[0]!;
    let last = numbers[0]!;
    if (order === 1) {
      for (let i = 1; i < length; i++) {
        const number = numbers[i]!;
        values[i - 1] = zigzag((number - last) / step);
        last = number;
      }
      return;
    }
    last = numbers[1]!;
    let difference = (last - this.first) / step;
    this.firstDifference = difference;
    for (let i = 2; i < length; i++) {
      const number = numbers[i]!;
      const next = (number - last) / step;
      values[i - 2] = zigzag(next - difference);
      difference = next;
      last = number;
    }
  }

  /** Makes room for so many residuals. */
  hold(length: number): void {
    if (this.values.length < length) this.values = new Float64Array(2 ** Math.ceil(Math.log2(length)));
  }

  /** Writes all but the order and the residuals. @param hasStep - whether the step is written, else it is 1 */
  writeHead(out: ByteWriter, hasStep: boolean): void {
    if (hasStep) out.varint(this.step);
    out.signed(this.first);
    if (this.order === 2) out.signed(this.firstDifference);
  }

  /** Reads what {@link writeHead} wrote. @param length - of the numbers */
  readHead(reader: ByteReader, order: Order, hasStep: boolean, length: number): void {
    if (length < order) throw chunkInvalid(`expected at least ${order} values, got ${length}`);
    this.order = order;
    this.step = hasStep ? reader.varint() : 1;
    this.first = reader.signed();
    this.firstDifference = order === 2 ? reader.signed() : 0;
    this.length = length - order;
  }

  /** The inverse of {@link take}, for the first `count` numbers; the residuals must have been read that far. */
  restore(numbers: Float64Array, count: number): void {
    const { values, step, first } = this;
    if (this.order === 0) {
      for (let i = 0; i < count; i++) numbers[i] = first + values[i]! * step;
      return;
    }
    numbers[0] = first;
    let number = first;
    if (this.order === 1) {
      for (let i = 1; i < count; i++) {
        const value = values[i - 1]!;
        number += (value < 0x8000_0000 ? (value >>> 1) ^ -(value & 1) : unzigzag(value)) * step;
        numbers[i] = number;
      }
      return;
    }
    let difference = this.firstDifference * step;
    number += difference;
    numbers[1] = number;
    for (let i = 2; i < count; i++) {
      const value = values[i - 2]!;
      difference += (value < 0x8000_0000 ? (value >>> 1) ^ -(value & 1) : unzigzag(value)) * step;
      number += difference;
      numbers[i] = number;
    }
  }
}
