import { hostsMax } from "./corpus.ts";

/**
 * Whose turn it is to report, and at what time: host after host, and a later instant in each pass, so that no host
 * reports twice for one instant. Instants are those of the clock, or one millisecond after the pass before.
 */
export class HostCycle {
  /** The number of the host that reports. */
  host = -1;
  /** The instant it reports for, an unsigned 64-bit integer in two halves. */
  timestampLow = 0;
  timestampHigh = 0;

  readonly #hosts: number;
  readonly #now: () => number;
  #timestampMs = 0;

  /** @param now - milliseconds since the Unix epoch */
  constructor(hosts: number, now: () => number) {
    if (!(Number.isInteger(hosts) && hosts >= 1 && hosts <= hostsMax)) {
      throw new RangeError(`expected 1 to ${hostsMax} hosts, got ${hosts}`);
    }
    this.#hosts = hosts;
    this.#now = now;
  }

  /** Moves on to the next report. */
  next(): void {
    if (++this.host === this.#hosts) this.host = 0;
    if (this.host > 0) return;
    this.#timestampMs = Math.max(this.#now(), this.#timestampMs + 1);
    this.timestampLow = this.#timestampMs >>> 0;
    this.timestampHigh = Math.floor(this.#timestampMs / 2 ** 32);
  }
}
