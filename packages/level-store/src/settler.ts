import { setImmediate as nextTurn } from "node:timers/promises";
import { StoreError } from "@mon/store";
import type { ChunkMaker } from "./chunk-maker.ts";
import type { Generation } from "./generation.ts";
import type { HighWaterFile } from "./high-water.ts";
import { type HostWriterDeps, writeHosts } from "./host-writer.ts";
import { recordsOf } from "./joined-records.ts";
import type { JournalFiles } from "./journal-files.ts";
import type { SlabPool } from "./slab.ts";

/** What settling needs. */
export interface SettlerDeps extends HostWriterDeps {
  readonly files: JournalFiles;
  readonly highWater: HighWaterFile;
  readonly maker: ChunkMaker;
  readonly slabs: SlabPool;
  /** All records of the journal up to this sequence are in chunks already. */
  readonly settledSequence: number;
  readonly now: () => number;
  /** Runs one at a time with all else that rearranges what is stored. */
  readonly exclusively: <T>(task: () => Promise<T>) => Promise<T>;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Told of an attempt that failed and will be made again. */
  readonly onRetry: (error: unknown) => void;
  readonly retryDelayMsMin: number;
  readonly retryDelayMsMax: number;
}

/** Hosts looked through in one turn of the event loop. */
const hostsPerTurn = 1_000;

/**
 * Moves closed generations from the journal to chunks in LevelDB, one at a time, oldest first. A generation stays in the
 * head until all of its chunks are durable, and with them the position that says so; then its file may be used again.
 * Until then a crash leaves the journal, and the same chunks are made once more.
 */
export class Settler {
  readonly #deps: SettlerDeps;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #failure: unknown;
  #progress = Promise.withResolvers<void>();

  #settledSequence: number;

  constructor(deps: SettlerDeps) {
    this.#deps = deps;
    this.#settledSequence = deps.settledSequence;
  }

  /** All records of the journal up to this sequence are in chunks. */
  get settledSequence(): number {
    return this.#settledSequence;
  }

  /** Why the last attempt failed; undefined when it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Begins when there is a closed generation. */
  begin(): void {
    if (this.#deps.journal.head.closed === undefined) return;
    this.#running ??= this.#run();
  }

  /** Resolves when a generation has left the head, or none will for now. */
  progress(): Promise<void> {
    return this.#progress.promise;
  }

  /** Waits until all generations that are closed now are settled. @throws {StoreError} STORE_UNAVAILABLE when that fails */
  async settleClosed(): Promise<void> {
    const last = this.#deps.journal.head.generations.at(-2)?.lastSequence;
    for (;;) {
      if (this.#stop.signal.aborted) throw notOpen();
      this.begin();
      const { closed } = this.#deps.journal.head;
      if (last === undefined || closed === undefined || closed.lastSequence > last) return;
      await this.progress();
      if (this.#failure === undefined) continue;
      throw new StoreError("STORE_UNAVAILABLE", "expected to move the journal into chunks, which failed", {
        cause: this.#failure,
      });
    }
  }

  async #run(): Promise<void> {
    const { journal, batches, exclusively, wait, retryDelayMsMin, retryDelayMsMax, onRetry } = this.#deps;
    const { signal } = this.#stop;
    let delayMs = retryDelayMsMin;
    while (!signal.aborted && journal.head.closed !== undefined) {
      const generation = journal.head.closed;
      try {
        await exclusively(() => this.#settle(generation));
        this.#failure = undefined;
        delayMs = retryDelayMsMin;
        this.#tell();
      } catch (error) {
        this.#failure = error;
        this.#tell();
        // A disk that failed has been told of; the directory will be reopened.
        if (signal.aborted || journal.failure !== undefined || batches.failure !== undefined) break;
        onRetry(error);
        await wait(delayMs, signal).catch(() => {});
        delayMs = Math.min(2 * delayMs, retryDelayMsMax);
      }
    }
    this.#running = undefined;
  }

  #tell(): void {
    const { resolve } = this.#progress;
    this.#progress = Promise.withResolvers<void>();
    resolve();
  }

  async #settle(generation: Generation): Promise<void> {
    const { journal, batches, maker, now, highWater, files, slabs } = this.#deps;
    this.#stop.signal.throwIfAborted();
    await journal.flush();
    for await (const records of maker.settle(generation, now())) {
      this.#stop.signal.throwIfAborted();
      await batches.append((batch) => {
        for (const [key, value] of recordsOf(records)) batch.putSealed(key, value);
        batch.touch(records.instants);
      });
    }
    await writeHosts(this.#deps, generation.hosts.keys());
    await batches.retire(generation.lastSequence);
    await highWater.sync();
    this.#settledSequence = generation.lastSequence;
    journal.head.remove(generation);
    files.release(await generation.file);
    await this.#detach(generation);
    // Readers that began before have views of it, and who knows for how long.
    if (generation.readers === 0) slabs.give(generation.slabs);
  }

  /** Lets the catalogue keep copies of what it refers to in the generation, whose memory is used again. */
  async #detach({ slabs, hosts }: Generation): Promise<void> {
    const memory = new Set<ArrayBufferLike>(slabs.map(({ bytes }) => bytes.buffer));
    let looked = 0;
    for (const hostId of hosts.keys()) {
      for (const shape of this.#deps.catalogue.host(hostId)?.shapes ?? []) {
        if (memory.has(shape.bytes.buffer)) shape.detach();
      }
      if (++looked % hostsPerTurn === 0) await nextTurn();
    }
  }

  /** Begins nothing more and waits for what is under way, which fails when it needs the worker or the disk. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#tell();
    await this.#running;
  }
}

function notOpen(): StoreError {
  return new StoreError("STORE_NOT_OPEN", "expected an open store, got one that is closing");
}
