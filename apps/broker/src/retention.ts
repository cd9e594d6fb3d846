import type { MetricStore } from "@mon/store";
import type { Logger } from "./logger.ts";

/** How often what is too old is removed, in milliseconds. */
const trimIntervalMs = 300_000;

/** Removes what is past retention from a store, every five minutes. */
export class Retention {
  readonly #store: Pick<MetricStore, "trim">;
  readonly #retentionMs: number;
  readonly #now: () => number;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(store: Pick<MetricStore, "trim">, retentionMs: number, now: () => number, logger: Logger) {
    this.#store = store;
    this.#retentionMs = retentionMs;
    this.#now = now;
    this.#logger = logger;
  }

  start(): void {
    this.#begin();
    this.#timer = setInterval(() => this.#begin(), trimIntervalMs).unref();
  }

  /** Resolves when a removal under way has ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  #begin(): void {
    this.#running = this.#running.then(() => this.#trim());
  }

  async #trim(): Promise<void> {
    try {
      const { hostsRemoved, seriesRemoved } = await this.#store.trim(this.#now() - this.#retentionMs);
      if (seriesRemoved > 0)
        this.#logger.info({ hostsRemoved, seriesRemoved }, "removed what is past retention");
    } catch (error) {
      // The next round tries again; until then more is kept than needed.
      this.#logger.warn({ err: error }, "could not remove what is past retention");
    }
  }
}
