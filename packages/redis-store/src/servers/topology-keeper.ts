import { setTimeout as delay } from "node:timers/promises";
import type { ServerError } from "./server-error.ts";
import type { Topology } from "./topology.ts";
import type { TopologySource } from "./topology-source.ts";

export interface TopologyKeeperOptions {
  /** How often it is asked without any hint. */
  readonly refreshIntervalMs: number;
  /** How long it is waited at least from one question to the next, however many hints there are. */
  readonly hintGapMs: number;
  /** How long an answer is waited for before it is asked again; a late one counts all the same. */
  readonly answerTimeoutMs: number;
}

/**
 * Keeps asking who serves what: from time to time, and soon after each hint. A view that is older than the last one is
 * dropped, so that a server that has just come back does not turn back what the others have agreed on.
 */
export class TopologyKeeper {
  readonly #source: TopologySource;
  readonly #options: TopologyKeeperOptions;
  readonly #onTopology: (topology: Topology) => void;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;
  #isHinted = false;
  #isClosed = false;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #epoch = Number.NEGATIVE_INFINITY;

  /** @param onTopology - called with every answer that is not out of date, whether it changes anything or not */
  constructor(
    source: TopologySource,
    options: TopologyKeeperOptions,
    onTopology: (topology: Topology) => void,
  ) {
    this.#source = source;
    this.#options = options;
    this.#onTopology = onTopology;
  }

  /** Asks for the first time, and goes on from then. @throws {ServerError} nobody knows, or it is no such deployment */
  async start(): Promise<void> {
    this.#take(await this.#source.discover());
    this.#plan(this.#options.refreshIntervalMs);
  }

  /** Something seems to have changed. */
  hint(): void {
    if (this.#isHinted || this.#isClosed) return;
    this.#isHinted = true;
    if (!this.#isAsking) this.#plan(this.#askedAtMs + this.#options.hintGapMs - performance.now());
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#source.close();
  }

  #plan(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), Math.max(0, afterMs)).unref();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    this.#isHinted = false;
    this.#askedAtMs = performance.now();
    const isKnown = await Promise.race([
      this.#discover(),
      // A server that hangs, and that others still name, holds up one question and not the next.
      delay(this.#options.answerTimeoutMs, false, { ref: false }),
    ]);
    this.#isAsking = false;
    if (this.#isClosed) return;
    const { hintGapMs, refreshIntervalMs } = this.#options;
    this.#plan(this.#isHinted || !isKnown ? hintGapMs : refreshIntervalMs);
  }

  /** @returns whether there is nothing to be asked again for */
  async #discover(): Promise<boolean> {
    try {
      const topology = await this.#source.discover();
      if (!this.#isClosed) this.#take(topology);
      return true;
    } catch (error) {
      // Nobody answers for now: those who send learn it from their links, and it is asked again.
      return !(error as ServerError).isRetryable;
    }
  }

  #take(topology: Topology): void {
    if (topology.epoch < this.#epoch) return;
    this.#epoch = topology.epoch;
    this.#onTopology(topology);
  }
}
