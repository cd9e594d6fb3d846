/** The instants a stepped query has values for: start, start + step, … ≤ end (R34). */
export class Instants {
  readonly startMs: number;
  readonly stepMs: number;
  /** How many there are; at least 1. */
  readonly count: number;

  /** Whole milliseconds; `startMs` ≤ `endMs`, `stepMs` ≥ 1. */
  constructor(startMs: number, endMs: number, stepMs: number) {
    this.startMs = startMs;
    this.stepMs = stepMs;
    this.count = Math.floor((endMs - startMs) / stepMs) + 1;
  }

  get lastMs(): number {
    return this.at(this.count - 1);
  }

  at(index: number): number {
    return this.startMs + index * this.stepMs;
  }

  /** Index of the first instant that is not before `timestampMs`: the window (instant − step, instant] it falls in. */
  indexFor(timestampMs: number): number {
    return Math.max(0, Math.ceil((timestampMs - this.startMs) / this.stepMs));
  }
}
