import type { ColumnSlice, ReadRequest } from "@mon/store";
import { type BlockReadOptions, readBlock } from "./block-reader.ts";
import { BlockWalk } from "./block-walk.ts";
import { describeLoss, type Loss, touches } from "./damage.ts";
import type { Database } from "./database.ts";
import type { Head } from "./head.ts";
import { blockEnd, HostBlocks } from "./host-blocks.ts";
import { chunksOf } from "./stored-chunk.ts";

/** What a read needs. */
export interface ReadDeps {
  readonly database: Database;
  readonly head: Head;
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
 * slice where it would have been.
 */
export async function* readColumns(deps: ReadDeps, request: ReadRequest): AsyncGenerator<ColumnSlice> {
  const { database, losses, maxSliceSamples, complain } = deps;
  const { hostId, signal } = request;
  const snapshot = database.snapshot();
  // In the turn of the snapshot: a generation leaves the head only after its chunks have come.
  const head = deps.head.fragmentsOf(hostId, request.startMs, request.endMs);
  try {
    const blocks = new HostBlocks(hostId);
    const walkDeps = { database, snapshot, blocks, headMs: head.timestampsMs };
    const walk = new BlockWalk(walkDeps, request.startMs, request.endMs);
    let sliceStartMs = walk.startMs;
    let missing: string[] = [];
    const onDamage = (reason: string): void => {
      missing.push(reason);
      complain(reason);
    };
    const options: BlockReadOptions = {
      wants: request.wants ?? (() => true),
      maxSliceSamples,
      signal,
      onDamage,
    };
    const sliceTo = (endMs: number, columns: ColumnSlice["columns"], conflicts: number): ColumnSlice => {
      for (const loss of losses) if (touches(loss, sliceStartMs, endMs)) missing.push(describeLoss(loss));
      const slice = { startMs: sliceStartMs, endMs, columns, conflicts, missing: bounded(missing) };
      missing = [];
      sliceStartMs = endMs + 1;
      return slice;
    };
    let blockStartMs = walk.first();
    while (blockStartMs !== undefined) {
      signal?.throwIfAborted();
      const stored = await chunksOf(database, { hostId, blockStartMs }, onDamage, snapshot);
      const source = { chunks: stored.map(({ chunk }) => chunk), head };
      const range = { startMs: sliceStartMs, endMs: Math.min(blockEnd(blockStartMs), walk.endMs) };
      let wasEmpty = true;
      for await (const { endMs, columns, conflicts } of readBlock(source, range, options)) {
        signal?.throwIfAborted();
        if (columns.length > 0) wasEmpty = false;
        else if (endMs < range.endMs) continue;
        const slice = sliceTo(endMs, columns, conflicts);
        if (slice.columns.length > 0 || slice.missing.length > 0) yield slice;
      }
      const step = await walk.after(blockStartMs, wasEmpty && stored.length === 0);
      if (step.unreadable !== undefined) onDamage(step.unreadable);
      const skippedEnd = Math.min((step.blockStartMs ?? Number.POSITIVE_INFINITY) - 1, walk.endMs);
      if (skippedEnd >= sliceStartMs) {
        const skipped = sliceTo(skippedEnd, [], 0);
        if (skipped.missing.length > 0) yield skipped;
      }
      blockStartMs = step.blockStartMs;
    }
  } finally {
    head.release();
    await snapshot.close();
  }
}

function bounded(missing: readonly string[]): readonly string[] {
  if (missing.length <= missingLimit) return missing;
  return [...missing.slice(0, missingLimit), `and ${missing.length - missingLimit} more`];
}
