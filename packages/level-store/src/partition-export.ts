import {
  type Fragment,
  fragmentFromSamples,
  murmur3,
  type Partition,
  type Sample,
  type SeriesColumn,
} from "@mon/store";
import type { BlockDecoder } from "./block-decoder.ts";
import { firstFrom } from "./block-walk.ts";
import type { Database } from "./database.ts";
import { FragmentList } from "./fragment-list.ts";
import type { Head } from "./head.ts";
import { blockEnd } from "./host-blocks.ts";
import { BlockReads, recordsOfPartition } from "./stored-block.ts";

/** What an export needs. */
export interface ExportDeps {
  readonly database: Database;
  readonly head: Head;
  readonly decoder: BlockDecoder;
  readonly maxSliceSamples: number;
  /** Told of what cannot be read. */
  readonly onDamage: (reason: string) => void;
}

/**
 * Fragments that hold all of a partition, by instant: those in memory as they were written, each once; for what is in
 * chunks one made anew for each instant.
 */
export async function* exportPartition(deps: ExportDeps, partition: Partition): AsyncGenerator<Fragment> {
  const { database, decoder, maxSliceSamples, onDamage } = deps;
  const { hostId, blockStartMs } = partition;
  const range = { startMs: blockStartMs, endMs: blockEnd(blockStartMs) };
  const snapshot = database.snapshot();
  const head = deps.head.fragmentsOf(hostId, range.startMs, range.endMs);
  const reads = new BlockReads({ decoder, wants: () => true, maxSliceSamples });
  try {
    const records = await recordsOfPartition(database, partition, onDamage, snapshot);
    const written = writtenFragments(hostId, head.list);
    let next = written.next();
    for await (const { columns, damage } of reads.read({ records, head: noFragments }, range)) {
      for (const reason of damage) onDamage(reason);
      for (const fragment of madeFragments(hostId, columns)) {
        for (; next.done !== true && next.value.timestampMs < fragment.timestampMs; next = written.next()) {
          yield next.value;
        }
        yield fragment;
      }
    }
    for (; next.done !== true; next = written.next()) yield next.value;
  } finally {
    reads.close();
    head.release();
    await snapshot.close();
  }
}

const noFragments = new FragmentList({
  timestampsMs: new Float64Array(0),
  slabs: [],
  places: new Uint32Array(0),
});

/** Fragments in memory, each once, with bytes that are the caller's. */
function* writtenFragments(hostId: string, fragments: FragmentList): Generator<Fragment> {
  const seen = new Set<string>();
  let instantMs = Number.NaN;
  for (const [index, timestampMs] of fragments.timestampsMs.entries()) {
    if (timestampMs !== instantMs) seen.clear();
    instantMs = timestampMs;
    const bytes = fragments.bytesAt(index).slice();
    const { high, low } = murmur3(bytes);
    const id = `${high}/${low}`;
    if (seen.has(id)) continue;
    seen.add(id);
    yield { hostId, timestampMs, idHigh: high, idLow: low, bytes };
  }
}

/** A fragment for each instant of columns, in order. */
function* madeFragments(hostId: string, columns: readonly SeriesColumn[]): Generator<Fragment> {
  const instants = new Set<number>();
  for (const { timestampsMs } of columns) for (const timestampMs of timestampsMs) instants.add(timestampMs);
  for (const timestampMs of [...instants].sort((a, b) => a - b)) {
    const samples = columns.flatMap((column) => sampleAt(column, timestampMs) ?? []);
    yield fragmentFromSamples(hostId, timestampMs, samples);
  }
}

function sampleAt(
  { series, timestampsMs, values, flags }: SeriesColumn,
  timestampMs: number,
): Sample | undefined {
  const index = firstFrom(timestampsMs, timestampMs);
  if (timestampsMs[index] !== timestampMs) return undefined;
  const value = values[index]!;
  const sample = { ...series, value, flags: flags[index]! };
  if (!Number.isNaN(value)) return sample;
  const words = new Uint32Array(values.buffer, values.byteOffset + 8 * index, 2);
  return { ...sample, nan: { high: words[1]!, low: words[0]! } };
}
