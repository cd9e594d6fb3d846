/**
 * Tells the time as the broker has it, from its answers: browsers on other machines may be minutes off, and ages and
 * ranges are about the broker's time.
 */
export class BrokerClock {
  readonly #now: () => number;
  #skewMs = 0;

  /** @param now - this machine's time, in milliseconds since the Unix epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes the broker's time from an answer that has just come. */
  set(brokerMs: number): void {
    this.#skewMs = brokerMs - this.#now();
  }

  /** The broker's time, in milliseconds since the Unix epoch; this machine's before the first {@link set}. */
  now(): number {
    return this.#now() + this.#skewMs;
  }
}
