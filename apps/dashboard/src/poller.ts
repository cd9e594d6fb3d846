/** Time and visibility, as a page has them. */
export interface PollerDeps {
  setTimeout(task: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Whether nobody can see the page. */
  isHidden(): boolean;
  /** Calls back whenever `isHidden` changes, until the returned function is called. */
  onVisibilityChange(changed: () => void): () => void;
}

/** What is asked again and again. */
export interface PollerOptions {
  /** One question. It handles its own failures; `signal` aborts when the poller stops. */
  readonly task: (signal: AbortSignal) => Promise<void>;
  /** From the end of a question to the next one, in milliseconds. */
  readonly intervalMs: () => number;
}

/**
 * Asks again and again, one question at a time, and rests while nobody can see the page; as soon as somebody can, it
 * asks at once.
 *
 *     stopped → asking ⇄ waiting
 *                  ↘ resting (hidden) ↗
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #deps: PollerDeps;
  readonly #abort = new AbortController();
  #timer: unknown;
  #asking = false;
  #unsubscribe: (() => void) | undefined;

  constructor(options: PollerOptions, deps: PollerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Asks at once, and from then on until {@link stop}. */
  start(): void {
    this.#unsubscribe = this.#deps.onVisibilityChange(() => {
      if (!this.#deps.isHidden()) this.#ask();
    });
    this.#ask();
  }

  /** Ends it, aborting the question under way. A stopped poller does not start again. */
  stop(): void {
    this.#unsubscribe?.();
    this.#deps.clearTimeout(this.#timer);
    this.#abort.abort();
  }

  #ask(): void {
    this.#deps.clearTimeout(this.#timer);
    const { signal } = this.#abort;
    if (this.#asking || signal.aborted || this.#deps.isHidden()) return;
    this.#asking = true;
    const again = (): void => {
      this.#asking = false;
      if (!signal.aborted) this.#timer = this.#deps.setTimeout(() => this.#ask(), this.#options.intervalMs());
    };
    this.#options.task(signal).then(again, again);
  }
}

/** Time and visibility of this browser tab. */
export const browserDeps: PollerDeps = {
  setTimeout: (task, delayMs) => window.setTimeout(task, delayMs),
  clearTimeout: (timer) => window.clearTimeout(timer as number | undefined),
  isHidden: () => document.hidden,
  onVisibilityChange(changed) {
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  },
};
