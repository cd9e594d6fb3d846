import type { Random } from "./clock.ts";

/**
 * Which broker to try next, and after how long.
 *
 * A broker that served stays the choice until it fails; after a failure the next of the list is tried, round and round.
 * The wait is drawn evenly from 0 to a bound that doubles with each full round without success ("full jitter"), so
 * that many clients that lost the same broker do not come back together, and one dead broker of three costs little.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export class BrokerRotation {
  readonly #brokers: readonly string[];
  readonly #msMin: number;
  readonly #msMax: number;
  readonly #random: Random;
  #index = 0;
  #failures = 0;

  constructor(brokers: readonly string[], msMin: number, msMax: number, random: Random) {
    this.#brokers = brokers;
    this.#msMin = msMin;
    this.#msMax = msMax;
    this.#random = random;
  }

  /** The broker to talk to. */
  get current(): string {
    return this.#brokers[this.#index] as string; // The list is not empty and the index stays within it.
  }

  /** The current broker serves: it answered, not only connected. Waits start small again. */
  succeed(): void {
    this.#failures = 0;
  }

  /** The current broker let go in good order, or failed; says how many milliseconds to wait before the next attempt. */
  retry(why: "released" | "failed"): number {
    const rounds = Math.floor(this.#failures / this.#brokers.length);
    // 2 ** 31 is beyond any bound that a timer can hold; larger exponents could reach infinity.
    const bound = Math.min(this.#msMax, this.#msMin * 2 ** Math.min(rounds, 31));
    this.#failures += 1;
    if (why === "failed") this.#index = (this.#index + 1) % this.#brokers.length;
    return Math.floor(this.#random.next() * (bound + 1));
  }
}
