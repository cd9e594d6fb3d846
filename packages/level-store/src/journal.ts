import { StoreError } from "@mon/store";
import { Batch } from "./batch.ts";
import type { Database } from "./database.ts";
import { failureOf } from "./failure.ts";
import type { HighWaterFile } from "./high-water.ts";
import type { RecentInstants } from "./manifest.ts";

/** Where a journal begins. */
export interface JournalPosition {
  /** The sequence of the last batch that is durable. */
  readonly lastSequence: number;
  /** The least sequence whose record is kept. */
  readonly baseline: number;
  readonly recent: RecentInstants;
}

/** What a journal needs. */
export interface JournalDeps {
  readonly database: Database;
  readonly highWater: HighWaterFile;
  readonly now: () => number;
  /** Told once, of the first batch that failed; nothing is written after it. */
  readonly onFailure: (failure: StoreError) => void;
}

/**
 * Commits batches one after another, each synced. What arrives while one is under way makes the next (group commit);
 * with the disk idle a write goes at once.
 *
 * A batch that fails ends the journal: LevelDB refuses all that follows until it is opened anew, and a sync that failed
 * must not be tried again. Batches that wait behind it fail with it, so sequence numbers on disk have no gaps.
 */
export class Journal {
  readonly #deps: JournalDeps;
  readonly #maxBatchBytes: number;
  readonly #recent: RecentInstants;
  readonly #queue: Batch[] = [];
  #lastSequence: number;
  #baseline: number;
  #failure: StoreError | undefined;
  #committing: Promise<void> | undefined;
  #queuedBytes = 0;
  /** Bytes committed since the journal began. */
  committedBytes = 0;
  /** The sequence of the last batch that is durable. */
  durableSequence: number;

  constructor(deps: JournalDeps, position: JournalPosition, maxBatchBytes: number) {
    this.#deps = deps;
    this.#maxBatchBytes = maxBatchBytes;
    this.#recent = position.recent;
    this.#lastSequence = position.lastSequence;
    this.#baseline = position.baseline;
    this.durableSequence = position.lastSequence;
  }

  /** Bytes taken and not yet durable. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** The least sequence whose record is kept; later batches carry it. */
  get baseline(): number {
    return this.#baseline;
  }

  set baseline(sequence: number) {
    this.#baseline = sequence;
  }

  /**
   * Adds to a batch. `add` must not await, and what it adds is committed as one.
   *
   * @returns when the batch is durable
   * @throws {StoreError} STORE_UNAVAILABLE and others when it may not be, now or later
   */
  append(add: (batch: Batch) => void): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const batch = this.#openBatch();
    const before = batch.bytes;
    try {
      add(batch);
    } finally {
      this.#queuedBytes += batch.bytes - before;
      this.#committing ??= this.#commitAll();
    }
    return batch.committed;
  }

  #openBatch(): Batch {
    const last = this.#queue.at(-1);
    if (last !== undefined && last.bytes < this.#maxBatchBytes) return last;
    const batch = new Batch(++this.#lastSequence, this.#deps.database.batch());
    this.#queue.push(batch);
    return batch;
  }

  /** Closes the batch that is being filled, and gives the sequence of the last one: all before now is in it or before. */
  seal(): number {
    if (this.#queue.length > 0)
      this.#queue.push(new Batch(++this.#lastSequence, this.#deps.database.batch()));
    return this.#queue.length > 0 ? this.#lastSequence - 1 : this.#lastSequence;
  }

  async #commitAll(): Promise<void> {
    for (let batch = this.#queue.shift(); batch !== undefined; batch = this.#queue.shift()) {
      const queued = batch.bytes;
      const wallMs = this.#deps.now();
      const recent = this.#recent.add(batch.range());
      try {
        await batch.commit(wallMs, this.#baseline, recent);
      } catch (cause) {
        this.#fail(batch, failureOf(cause, this.#deps.database.directory));
        return;
      }
      this.#queuedBytes -= queued;
      this.committedBytes += batch.bytes;
      this.durableSequence = batch.sequence;
      this.#deps.highWater.note({ sequence: batch.sequence, wallMs, recent });
    }
    this.#committing = undefined;
  }

  #fail(batch: Batch, failure: StoreError): void {
    this.#failure = failure;
    this.#queuedBytes = 0;
    for (const lost of [batch, ...this.#queue.splice(0)]) lost.fail(failure);
    this.#deps.onFailure(failure);
  }

  /** Waits for all that was appended; never rejects. */
  async idle(): Promise<void> {
    await this.#committing;
  }

  /** Refuses what comes from now on. */
  end(): void {
    this.#failure ??= new StoreError("STORE_NOT_OPEN", "expected an open store, got one that is closing");
  }
}
