import type { MetricStore } from "@mon/store";
import type { Logger } from "./logger.ts";

/** How often closed blocks are packed, in milliseconds. */
const packIntervalMs = 60_000;

/** How often what is too old is removed, in milliseconds. */
const trimIntervalMs = 300_000;

/** How long after its end a block counts as closed, in milliseconds: most of what comes late has come by then. */
const closingMs = 600_000;

/** What upkeep asks of a store. */
export type KeptStore = Pick<MetricStore, "pack" | "trim">;

/** What the upkeep of a store needs. */
export interface UpkeepDeps {
  readonly store: KeptStore;
  readonly retentionMs: number;
  readonly now: () => number;
  readonly logger: Logger;
}

/** Keeps a store small, one thing at a time: packs closed blocks, and removes what is past retention. */
export class Upkeep {
  readonly #deps: UpkeepDeps;
  #timers: NodeJS.Timeout[] = [];
  #running: Promise<void> = Promise.resolve();
  #isPackDue = false;
  #isStopped = false;

  constructor(deps: UpkeepDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#beginTrim();
    this.#timers = [
      setInterval(() => this.#beginTrim(), trimIntervalMs).unref(),
      setInterval(() => this.#beginPack(), packIntervalMs).unref(),
    ];
  }

  /** Begins nothing more. What is under way ends by itself, or when the store is closed. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  #beginTrim(): void {
    this.#running = this.#running.then(() => this.#trim());
  }

  #beginPack(): void {
    // A packing may take longer than the time between two.
    if (this.#isPackDue) return;
    this.#isPackDue = true;
    this.#running = this.#running.then(async () => {
      await this.#pack();
      this.#isPackDue = false;
    });
  }

  async #trim(): Promise<void> {
    if (this.#isStopped) return;
    const { store, retentionMs, now, logger } = this.#deps;
    try {
      const { hostsRemoved, seriesRemoved } = await store.trim(now() - retentionMs);
      if (seriesRemoved > 0) logger.info({ hostsRemoved, seriesRemoved }, "removed what is past retention");
    } catch (error) {
      if (this.#isStopped) return;
      // The next round tries again; until then more is kept than needed.
      logger.warn({ err: error }, "could not remove what is past retention");
    }
  }

  async #pack(): Promise<void> {
    if (this.#isStopped) return;
    const { store, now, logger } = this.#deps;
    try {
      const { blocks, bytesBefore, bytesAfter } = await store.pack(now() - closingMs);
      if (blocks > 0) logger.info({ blocks, bytesBefore, bytesAfter }, "packed closed blocks");
    } catch (error) {
      // A store that is closed leaves off in the middle.
      if (this.#isStopped) return;
      // The next round tries again; until then the blocks take more room.
      logger.warn({ err: error }, "could not pack closed blocks");
    }
  }
}
