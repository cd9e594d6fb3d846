/** How many wrong tokens an address may try. */
export interface GuessLimiterOptions {
  /** Failures within {@link windowMs} before it has to wait, 5. */
  readonly failuresMax: number;
  /** 60,000 ms. */
  readonly windowMs: number;
  /** The first wait, 1,000 ms; twice that with each failure after it. */
  readonly delayMs: number;
  /** The longest wait, 300,000 ms. */
  readonly delayMsMax: number;
  /** Addresses that are remembered, 10,000; beyond it those that failed longest ago are forgotten. */
  readonly addressesMax: number;
}

/** What holds where an option is not given. */
export const defaultGuessLimiterOptions: GuessLimiterOptions = Object.freeze({
  failuresMax: 5,
  windowMs: 60_000,
  delayMs: 1_000,
  delayMsMax: 300_000,
  addressesMax: 10_000,
});

interface Guesser {
  failures: number;
  lastMs: number;
  openAtMs: number;
}

/**
 * Slows down whoever guesses: an address that has failed too often waits before anything of it is looked at, longer with
 * each failure. A success changes nothing, so that a stolen token does not buy guesses at others.
 */
export class GuessLimiter {
  readonly #options: GuessLimiterOptions;
  /** By address, those that failed last at the end. */
  readonly #guessers = new Map<string, Guesser>();

  constructor(options: Partial<GuessLimiterOptions> = {}) {
    this.#options = { ...defaultGuessLimiterOptions, ...options };
  }

  /** How long an address has to wait, 0 when it need not. O(1). */
  waitMs(address: string, nowMs: number): number {
    return Math.max(0, (this.#guessers.get(address)?.openAtMs ?? 0) - nowMs);
  }

  /** Notes a failure of an address. O(1). */
  failed(address: string, nowMs: number): void {
    const { failuresMax, windowMs, delayMs, delayMsMax, addressesMax } = this.#options;
    const known = this.#guessers.get(address);
    this.#guessers.delete(address);
    // What it failed at before it waited counts until it has kept still for a whole window.
    const isFresh = known === undefined || nowMs - Math.max(known.lastMs, known.openAtMs) > windowMs;
    const failures = isFresh ? 1 : known.failures + 1;
    const excess = failures - failuresMax;
    const openAtMs = excess < 0 ? 0 : nowMs + Math.min(delayMsMax, delayMs * 2 ** Math.min(excess, 30));
    if (this.#guessers.size >= addressesMax) this.#guessers.delete(this.#guessers.keys().next().value!);
    this.#guessers.set(address, { failures, lastMs: nowMs, openAtMs });
  }
}
