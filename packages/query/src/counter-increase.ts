import type { SampleRun } from "./evaluator.ts";
import type { WindowFunction } from "./window-function.ts";

/**
 * By how much a counter rose in a window, resets corrected, extrapolated to the window's edges: Prometheus's `increase`,
 * and its `rate` when divided by the window's length.
 *
 * @see Prometheus 3 `promql/functions.go`, `extrapolatedRate`. It adds the value before each reset to the difference of
 *   last and first; here the last is not known yet, so these are added up first: with two resets or more in one window
 *   the last digit can differ.
 */
export class CounterIncrease implements WindowFunction {
  readonly #windowMs: number;
  readonly #divisor: number;
  #count = 0;
  #firstMs = 0;
  #firstValue = 0;
  #lastMs = 0;
  #lastValue = 0;
  /** Values just before resets, added up. */
  #beforeResets = 0;

  /**
   * @param windowMs - how long windows are
   * @param divisor - what the increase is divided by: the window's seconds for a rate, 1 for the increase
   */
  constructor(windowMs: number, divisor: number) {
    this.#windowMs = windowMs;
    this.#divisor = divisor;
  }

  add({ timestampsMs, values }: SampleRun, start: number, end: number): void {
    if (this.#count === 0) {
      this.#firstMs = timestampsMs[start]!;
      this.#firstValue = values[start]!;
      this.#lastValue = this.#firstValue;
      this.#beforeResets = 0;
    }
    let previous = this.#lastValue;
    let beforeResets = this.#beforeResets;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      if (value < previous) beforeResets += previous;
      previous = value;
    }
    this.#lastValue = previous;
    this.#beforeResets = beforeResets;
    this.#lastMs = timestampsMs[end - 1]!;
    this.#count += end - start;
  }

  take(endMs: number): number | undefined {
    const count = this.#count;
    this.#count = 0;
    if (count < 2) return undefined;
    const increase = this.#lastValue - this.#firstValue + this.#beforeResets;
    return increase * (this.#extrapolation(endMs, count, increase) / this.#divisor);
  }

  /**
   * How many times longer than from its first to its last sample the series is taken to last within the window. It
   * reaches to an edge that is nearer than 1.1 times the samples' mean distance, else half that distance beyond its last
   * sample; and not back beyond where the counter was 0.
   */
  #extrapolation(endMs: number, count: number, increase: number): number {
    const sampledSeconds = (this.#lastMs - this.#firstMs) / 1_000;
    const meanDistance = sampledSeconds / (count - 1);
    const reach = meanDistance * 1.1;
    let secondsToStart = (this.#firstMs - (endMs - this.#windowMs)) / 1_000;
    if (secondsToStart >= reach) secondsToStart = meanDistance / 2;
    if (increase > 0 && this.#firstValue >= 0) {
      secondsToStart = Math.min(secondsToStart, sampledSeconds * (this.#firstValue / increase));
    }
    let secondsToEnd = (endMs - this.#lastMs) / 1_000;
    if (secondsToEnd >= reach) secondsToEnd = meanDistance / 2;
    return (sampledSeconds + secondsToStart + secondsToEnd) / sampledSeconds;
  }
}
