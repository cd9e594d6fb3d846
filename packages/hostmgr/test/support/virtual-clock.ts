import type { Clock, Timer } from "../../src/index.ts";

/** A clock that stands still until it is moved. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  constructor(now = 1_767_225_600_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.size;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer = { atMs: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Sets the clock, as somebody does who corrects it: timers run by their delay, whatever it says. */
  set(now: number): void {
    const byMs = now - this.#now;
    const timers = [...this.#timers];
    this.#now = now;
    for (const timer of timers) (timer as { atMs: number }).atMs += byMs;
  }

  /** Moves on, calling timers in their order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      let due: { readonly atMs: number; readonly callback: () => void } | undefined;
      for (const timer of this.#timers)
        if (timer.atMs <= until && (due === undefined || timer.atMs < due.atMs)) due = timer;
      if (due === undefined) break;
      this.#now = Math.max(this.#now, due.atMs);
      this.#timers.delete(due);
      due.callback();
      await settle();
    }
    this.#now = until;
  }
}

/** Lets every promise that can settle do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
