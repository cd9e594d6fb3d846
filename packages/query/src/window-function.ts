import { CounterIncrease } from "./counter-increase.ts";
import type { SampleRun } from "./evaluator.ts";

/** All there are. */
export const aggregations = [
  "avg",
  "min",
  "max",
  "sum",
  "count",
  "last",
  "first",
  "rate",
  "increase",
] as const;

/**
 * What becomes of the samples of a window: Prometheus's `avg_over_time`, `min_over_time` and so on; `rate` and
 * `increase` are for counters.
 */
export type Aggregation = (typeof aggregations)[number];

/** A function of the samples of one window, which come in parts. */
export interface WindowFunction {
  /** Takes the samples from `start` to before `end`, at least one; no stale markers. */
  add(run: SampleRun, start: number, end: number): void;
  /**
   * The value of the window that ends at `endMs`, to which samples have been added; undefined when they are too few to
   * have one. Begins the next window.
   */
  take(endMs: number): number | undefined;
}

/** @param windowMs - how long windows are */
export function createWindowFunction(aggregation: Aggregation, windowMs: number): WindowFunction {
  switch (aggregation) {
    case "avg":
      return new Mean();
    case "min":
      return new Smallest();
    case "max":
      return new Largest();
    case "sum":
      return new Sum();
    case "count":
      return new Count();
    case "last":
      return new Last();
    case "first":
      return new First();
    case "rate":
      return new CounterIncrease(windowMs, windowMs / 1_000);
    case "increase":
      return new CounterIncrease(windowMs, 1);
    default:
      throw new RangeError(`expected an aggregation, got ${String(aggregation satisfies never)}`);
  }
}

class Count implements WindowFunction {
  #count = 0;

  add(_run: SampleRun, start: number, end: number): void {
    this.#count += end - start;
  }

  take(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }
}

class First implements WindowFunction {
  #value: number | undefined;

  add({ values }: SampleRun, start: number): void {
    this.#value ??= values[start];
  }

  take(): number | undefined {
    const value = this.#value;
    this.#value = undefined;
    return value;
  }
}

class Last implements WindowFunction {
  #value = 0;

  add({ values }: SampleRun, _start: number, end: number): void {
    this.#value = values[end - 1]!;
  }

  take(): number {
    return this.#value;
  }
}

/** NaN only when all samples are. */
class Smallest implements WindowFunction {
  #smallest = Number.NaN;

  add({ values }: SampleRun, start: number, end: number): void {
    let smallest = this.#smallest;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      if (value < smallest || Number.isNaN(smallest)) smallest = value;
    }
    this.#smallest = smallest;
  }

  take(): number {
    const smallest = this.#smallest;
    this.#smallest = Number.NaN;
    return smallest;
  }
}

/** NaN only when all samples are. */
class Largest implements WindowFunction {
  #largest = Number.NaN;

  add({ values }: SampleRun, start: number, end: number): void {
    let largest = this.#largest;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      if (value > largest || Number.isNaN(largest)) largest = value;
    }
    this.#largest = largest;
  }

  take(): number {
    const largest = this.#largest;
    this.#largest = Number.NaN;
    return largest;
  }
}

/** The part of `sum + value` that rounding to `rounded` lost: Neumaier's variant of Kahan's summation keeps it aside. */
function lost(sum: number, value: number, rounded: number): number {
  return Math.abs(sum) >= Math.abs(value) ? sum - rounded + value : value - rounded + sum;
}

function isInfinite(value: number): boolean {
  return Math.abs(value) === Number.POSITIVE_INFINITY;
}

/** The sum, compensated until it overflows. */
class Sum implements WindowFunction {
  #sum = 0;
  #compensation = 0;

  add({ values }: SampleRun, start: number, end: number): void {
    let sum = this.#sum;
    let compensation = this.#compensation;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      const rounded = sum + value;
      compensation = isInfinite(rounded) ? 0 : compensation + lost(sum, value, rounded);
      sum = rounded;
    }
    this.#sum = sum;
    this.#compensation = compensation;
  }

  take(): number {
    const total = this.#sum + this.#compensation;
    this.#sum = 0;
    this.#compensation = 0;
    return total;
  }
}

/**
 * The mean by compensated summation; once the sum overflows, by a running mean, which does not.
 *
 * @see Prometheus `promql/functions.go`, `funcAvgOverTime`, and the discussion in its issue 16714
 */
class Mean implements WindowFunction {
  #count = 0;
  #sum = 0;
  #compensation = 0;
  /** Whether `#sum` is the running mean. */
  #isRunning = false;

  add({ values }: SampleRun, start: number, end: number): void {
    let i = start;
    if (this.#count === 0) this.#begin(values[i++]!);
    if (!this.#isRunning) i = this.#addToSum(values, i, end);
    if (i < end) this.#addToMean(values, i, end);
  }

  #begin(value: number): void {
    this.#count = 1;
    this.#sum = value;
    this.#compensation = 0;
    this.#isRunning = false;
  }

  /** @returns where the sum overflowed, or `end` */
  #addToSum(values: Float64Array, start: number, end: number): number {
    let sum = this.#sum;
    let compensation = this.#compensation;
    let i = start;
    for (; i < end; i++) {
      const value = values[i]!;
      const rounded = sum + value;
      if (isInfinite(rounded)) break;
      compensation += lost(sum, value, rounded);
      sum = rounded;
    }
    this.#sum = sum;
    this.#compensation = compensation;
    this.#count += i - start;
    return i;
  }

  #addToMean(values: Float64Array, start: number, end: number): void {
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#sum /= this.#count;
      this.#compensation /= this.#count;
    }
    for (let i = start; i < end; i++) {
      this.#count++;
      const kept = (this.#count - 1) / this.#count;
      const mean = kept * this.#sum;
      const value = values[i]! / this.#count;
      const rounded = mean + value;
      this.#compensation = isInfinite(rounded) ? 0 : kept * this.#compensation + lost(mean, value, rounded);
      this.#sum = rounded;
    }
  }

  take(): number {
    const divisor = this.#isRunning ? 1 : this.#count;
    const mean = this.#sum / divisor + this.#compensation / divisor;
    this.#count = 0;
    return mean;
  }
}
