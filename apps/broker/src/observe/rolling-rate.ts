/** A counter's value at an instant. */
interface Reading {
  readonly atMs: number;
  readonly value: number;
}

/** The rate of a counter over the past ten seconds, from readings of it. */
export class RollingRate {
  readonly #windowMs: number;
  readonly #readings: Reading[] = [];

  constructor(windowMs = 10_000) {
    this.#windowMs = windowMs;
  }

  /** Takes note of the counter; call it about once a second. */
  read(value: number, nowMs: number): void {
    while (this.#readings.length > 1 && this.#readings[1]!.atMs <= nowMs - this.#windowMs)
      this.#readings.shift();
    this.#readings.push({ atMs: nowMs, value });
  }

  /** Increase a second, between the first and the last reading of the window. */
  get perSecond(): number {
    const first = this.#readings[0];
    const last = this.#readings.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
    return ((last.value - first.value) * 1_000) / (last.atMs - first.atMs);
  }
}
