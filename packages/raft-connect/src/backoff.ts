import type { Random } from "@mon/raft";

/**
 * How long to wait before the next attempt: drawn evenly from 0 to a bound that doubles with each failure in a row
 * ("full jitter"), so that nodes which lost the same peer do not come back together.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export class Backoff {
  readonly #msMin: number;
  readonly #msMax: number;
  readonly #random: Random;
  #failures = 0;

  constructor(msMin: number, msMax: number, random: Random) {
    this.#msMin = msMin;
    this.#msMax = msMax;
    this.#random = random;
  }

  /** The peer was reached, and stayed so for a while: waits start small again. */
  reset(): void {
    this.#failures = 0;
  }

  /** Counts a failure, and says how many milliseconds to wait now. */
  next(): number {
    // 2 ** 31 is beyond any bound that a timer can hold; larger exponents could reach infinity.
    const bound = Math.min(this.#msMax, this.#msMin * 2 ** Math.min(this.#failures, 31));
    this.#failures++;
    return Math.floor(this.#random.next() * (bound + 1));
  }
}
