/** How long a line is not repeated. */
const quietMs = 60_000;

/** How many different lines are remembered; the one remembered longest is forgotten for a new one. */
const keysMax = 200;

/** Lets each kind of log line through once a minute, so that a fault that repeats does not fill the disk. */
export class LogLimiter {
  readonly #lastMs = new Map<string, number>();

  /** Whether a line of this kind may be written now. */
  allows(key: string, nowMs: number): boolean {
    const lastMs = this.#lastMs.get(key);
    if (lastMs !== undefined && nowMs - lastMs < quietMs) return false;
    this.#lastMs.delete(key);
    this.#lastMs.set(key, nowMs);
    if (this.#lastMs.size > keysMax) {
      const [oldest] = this.#lastMs.keys();
      this.#lastMs.delete(oldest ?? key);
    }
    return true;
  }
}
