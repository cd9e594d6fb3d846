import type { BreakerState } from "./servers.ts";

/** When a breaker opens, and for how long. */
export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it refuses everything then. */
  readonly openMs: number;
}

/**
 * Keeps callers from a server that fails: closed, it lets all through; after some failures in a row it opens and refuses;
 * after a while it is half-open and lets one attempt through, whose end closes it or opens it anew. Times are the caller's.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  /** When it opened last; undefined while it is closed. */
  #openedAtMs: number | undefined;
  #attemptAtMs: number | undefined;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  state(nowMs: number): BreakerState {
    if (this.#openedAtMs === undefined) return "closed";
    return nowMs - this.#openedAtMs < this.#options.openMs ? "open" : "half-open";
  }

  /**
   * Whether an attempt may be made now; it must end in {@link succeeded} or {@link failed}. One that never does is
   * forgotten after as long as the breaker stays open.
   */
  allows(nowMs: number): boolean {
    switch (this.state(nowMs)) {
      case "closed":
        return true;
      case "open":
        return false;
      case "half-open":
        if (this.#attemptAtMs !== undefined && nowMs - this.#attemptAtMs < this.#options.openMs) return false;
        this.#attemptAtMs = nowMs;
        return true;
    }
  }

  /** How long until an attempt may be made, in milliseconds. */
  waitMs(nowMs: number): number {
    if (this.#openedAtMs === undefined) return 0;
    const sinceMs = Math.max(this.#openedAtMs, this.#attemptAtMs ?? 0);
    return Math.max(0, sinceMs + this.#options.openMs - nowMs);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#openedAtMs = undefined;
    this.#attemptAtMs = undefined;
  }

  failed(nowMs: number): void {
    this.#failures++;
    const isHalfOpen = this.state(nowMs) === "half-open";
    if (isHalfOpen || (this.#openedAtMs === undefined && this.#failures >= this.#options.failures)) {
      this.#openedAtMs = nowMs;
      this.#attemptAtMs = undefined;
    }
  }
}
