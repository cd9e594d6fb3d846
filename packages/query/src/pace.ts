import { QueryError } from "./errors.ts";

/** How a query shares its thread and ends early. */
export interface QueryControl {
  /** Ends the query with `QUERY_CANCELLED`. Default: none. */
  readonly signal?: AbortSignal;
  /**
   * Awaited every so often, so that the event loop gets its turn: `setImmediate` as a promise, for example. Default:
   * none, the query gives way only where the store does.
   */
  readonly breathe?: () => Promise<void>;
}

/** Samples between two breaths, other work counted in samples: well under 20 ms. */
const workPerBreath = 16_384;

/** Counts work, takes breaths, and ends a query that was cancelled. */
export class Pace {
  readonly #control: QueryControl;
  #work = 0;

  constructor(control: QueryControl) {
    this.#control = control;
  }

  get signal(): AbortSignal | undefined {
    return this.#control.signal;
  }

  /** @throws {QueryError} QUERY_CANCELLED */
  assertNotCancelled(): void {
    if (this.#control.signal?.aborted) throw cancelled(this.#control.signal);
  }

  /** Adds work done. @returns whether {@link breathe} is due */
  isSpent(work: number): boolean {
    this.#work += work;
    return this.#work >= workPerBreath;
  }

  /** @throws {QueryError} QUERY_CANCELLED */
  async breathe(): Promise<void> {
    this.#work = 0;
    await this.#control.breathe?.();
    this.assertNotCancelled();
  }

  /** What to throw for `error`: the cancellation, when that is what it stems from. */
  errorFrom(error: unknown): unknown {
    const { signal } = this.#control;
    return signal?.aborted && !(error instanceof QueryError) ? cancelled(signal) : error;
  }
}

function cancelled(signal: AbortSignal): QueryError {
  return new QueryError("QUERY_CANCELLED", "expected to finish, got cancelled", { cause: signal.reason });
}
