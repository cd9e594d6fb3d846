import type { LogFetch } from "../core/fetches.ts";
import type { Entry } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { LogBatch } from "../log-store.ts";
import type { Engine } from "./engine.ts";
import { ticksOf } from "./options.ts";

/** Does what the core wants of the log store, and sees to it that an append ends in time. */
export class LogWorker {
  readonly #engine: Engine;
  #deadline = Number.POSITIVE_INFINITY;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  append(batch: LogBatch): void {
    const engine = this.#engine;
    const { deps, metrics, options } = engine;
    const startedAt = deps.clock.now();
    this.#deadline = engine.ticks + ticksOf(options.appendTimeoutMs, options);
    engine.run(async () => {
      await deps.log.append(batch);
      this.#deadline = Number.POSITIVE_INFINITY;
      metrics.appends++;
      metrics.appendedEntries += batch.entries.length;
      metrics.appendMsMax = Math.max(metrics.appendMsMax, deps.clock.now() - startedAt);
      engine.input(() => engine.raw.appended());
    });
  }

  fetch({ id, from, to, maxBytes }: LogFetch): void {
    const engine = this.#engine;
    engine.run(async () => {
      let entries: readonly Entry[] = [];
      try {
        entries = await engine.deps.log.entries(from, to, maxBytes);
      } catch (error) {
        // Compacted while it was asked for: the core finds out and sends the snapshot.
        if (!(error instanceof RaftError) || error.code !== "RAFT_LOG_COMPACTED") {
          throw error;
        }
      }
      engine.input(() => engine.raw.fetched(id, entries));
    });
  }

  /** @throws {RaftError} RAFT_STORAGE_HUNG when the append under way takes too long */
  assertInTime(): void {
    const { options, ticks } = this.#engine;
    if (ticks >= this.#deadline) {
      throw new RaftError(
        "RAFT_STORAGE_HUNG",
        `expected an append to take at most ${options.appendTimeoutMs} ms`,
      );
    }
  }
}
