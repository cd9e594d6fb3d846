import { type Layout, StoreError } from "@mon/store";
import { failureOf } from "./failure.ts";
import type { Generation } from "./generation.ts";
import type { Head } from "./head.ts";
import type { HighWaterFile } from "./high-water.ts";
import { fileHeadBytes, newFileHead, putFileHead, seedOf } from "./journal-file.ts";
import {
  aligned,
  alignment,
  entryHeadBytes,
  paddingMax,
  putRecordHead,
  recordHeadBytes,
} from "./journal-record.ts";
import { type InstantRange, noInstants, type RecentInstants } from "./manifest.ts";
import type { Slab, SlabPool } from "./slab.ts";
import type { WriterHost } from "./writer-host.ts";

/** Where a journal goes on. */
export interface JournalPosition {
  /** The sequence of the last record that is durable, or lost. */
  readonly lastSequence: number;
  readonly recent: RecentInstants;
}

/** What a journal needs. */
export interface JournalDeps {
  readonly directory: string;
  readonly highWater: HighWaterFile;
  readonly now: () => number;
  /** Told once, of the first record that failed; nothing is written after it. */
  readonly onFailure: (failure: StoreError) => void;
  readonly maxBatchBytes: number;
  readonly slabs: SlabPool;
}

/** A record that is being filled, or waits to be written. */
interface Commit {
  readonly sequence: number;
  readonly generation: Generation;
  readonly slab: Slab;
  /** Where its bytes begin, the file's head among them when it is the first. */
  readonly start: number;
  readonly hasFileHead: boolean;
  readonly entriesStart: number;
  readonly firstEntry: number;
  readonly instants: InstantRange;
  /** Where its entries end. */
  end: number;
  endEntry: number;
  readonly settled: PromiseWithResolvers<void>;
}

/**
 * Writes records one after another, each with one write and one sync. What arrives while one is under way makes the next
 * (group commit); with the disk idle it goes at once. Fragments are copied once, to where the record is gathered, and
 * stay there as the head.
 *
 * A record that fails ends the journal: a sync that failed must not be tried again. Those that wait behind it fail with
 * it, so the numbers on disk have no gaps.
 */
export class Journal {
  readonly head: Head;
  readonly #deps: JournalDeps;
  readonly #recent: RecentInstants;
  readonly #queue: Commit[] = [];
  #open: Commit | undefined;
  /** Where the next record goes in the last slab. */
  #slabPosition = Number.POSITIVE_INFINITY;
  #lastSequence: number;
  #begunSequence: number;
  /** Settles with the record that was begun last. */
  #newest: Promise<void> = Promise.resolve();
  #failure: StoreError | undefined;
  #committing: Promise<void> | undefined;
  #queuedBytes = 0;
  /** Where the entry begins that was appended last. */
  #lastEnd = 0;

  constructor(deps: JournalDeps, head: Head, position: JournalPosition) {
    this.#deps = deps;
    this.head = head;
    this.#lastSequence = position.lastSequence;
    this.#recent = position.recent;
    this.#begunSequence = position.lastSequence;
  }

  /** Bytes taken and not yet durable. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** The sequence of the last record that is durable. */
  get durableSequence(): number {
    return this.#lastSequence;
  }

  get failure(): StoreError | undefined {
    return this.#failure;
  }

  /** Copies a fragment to the record that is being filled. @returns the copy, to be left alone */
  append(host: WriterHost, timestampMs: number, bytes: Uint8Array, layout: Layout | undefined): Uint8Array {
    const { hostId } = host;
    const { length } = bytes;
    const commit = this.#roomFor(entryHeadBytes + hostId.length + paddingMax + length);
    const { generation, slab } = commit;
    const target = slab.bytes;
    let position = commit.end;
    const idStart = position + entryHeadBytes;
    const padding = (bytes.byteOffset - idStart - hostId.length) & (paddingMax - 1);
    slab.view.setFloat64(position, timestampMs, true);
    slab.view.setUint32(position + 8, length, true);
    target[position + 12] = hostId.length;
    target[position + 13] = padding;
    position = idStart;
    for (let i = 0; i < hostId.length; i++) target[position++] = hostId.charCodeAt(i);
    for (let i = 0; i < padding; i++) target[position++] = 0;
    target.set(bytes, position);
    host.push(generation, timestampMs, position, length, layout);
    this.#lastEnd = commit.end;
    this.#queuedBytes += position + length - commit.end;
    commit.end = position + length;
    commit.endEntry = generation.count;
    if (timestampMs < commit.instants.minMs) commit.instants.minMs = timestampMs;
    if (timestampMs > commit.instants.maxMs) commit.instants.maxMs = timestampMs;
    return target.subarray(position, position + length);
  }

  #roomFor(size: number): Commit {
    const open = this.#open;
    if (
      open !== undefined &&
      open.end + size + alignment <= open.slab.bytes.length &&
      open.end - open.start < this.#deps.maxBatchBytes
    ) {
      return open;
    }
    return this.#begin(size);
  }

  /** Begins a record that has room for at least so many bytes of entries. */
  #begin(size: number): Commit {
    this.#close();
    const generation = this.head.active;
    const hasFileHead = generation.tail === undefined && generation.slabs.length === 0;
    const headBytes = (hasFileHead ? fileHeadBytes : 0) + recordHeadBytes;
    let slab = generation.slabs.at(-1);
    if (slab === undefined || this.#slabPosition + headBytes + size + alignment > slab.bytes.length) {
      slab = this.#deps.slabs.take(headBytes + size + alignment);
      generation.slabs.push(slab);
      this.#slabPosition = 0;
    }
    const start = this.#slabPosition;
    const commit: Commit = {
      sequence: ++this.#begunSequence,
      generation,
      slab,
      start,
      hasFileHead,
      entriesStart: start + headBytes,
      firstEntry: generation.count,
      endEntry: generation.count,
      instants: noInstants(),
      end: start + headBytes,
      settled: Promise.withResolvers<void>(),
    };
    // Whoever added to it hears of its failure; a record that nobody awaits must not end the process.
    commit.settled.promise.catch(() => {});
    this.#newest = commit.settled.promise;
    this.#open = commit;
    this.#queue.push(commit);
    return commit;
  }

  /** Takes nothing more into the record that is being filled. */
  #close(): void {
    if (this.#open === undefined) return;
    this.#slabPosition = aligned(this.#open.end);
    this.#open = undefined;
  }

  /** Takes back what was appended last; nothing else was since. */
  undo(host: WriterHost): void {
    const commit = this.#open!;
    commit.generation.pop(host.inGeneration!);
    this.#queuedBytes -= commit.end - this.#lastEnd;
    commit.end = this.#lastEnd;
    commit.endEntry--;
  }

  /** Writes what was appended. @returns when all of it is durable @throws {StoreError} when it may not be, now or later */
  flush(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#queue.length > 0) this.#committing ??= this.#commitAll();
    return this.#newest;
  }

  /** Writes a record of nothing, which proves that the disk takes any. */
  async prove(): Promise<void> {
    if (this.#failure === undefined) this.#begin(0);
    await this.flush();
  }

  /** The sequence of the next record that is begun. */
  get nextSequence(): number {
    return this.#begunSequence + 1;
  }

  /** Closes the active generation; the next record begins another, whose first sequence is {@link nextSequence}. */
  roll(generation: Generation): void {
    this.#close();
    this.head.begin(generation);
    this.#slabPosition = Number.POSITIVE_INFINITY;
  }

  async #commitAll(): Promise<void> {
    for (let commit = this.#queue[0]; commit !== undefined; commit = this.#queue[0]) {
      if (commit === this.#open) this.#close();
      const wallMs = this.#deps.now();
      const recent = this.#recent.add(commit.instants);
      try {
        await this.#commit(commit, wallMs, recent);
      } catch (cause) {
        this.#fail(failureOf(cause, this.#deps.directory));
        return;
      }
      this.#queue.shift();
      const { generation, sequence } = commit;
      generation.durableCount = commit.endEntry;
      generation.lastSequence = sequence;
      this.#lastSequence = sequence;
      this.#queuedBytes -= commit.end - commit.entriesStart;
      this.#deps.highWater.note("journal", { sequence, wallMs, recent });
      commit.settled.resolve();
    }
    this.#committing = undefined;
  }

  async #commit(commit: Commit, wallMs: number, recent: InstantRange): Promise<void> {
    const { generation, slab, start, hasFileHead, sequence } = commit;
    if (hasFileHead) {
      const head = newFileHead(generation.ordinal, sequence, wallMs);
      putFileHead(slab.bytes.subarray(start, start + fileHeadBytes), head);
      generation.tail = { position: 0, seed: seedOf(head) };
    }
    const tail = generation.tail!;
    const end = aligned(commit.end);
    slab.bytes.fill(0, commit.end, end);
    const head = {
      sequence,
      wallMs,
      own: commit.instants,
      recent,
      entries: commit.endEntry - commit.firstEntry,
      length: commit.end - commit.entriesStart,
    };
    putRecordHead(slab.bytes, slab.view, commit.entriesStart - recordHeadBytes, head, tail.seed);
    const file = await generation.file;
    await file.commit(slab.bytes.subarray(start, end), tail.position);
    generation.tail = { position: tail.position + end - start, seed: tail.seed };
  }

  #fail(failure: StoreError): void {
    this.#failure = failure;
    this.#open = undefined;
    this.#queuedBytes = 0;
    for (const lost of this.#queue.splice(0)) lost.settled.reject(failure);
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
