import {
  blockMs,
  type Fragment,
  mergeColumns,
  type Partition,
  type SeriesColumn,
  StoreError,
  seriesKey,
} from "@mon/store";
import { ChunkReader, type FoundChunk } from "./chunk-reader.ts";
import { type FragmentPlace, FragmentReader } from "./fragment-reader.ts";
import type { HostReadDeps } from "./host-read-deps.ts";

/** Fragments fetched in one round trip. */
const fragmentsPerPage = 1_024;
/** How often a block is read again because it was packed meanwhile. */
const attemptsMax = 8;

/** All that a block holds. */
export interface BlockContents {
  /** Starts of the buckets that the index has. */
  readonly buckets: readonly number[];
  /** By instant and id. */
  readonly fragments: readonly Fragment[];
  /** Where each of them is. */
  readonly places: readonly FragmentPlace[];
  readonly chunks: readonly FoundChunk[];
}

/**
 * Reads all of a block: the index, then fragments, then chunks (R15).
 *
 * @throws {StoreError} STORE_CHUNK_INVALID, STORE_VERSION_UNKNOWN, STORE_UNAVAILABLE
 */
export async function readBlock(
  deps: HostReadDeps,
  { hostId, blockStartMs }: Partition,
): Promise<BlockContents> {
  const reader = new FragmentReader(deps, hostId);
  const chunkReader = new ChunkReader(deps, hostId);
  const range = { startMs: blockStartMs, endMs: blockStartMs + blockMs - 1 };
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const buckets = await reader.buckets(range.startMs, range.endMs);
    if (buckets.length === 0) return { buckets, fragments: [], places: [], chunks: [] };
    const listed = await reader.list(buckets, range);
    const fragments: Fragment[] = [];
    const places: FragmentPlace[] = [];
    for (let begin = 0; begin < listed.length; begin += fragmentsPerPage) {
      const page = listed.slice(begin, begin + fragmentsPerPage);
      for (const [i, bytes] of (await reader.fetch(page)).entries()) {
        if (bytes === null) continue;
        const { timestampMs, idHigh, idLow } = page[i]!;
        fragments.push({ hostId, timestampMs, idHigh, idLow, bytes });
        places.push(page[i]!);
      }
    }
    const chunks = await chunkReader.fetch(await chunkReader.list([blockStartMs]), range, () => true);
    if (chunks !== undefined) return { buckets, fragments, places, chunks };
  }
  throw new StoreError(
    "STORE_UNAVAILABLE",
    `expected the chunks of a block to stay for a read, got ${attemptsMax} times others`,
  );
}

/** Columns of one series each, folded into one for each series (R4), by series key. */
export function foldColumns(columns: Iterable<SeriesColumn>): SeriesColumn[] {
  const parts = new Map<string, SeriesColumn[]>();
  for (const column of columns) {
    const key = seriesKey(column.series);
    const known = parts.get(key);
    if (known === undefined) parts.set(key, [column]);
    else known.push(column);
  }
  return [...parts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, same]) => (same.length === 1 ? same[0]! : mergeColumns(same).column));
}

/** All columns of some chunks. @throws {StoreError} STORE_CHUNK_INVALID */
export function* columnsOf(chunks: readonly FoundChunk[]): Generator<SeriesColumn> {
  for (const { chunk } of chunks) for (const index of chunk.series.keys()) yield chunk.column(index);
}
