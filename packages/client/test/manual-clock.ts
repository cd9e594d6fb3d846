import type { Clock, Timer } from "../src/index.ts";

/** A clock that stands still until it is told to advance, and fires what is due then, in order. */
export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000;
  readonly #timers = new Map<object, { atMs: number; fire: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  setTimeout(fire: () => void, ms: number): Timer {
    const timer: Timer = { clear: () => this.#timers.delete(timer) };
    this.#timers.set(timer, { atMs: this.#nowMs + ms, fire });
    return timer;
  }

  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [due] = [...this.#timers]
        .filter(([, { atMs }]) => atMs <= endMs)
        .sort(([, a], [, b]) => a.atMs - b.atMs);
      if (due === undefined) break;
      const [timer, { atMs, fire }] = due;
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, atMs);
      fire();
    }
    this.#nowMs = endMs;
  }
}
