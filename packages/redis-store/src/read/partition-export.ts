import {
  type Fragment,
  fragmentFromSamples,
  type Partition,
  type Sample,
  type SeriesColumn,
} from "@mon/store";
import { columnsOf, foldColumns, readBlock } from "./block-contents.ts";
import { firstFrom } from "./cut-columns.ts";
import type { HostReadDeps } from "./host-read-deps.ts";

/**
 * Fragments that hold all of a partition, by instant: those that are there as they were written, and for what is packed
 * one made anew for each instant. A block of a host is held in memory meanwhile.
 *
 * @throws {StoreError} STORE_CHUNK_INVALID when a chunk is damaged, STORE_UNAVAILABLE
 */
export async function* exportPartition(deps: HostReadDeps, partition: Partition): AsyncGenerator<Fragment> {
  const { fragments, chunks } = await readBlock(deps, partition);
  const columns = foldColumns(columnsOf(chunks));
  let next = 0;
  for (const made of madeFragments(partition.hostId, columns)) {
    while (next < fragments.length && fragments[next]!.timestampMs < made.timestampMs)
      yield fragments[next++]!;
    yield made;
  }
  while (next < fragments.length) yield fragments[next++]!;
}

/** A fragment for each instant of columns, in order. */
function* madeFragments(hostId: string, columns: readonly SeriesColumn[]): Generator<Fragment> {
  const instants = new Set<number>();
  for (const { timestampsMs } of columns) for (const timestampMs of timestampsMs) instants.add(timestampMs);
  for (const timestampMs of [...instants].sort((a, b) => a - b)) {
    yield fragmentFromSamples(
      hostId,
      timestampMs,
      columns.flatMap((column) => sampleAt(column, timestampMs)),
    );
  }
}

function sampleAt({ series, timestampsMs, values, flags }: SeriesColumn, timestampMs: number): Sample[] {
  const index = firstFrom(timestampsMs, timestampMs);
  if (timestampsMs[index] !== timestampMs) return [];
  const sample = { ...series, value: values[index]!, flags: flags[index]! };
  if (!Number.isNaN(sample.value)) return [sample];
  // A number may lose the payload of a NaN.
  const words = new Uint32Array(values.buffer, values.byteOffset + 8 * index, 2);
  return [{ ...sample, nan: { high: words[1]!, low: words[0]! } }];
}
