import { once } from "node:events";

/** Lets a test decide when the store tries again, and tells it how that went. */
export class Attempts extends EventTarget {
  #go: (() => void) | undefined;
  readonly delays: number[] = [];

  readonly wait = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      this.delays.push(ms);
      this.#go = resolve;
      signal.addEventListener("abort", () => reject(signal.reason));
      this.dispatchEvent(new Event("waiting"));
    });

  readonly logger = {
    info: (_: object, message: string): boolean => this.dispatchEvent(new Event(message)),
    warn: (_: object, message: string): boolean => this.dispatchEvent(new Event(message)),
  };

  /** Waits until the store waits for its next try. */
  async waiting(): Promise<void> {
    if (this.#go === undefined) await once(this, "waiting");
  }

  /** Lets the store try once. */
  async next(outcome: string): Promise<void> {
    await this.waiting();
    const heard = once(this, outcome);
    this.go();
    await heard;
  }

  /** Lets the store, which waits, try once. */
  go(): void {
    this.#go!();
    this.#go = undefined;
  }
}
