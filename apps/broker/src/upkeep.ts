import type { MetricStore } from "@mon/store";
import type { Logger } from "./logger.ts";

/** How often closed blocks are packed, in milliseconds. */
const packIntervalMs = 60_000;

/** How often what is too old is removed, in milliseconds. */
const trimIntervalMs = 300_000;

/** How long after the start, and then after the end of one, what is stored is verified, in milliseconds. */
const verifyDelayMs = 60_000;
const verifyIntervalMs = 86_400_000;

/** How long after its end a block counts as closed, in milliseconds: most of what comes late has come by then. */
const closingMs = 600_000;

/** What upkeep asks of a store. */
export type KeptStore = Pick<MetricStore, "pack" | "trim" | "verify">;

/** What the upkeep of a store needs. */
export interface UpkeepDeps {
  readonly store: KeptStore;
  readonly retentionMs: number;
  readonly now: () => number;
  readonly logger: Logger;
}

/**
 * Keeps a store small, one thing at a time: packs closed blocks, and removes what is past retention. Beside that it has the
 * store verify what it holds, slowly, once a day.
 */
export class Upkeep {
  readonly #deps: UpkeepDeps;
  #timers: NodeJS.Timeout[] = [];
  #verifyTimer: NodeJS.Timeout | undefined;
  #verifying: Promise<void> = Promise.resolve();
  readonly #stopped = new AbortController();
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
    if (this.#deps.store.verify !== undefined) this.#verifyAfter(verifyDelayMs);
  }

  /** Begins nothing more. What is under way ends by itself, or when the store is closed. */
  stop(): void {
    this.#isStopped = true;
    this.#stopped.abort();
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#verifyTimer);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running;
    await this.#verifying;
  }

  #verifyAfter(delayMs: number): void {
    this.#verifyTimer = setTimeout(() => {
      this.#verifying = this.#verify();
    }, delayMs).unref();
  }

  async #verify(): Promise<void> {
    const { store, logger } = this.#deps;
    try {
      const result = await store.verify?.({ signal: this.#stopped.signal });
      if (result !== undefined && result.damage.length > 0) logger.error(result, "stored data is damaged");
    } catch (error) {
      if (this.#isStopped) return;
      // The next round tries again; until then damage is found where it is read.
      logger.warn({ err: error }, "could not verify what is stored");
    }
    if (!this.#isStopped) this.#verifyAfter(verifyIntervalMs);
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
