import type { Clock, Timer } from "./clock.ts";

/** Time in ticks. However late one comes and however many were missed, one is due at a time. */
export class Ticker {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #onDue: (delayMs: number) => void;
  #timer: Timer | undefined;
  #due = false;

  /** @param onDue - told that a tick is due, and how much later than it should be */
  constructor(clock: Clock, tickMs: number, onDue: (delayMs: number) => void) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#onDue = onDue;
  }

  /** Sets time going. */
  start(): void {
    const dueAt = this.#clock.now() + this.#tickMs;
    this.#timer = this.#clock.setTimeout(() => {
      this.#due = true;
      this.#onDue(this.#clock.now() - dueAt);
      this.start();
    }, this.#tickMs);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Whether a tick is due; it is none afterwards. */
  take(): boolean {
    const due = this.#due;
    this.#due = false;
    return due;
  }
}
