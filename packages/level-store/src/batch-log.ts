import { StoreError } from "@mon/store";
import { Batch } from "./batch.ts";
import type { Database } from "./database.ts";
import { failureOf } from "./failure.ts";
import type { HighWaterFile } from "./high-water.ts";
import { numberKey, singleKey, space } from "./key.ts";
import type { RecentInstants } from "./manifest.ts";
import { putPosition } from "./position.ts";

/** Where the numbering of batches goes on. */
export interface BatchPosition {
  /** The sequence of the last batch that is durable, or lost. */
  readonly lastSequence: number;
  /** The least sequence whose record is kept. */
  readonly baseline: number;
  readonly recent: RecentInstants;
}

/** What a log of batches needs. */
export interface BatchLogDeps {
  readonly database: Database;
  readonly highWater: HighWaterFile;
  readonly now: () => number;
  /** Told once, of the first batch that failed; nothing is written after it. */
  readonly onFailure: (failure: StoreError) => void;
  readonly maxBatchBytes: number;
  readonly writeBufferBytes: number;
}

/** A sequence, and the bytes that had been committed when it was. */
interface Milestone {
  readonly sequence: number;
  readonly committedBytes: number;
}

/**
 * Commits batches to LevelDB one after another, each synced and numbered. What arrives while one is under way makes the
 * next (group commit).
 *
 * A batch that fails ends the log: LevelDB refuses all that follows until it is opened anew. Batches that wait behind it
 * fail with it, so sequence numbers on disk have no gaps.
 */
export class BatchLog {
  readonly #deps: BatchLogDeps;
  readonly #recent: RecentInstants;
  readonly #queue: Batch[] = [];
  #begunSequence: number;
  #durableSequence: number;
  #baseline: number;
  #failure: StoreError | undefined;
  #committing: Promise<void> | undefined;
  /** Bytes committed since the log was opened. */
  #committedBytes = 0;
  /** Rising; the first is the newest that is old enough. */
  #milestones: Milestone[];

  constructor(deps: BatchLogDeps, position: BatchPosition) {
    this.#deps = deps;
    this.#recent = position.recent;
    this.#begunSequence = position.lastSequence;
    this.#durableSequence = position.lastSequence;
    this.#baseline = position.baseline;
    // Opening has moved everything from LevelDB's log to tables.
    this.#milestones = [{ sequence: position.lastSequence, committedBytes: Number.NEGATIVE_INFINITY }];
  }

  /** The least sequence whose record is kept. */
  get baseline(): number {
    return this.#baseline;
  }

  /** Why nothing more can be written; undefined while it can. */
  get failure(): StoreError | undefined {
    return this.#failure;
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
    try {
      add(batch);
    } finally {
      this.#committing ??= this.#commitAll();
    }
    return batch.committed;
  }

  #openBatch(): Batch {
    const last = this.#queue.at(-1);
    if (last !== undefined && last.bytes < this.#deps.maxBatchBytes) return last;
    const batch = new Batch(++this.#begunSequence, this.#deps.database.batch());
    this.#queue.push(batch);
    return batch;
  }

  async #commitAll(): Promise<void> {
    for (let batch = this.#queue.shift(); batch !== undefined; batch = this.#queue.shift()) {
      const wallMs = this.#deps.now();
      const recent = this.#recent.add(batch.instants);
      try {
        await batch.commit(wallMs, this.#baseline, recent);
      } catch (cause) {
        this.#fail(batch, failureOf(cause, this.#deps.database.directory));
        return;
      }
      this.#committedBytes += batch.bytes;
      this.#durableSequence = batch.sequence;
      this.#deps.highWater.note("level", { sequence: batch.sequence, wallMs, recent });
    }
    this.#committing = undefined;
  }

  #fail(batch: Batch, failure: StoreError): void {
    this.#failure = failure;
    for (const lost of [batch, ...this.#queue.splice(0)]) lost.fail(failure);
    this.#deps.onFailure(failure);
  }

  /**
   * Drops sequence records that are not needed any more: LevelDB's log cannot lose their batches once four write buffers
   * have been written after them, of which it holds two at most.
   *
   * @param settledSequence - goes into the position record: everything in the journal up to there is in chunks
   */
  async retire(settledSequence: number): Promise<void> {
    this.#addMilestone();
    const baseline = this.#nextBaseline();
    await this.append((batch) => putPosition(batch, { baseline, settled: settledSequence }));
    this.#baseline = baseline;
    const range = { gte: singleKey(space.sequence), lt: numberKey(space.sequence, baseline) };
    await this.#deps.database.clear(range);
  }

  /** Milestones are kept at some distance, so that there are few of them however often this is called. */
  #addMilestone(): void {
    const distance = this.#committedBytes - (this.#milestones.at(-1)?.committedBytes ?? 0);
    if (distance < this.#deps.writeBufferBytes / 16) return;
    this.#milestones.push({ sequence: this.#durableSequence, committedBytes: this.#committedBytes });
  }

  #nextBaseline(): number {
    const safeBytes = this.#committedBytes - 4 * this.#deps.writeBufferBytes;
    const safe = this.#milestones.filter((milestone) => milestone.committedBytes <= safeBytes);
    this.#milestones = this.#milestones.slice(Math.max(safe.length - 1, 0));
    return Math.max(this.#baseline, (safe.at(-1)?.sequence ?? 0) + 1);
  }

  /** Waits for what is under way; never rejects. */
  async idle(): Promise<void> {
    await this.#committing;
  }

  /** Refuses what comes from now on. */
  end(): void {
    this.#failure ??= new StoreError("STORE_NOT_OPEN", "expected an open store, got one that is closing");
  }
}
