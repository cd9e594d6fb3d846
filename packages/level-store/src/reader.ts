import { ColumnBuilder, type ColumnSlice, type ReadRequest } from "@mon/store";
import { BlockWalk } from "./block-walk.ts";
import { describeLost, type LostBatches, touches } from "./damage.ts";
import type { Database } from "./database.ts";
import type { FragmentKeys } from "./fragment-key.ts";
import { blockEnd, scanFragments } from "./fragment-scan.ts";

/** What a read needs. */
export interface ReadDeps {
  readonly database: Database;
  readonly lost: readonly LostBatches[];
  readonly maxSliceSamples: number;
  /** Told of what cannot be read. */
  readonly complain: (complaint: string) => void;
}

/** Complaints that one slice lists at most; one more says how many there were. */
const missingLimit = 20;

/**
 * Reads the columns of one host from one snapshot (R15): a slice for each block that has data, several when a block has
 * more samples than a slice may. What cannot be read is named in the slice where it would have been.
 */
export async function* readColumns(
  { database, lost, maxSliceSamples, complain }: ReadDeps,
  keys: FragmentKeys,
  request: ReadRequest,
): AsyncGenerator<ColumnSlice> {
  const snapshot = database.snapshot();
  const walk = new BlockWalk(database, keys, snapshot, request.startMs, request.endMs);
  const builder = new ColumnBuilder(request.wants ?? (() => true));
  let sliceStartMs = walk.startMs;
  let missing: string[] = [];
  const onDamage = (reason: string): void => {
    missing.push(reason);
    complain(reason);
  };
  const take = (endMs: number): ColumnSlice => {
    for (const batches of lost) {
      if (touches(batches, sliceStartMs, endMs)) missing.push(describeLost(batches));
    }
    const slice = {
      startMs: sliceStartMs,
      endMs,
      columns: builder.take(),
      conflicts: builder.conflicts,
      missing: bounded(missing),
    };
    builder.conflicts = 0;
    builder.samples = 0;
    missing = [];
    sliceStartMs = endMs + 1;
    return slice;
  };
  try {
    let blockStartMs = walk.first();
    while (blockStartMs !== undefined) {
      let timestampMs = Number.NEGATIVE_INFINITY;
      for await (const fragments of scanFragments(database, walk.keysOf(blockStartMs), onDamage, snapshot)) {
        request.signal?.throwIfAborted();
        for (const fragment of fragments) {
          if (builder.samples >= maxSliceSamples && fragment.timestampMs > timestampMs)
            yield take(timestampMs);
          timestampMs = fragment.timestampMs;
          builder.add(timestampMs, fragment.bytes);
        }
      }
      request.signal?.throwIfAborted();
      const wasEmpty = timestampMs === Number.NEGATIVE_INFINITY;
      const end = Math.min(blockEnd(blockStartMs), walk.endMs);
      const slice = take(end);
      if (slice.columns.length > 0 || slice.missing.length > 0) yield slice;
      const step = await walk.after(blockStartMs, wasEmpty);
      if (step.unreadable !== undefined) onDamage(step.unreadable);
      const skippedEnd = Math.min((step.blockStartMs ?? Number.POSITIVE_INFINITY) - 1, walk.endMs);
      if (skippedEnd >= sliceStartMs) {
        const skipped = take(skippedEnd);
        if (skipped.missing.length > 0) yield skipped;
      }
      blockStartMs = step.blockStartMs;
    }
  } finally {
    await snapshot.close();
  }
}

function bounded(missing: readonly string[]): readonly string[] {
  if (missing.length <= missingLimit) return missing;
  return [...missing.slice(0, missingLimit), `and ${missing.length - missingLimit} more`];
}
