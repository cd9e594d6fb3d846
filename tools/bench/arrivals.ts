/**
 * Arrivals at a fixed rate, whatever becomes of those before: arrival k is due at `startMs + k / perSecond`. A latency
 * that counts from there includes the wait behind a server that stalled, which one that counts from the sending omits.
 *
 * @see Tene, "How NOT to Measure Latency", on coordinated omission
 */
export class Arrivals {
  readonly count: number;
  readonly #startMs: number;
  readonly #intervalMs: number;

  /** @throws {RangeError} when the rate or the number is not positive */
  constructor(options: { readonly startMs: number; readonly perSecond: number; readonly count: number }) {
    const { startMs, perSecond, count } = options;
    if (!(perSecond > 0 && Number.isFinite(perSecond)))
      throw new RangeError(`expected a positive rate, got ${perSecond}`);
    if (!(Number.isInteger(count) && count > 0))
      throw new RangeError(`expected a positive number of arrivals, got ${count}`);
    this.count = count;
    this.#startMs = startMs;
    this.#intervalMs = 1_000 / perSecond;
  }

  /** When an arrival is due, in milliseconds. */
  dueAt(arrival: number): number {
    return this.#startMs + arrival * this.#intervalMs;
  }

  /** How many are due at or before an instant. */
  dueBy(nowMs: number): number {
    if (nowMs < this.#startMs) return 0;
    let due = Math.floor((nowMs - this.#startMs) / this.#intervalMs);
    // The division may be a rounding error off what dueAt says.
    while (this.dueAt(due) <= nowMs) due++;
    while (due > 0 && this.dueAt(due - 1) > nowMs) due--;
    return Math.min(due, this.count);
  }
}
