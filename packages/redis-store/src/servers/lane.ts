import type { Link, LinkError } from "../wire/link.ts";

/** How a lane gets its links. */
export interface LaneDeps {
  /** Opens a link that can be used at once. */
  readonly open: (signal: AbortSignal) => Promise<Link>;
  /** A number that no link had before. */
  readonly nextIncarnation: () => number;
  /** From 0 to less than 1. */
  readonly random: () => number;
  /** A link has been opened. */
  readonly onOpened: () => void;
  /** A link has ended, or could not be opened. */
  readonly onFailed: (error: LinkError) => void;
}

/** The waits between attempts. */
export interface LaneOptions {
  readonly reconnectDelayMsMin: number;
  readonly reconnectDelayMsMax: number;
}

/**
 * A place for one link to a server, which is opened again whenever it ends, after waits that double and vary by half, so
 * that many clients do not come back at once.
 */
export class Lane {
  readonly #deps: LaneDeps;
  readonly #options: LaneOptions;
  readonly #stopped = new AbortController();
  #link: Link | undefined;
  #incarnation = 0;
  #failure: LinkError | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #nextAttemptAtMs = 0;
  #attempt: Promise<void>;

  /** Begins to connect. */
  constructor(options: LaneOptions, deps: LaneDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#attempt = this.#open();
  }

  /** The link, when it is open. */
  get link(): Link | undefined {
    return this.#link?.isOpen ? this.#link : undefined;
  }

  /** The number of the present link; 0 while there is none. */
  get incarnation(): number {
    return this.link === undefined ? 0 : this.#incarnation;
  }

  /** Why there is no link; undefined while there is one, or before the first attempt has ended. */
  get failure(): LinkError | undefined {
    return this.link === undefined ? this.#failure : undefined;
  }

  /** How long until the next attempt, in milliseconds; 0 while one is under way. */
  waitMs(): number {
    return Math.max(0, this.#nextAttemptAtMs - performance.now());
  }

  /** Settles, and never rejects, when the attempt that is under way has ended. */
  get attempt(): Promise<void> {
    return this.#attempt;
  }

  /** Cuts the link, if there is one, and opens another. */
  renew(): void {
    this.#link?.close();
  }

  /** Gives the present link another number: what was remembered of it counts no more. */
  forget(): void {
    this.#incarnation = this.#deps.nextIncarnation();
  }

  /** Hangs up for good. Idempotent. */
  close(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    this.#link?.close();
  }

  async #open(): Promise<void> {
    const { signal } = this.#stopped;
    let link: Link;
    try {
      link = await this.#deps.open(signal);
    } catch (error) {
      if (signal.aborted) return;
      // `open` rejects with nothing else.
      this.#again(error as LinkError);
      return;
    }
    if (signal.aborted || !link.isOpen) {
      link.close();
      if (!signal.aborted) this.#again(await link.ended);
      return;
    }
    this.#link = link;
    this.#incarnation = this.#deps.nextIncarnation();
    this.#failures = 0;
    void link.ended.then((error) => {
      if (!signal.aborted) this.#again(error);
    });
    this.#deps.onOpened();
  }

  #again(error: LinkError): void {
    const { reconnectDelayMsMin, reconnectDelayMsMax } = this.#options;
    const fullMs = Math.min(reconnectDelayMsMax, reconnectDelayMsMin * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    this.#failure = error;
    const delayMs = fullMs * (0.5 + this.#deps.random() / 2);
    this.#nextAttemptAtMs = performance.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#attempt = this.#open();
    }, delayMs).unref();
    this.#deps.onFailed(error);
  }
}
