import type { ColumnSlice, ReadRequest, TimeRange } from "@mon/store";
import type { BlockDecoder, ReadStretch } from "./block-decoder.ts";
import { BlockWalk, type WalkStep } from "./block-walk.ts";
import { describeLoss, type Loss, touches } from "./damage.ts";
import type { Database, Snapshot } from "./database.ts";
import type { Head, HeadFragments } from "./head.ts";
import { blockEnd, HostBlocks } from "./host-blocks.ts";
import { BlockReads, recordsOfPartition } from "./stored-block.ts";

/** What a read needs. */
export interface ReadDeps {
  readonly database: Database;
  readonly head: Head;
  readonly decoder: BlockDecoder;
  readonly losses: readonly Loss[];
  readonly maxSliceSamples: number;
  /** Told of what cannot be read. */
  readonly complain: (complaint: string) => void;
}

/** Complaints that one slice lists at most; one more says how many there were. */
const missingLimit = 20;

/**
 * Reads the columns of one host from one snapshot (R15), and what is in memory of it at the same moment: a slice for
 * each block that has data, several when a block has more samples than a slice may. What cannot be read is named in the
 * slice where it would have been. While a block is consumed the next is fetched and decoded, and no more than that.
 */
export async function* readColumns(deps: ReadDeps, request: ReadRequest): AsyncGenerator<ColumnSlice> {
  const read = new HostRead(deps, request);
  try {
    yield* read.slices();
  } finally {
    await read.close();
  }
}

/** A block that has been fetched, and is being decoded. */
interface FetchedBlock {
  readonly range: TimeRange;
  /** What could not be fetched. */
  readonly damage: readonly string[];
  readonly stretches: Iterable<ReadStretch> | AsyncIterable<ReadStretch>;
  /** Where the walk goes on. */
  readonly after: WalkStep;
}

class HostRead {
  readonly #deps: ReadDeps;
  readonly #request: ReadRequest;
  readonly #snapshot: Snapshot;
  readonly #head: HeadFragments;
  readonly #walk: BlockWalk;
  readonly #reads: BlockReads;
  /** The block after the one that is consumed. */
  #ahead: Promise<FetchedBlock> | undefined;
  #sliceStartMs: number;
  #missing: string[] = [];

  constructor(deps: ReadDeps, request: ReadRequest) {
    const { database, decoder, maxSliceSamples } = deps;
    const { hostId, startMs, endMs, signal, wants = () => true } = request;
    this.#deps = deps;
    this.#request = request;
    this.#snapshot = database.snapshot();
    // In the turn of the snapshot: a generation leaves the head only after its chunks have come.
    this.#head = deps.head.fragmentsOf(hostId, startMs, endMs);
    const headMs = this.#head.list.timestampsMs;
    const walkDeps = { database, snapshot: this.#snapshot, blocks: new HostBlocks(hostId), headMs };
    this.#walk = new BlockWalk(walkDeps, startMs, endMs);
    this.#sliceStartMs = this.#walk.startMs;
    this.#reads = new BlockReads({ decoder, wants, maxSliceSamples, signal });
  }

  async *slices(): AsyncGenerator<ColumnSlice> {
    this.#fetchAhead(this.#walk.first());
    while (this.#ahead !== undefined) {
      const { range, damage, stretches, after } = await this.#ahead;
      this.#assertWanted();
      this.#fetchAhead(after.blockStartMs);
      this.#note(damage);
      for await (const stretch of stretches) {
        this.#assertWanted();
        this.#note(stretch.damage);
        if (stretch.columns.length === 0 && stretch.endMs < range.endMs) continue;
        yield* this.#sliceTo(stretch.endMs, stretch);
      }
      if (after.unreadable !== undefined) this.#note([after.unreadable]);
      const skippedEnd = Math.min((after.blockStartMs ?? Number.POSITIVE_INFINITY) - 1, this.#walk.endMs);
      if (skippedEnd >= this.#sliceStartMs) yield* this.#sliceTo(skippedEnd, nothing);
    }
  }

  #fetchAhead(blockStartMs: number | undefined): void {
    this.#ahead = blockStartMs === undefined ? undefined : this.#fetch(blockStartMs);
    // Whoever stops early does not hear of it.
    this.#ahead?.catch(() => {});
  }

  async #fetch(blockStartMs: number): Promise<FetchedBlock> {
    const damage: string[] = [];
    const partition = { hostId: this.#request.hostId, blockStartMs };
    const onDamage = (reason: string): void => {
      damage.push(reason);
    };
    const records = await recordsOfPartition(this.#deps.database, partition, onDamage, this.#snapshot);
    this.#assertWanted();
    const range = {
      startMs: Math.max(blockStartMs, this.#walk.startMs),
      endMs: Math.min(blockEnd(blockStartMs), this.#walk.endMs),
    };
    const isEmpty =
      records.ends.length === 0 && this.#head.list.within(range.startMs, range.endMs).length === 0;
    const stretches = this.#reads.read({ records, head: this.#head.list }, range);
    return { range, damage, stretches, after: await this.#walk.after(blockStartMs, isEmpty) };
  }

  /** @throws the signal's reason */
  #assertWanted(): void {
    this.#request.signal?.throwIfAborted();
  }

  #note(damage: readonly string[]): void {
    for (const reason of damage) {
      this.#missing.push(reason);
      this.#deps.complain(reason);
    }
  }

  /** The slice that ends at an instant, unless there is nothing to say of it. */
  *#sliceTo(
    endMs: number,
    { columns, conflicts }: Pick<ColumnSlice, "columns" | "conflicts">,
  ): Generator<ColumnSlice> {
    const missing = this.#missing;
    const startMs = this.#sliceStartMs;
    for (const loss of this.#deps.losses) if (touches(loss, startMs, endMs)) missing.push(describeLoss(loss));
    this.#missing = [];
    this.#sliceStartMs = endMs + 1;
    if (columns.length > 0 || missing.length > 0) {
      yield { startMs, endMs, columns, conflicts, missing: bounded(missing) };
    }
  }

  async close(): Promise<void> {
    // It uses the snapshot.
    await this.#ahead?.catch(() => {});
    this.#reads.close();
    this.#head.release();
    await this.#snapshot.close();
  }
}

const nothing = { columns: [], conflicts: 0 };

function bounded(missing: readonly string[]): readonly string[] {
  if (missing.length <= missingLimit) return missing;
  return [...missing.slice(0, missingLimit), `and ${missing.length - missingLimit} more`];
}
