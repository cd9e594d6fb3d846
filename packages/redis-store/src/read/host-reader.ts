import { setImmediate as nextTurn } from "node:timers/promises";
import {
  blockMs,
  type Chunk,
  ColumnBuilder,
  type ColumnSlice,
  mergeColumns,
  type ReadRequest,
  type Series,
  type SeriesColumn,
  StoreError,
  seriesKey,
  sliceSamplesMax,
  type TimeRange,
} from "@mon/store";
import { HostBuckets } from "../keys/host-buckets.ts";
import { type ChunkPlace, ChunkReader } from "./chunk-reader.ts";
import { cutColumns } from "./cut-columns.ts";
import { type FragmentPlace, FragmentReader } from "./fragment-reader.ts";
import type { HostReadDeps } from "./host-read-deps.ts";

/** The times that a `Date` can hold, in milliseconds to either side of the epoch. */
const timeMsMax = 8.64e15;
/** Blocks that are looked at at once, and buckets in them: a day of one host. */
const blocksPerWindow = 24;
const bucketsPerWindow = 4_096;
/** Fragments fetched and decoded at once, but for those of one instant. */
const fragmentsPerStretch = 1_024;
/** How often a stretch is read again because it was packed meanwhile (R15). */
const attemptsMax = 8;
/** Samples decoded in one turn of the event loop. */
const samplesPerTurn = 8_192;

/** A stretch of time and what is to be read of it. */
interface Stretch extends TimeRange {
  /** Blocks that overlap it. */
  readonly blocks: readonly number[];
  readonly fragments: readonly FragmentPlace[];
}

/**
 * Reads the columns of one host: the index, then fragments, then chunks (R15). A fragment that is gone by the time it is
 * asked for has been packed, and the chunk that has it is listed afterwards; a chunk that is gone has been packed with
 * others, and its stretch is read again.
 */
export async function* readHost(deps: HostReadDeps, request: ReadRequest): AsyncGenerator<ColumnSlice> {
  const { hostId, signal } = request;
  const startMs = Math.max(Math.ceil(request.startMs), -timeMsMax);
  const endMs = Math.min(Math.floor(request.endMs), timeMsMax);
  if (!(startMs <= endMs)) return;
  const wanted = remembering(request.wants ?? (() => true));
  const buckets = new HostBuckets(hostId, 1);
  const fragments = new FragmentReader(deps, hostId, signal);
  const chunks = new ChunkReader(deps, hostId, signal);
  const starts = await fragments.buckets(buckets.blockOf(startMs), endMs);
  for (const window of windowsOf(starts, buckets)) {
    const range = {
      startMs: Math.max(startMs, window.blocks[0]!),
      endMs: Math.min(endMs, window.blocks.at(-1)! + blockMs - 1),
    };
    const places = await fragments.list(window.buckets, range);
    for (const stretch of stretchesOf(places, window.blocks, range)) {
      const { columns, conflicts, missing } = await readStretch(fragments, chunks, stretch, wanted, signal);
      let rest = conflicts;
      let left = missing;
      for (const part of cutColumns(columns, stretch, sliceSamplesMax)) {
        signal?.throwIfAborted();
        yield { ...part, conflicts: rest, missing: left };
        rest = 0;
        left = [];
      }
      if (left.length > 0)
        yield { startMs: stretch.startMs, endMs: stretch.endMs, columns: [], conflicts: 0, missing: left };
    }
  }
}

/** Asks once for each series. */
function remembering(wants: (series: Series) => boolean): (key: string, series: Series) => boolean {
  const answers = new Map<string, boolean>();
  return (key, series) => {
    let answer = answers.get(key);
    if (answer === undefined) {
      answer = wants(series);
      answers.set(key, answer);
    }
    return answer;
  };
}

/** Blocks, in order, that are looked at at once, and their buckets. */
interface Window {
  readonly blocks: number[];
  readonly buckets: number[];
}

function windowsOf(starts: readonly number[], host: HostBuckets): Window[] {
  const windows: Window[] = [];
  let window: Window | undefined;
  for (const start of starts) {
    const block = host.blockOf(start);
    const isNew = window === undefined || window.blocks.at(-1) !== block;
    if (
      window === undefined ||
      (isNew && (window.blocks.length === blocksPerWindow || window.buckets.length >= bucketsPerWindow))
    ) {
      window = { blocks: [], buckets: [] };
      windows.push(window);
    }
    if (isNew || window.blocks.length === 0) window.blocks.push(block);
    window.buckets.push(start);
  }
  return windows;
}

/** Cuts a range so that each part has about so many fragments; each part's end is an instant before the next's start. */
function* stretchesOf(
  places: readonly FragmentPlace[],
  blocks: readonly number[],
  range: TimeRange,
): Generator<Stretch> {
  const within = (startMs: number, endMs: number): number[] =>
    blocks.filter((block) => block <= endMs && block + blockMs > startMs);
  let begin = 0;
  let { startMs } = range;
  while (places.length - begin > fragmentsPerStretch) {
    let end = begin + fragmentsPerStretch;
    while (end < places.length && places[end]!.timestampMs === places[end - 1]!.timestampMs) end++;
    if (end === places.length) break;
    const endMs = places[end]!.timestampMs - 1;
    yield { startMs, endMs, blocks: within(startMs, endMs), fragments: places.slice(begin, end) };
    startMs = endMs + 1;
    begin = end;
  }
  yield {
    startMs,
    endMs: range.endMs,
    blocks: within(startMs, range.endMs),
    fragments: places.slice(begin),
  };
}

/** The folded columns of a stretch. */
interface StretchColumns {
  readonly columns: readonly SeriesColumn[];
  readonly conflicts: number;
  readonly missing: readonly string[];
}

async function readStretch(
  fragments: FragmentReader,
  chunks: ChunkReader,
  stretch: Stretch,
  wanted: (key: string, series: Series) => boolean,
  signal: AbortSignal | undefined,
): Promise<StretchColumns> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const bodies = await fragments.fetch(stretch.fragments);
    const places = await chunks.list(stretch.blocks);
    const missing: string[] = [];
    const wants = (series: Series): boolean => wanted(seriesKey(series), series);
    const found = await chunks.fetch(places, stretch, wants, ({ blockStartMs }, error) => {
      missing.push(`a chunk of the block at ${blockStartMs}: ${error.message}`);
    });
    if (found === undefined) continue;
    return decodeStretch(stretch, bodies, found, { wanted, missing, signal });
  }
  throw new StoreError(
    "STORE_UNAVAILABLE",
    `expected the chunks of a host to stay for a read, got ${attemptsMax} times others`,
  );
}

interface DecodeOptions {
  readonly wanted: (key: string, series: Series) => boolean;
  /** What is missing already; what cannot be decoded is added. */
  readonly missing: string[];
  readonly signal: AbortSignal | undefined;
}

async function decodeStretch(
  stretch: Stretch,
  bodies: readonly (Uint8Array | null)[],
  chunks: readonly { readonly place: ChunkPlace; readonly chunk: Chunk }[],
  { wanted, missing, signal }: DecodeOptions,
): Promise<StretchColumns> {
  const parts = new Map<string, SeriesColumn[]>();
  const add = (column: SeriesColumn): void => {
    if (column.timestampsMs.length === 0) return;
    const key = seriesKey(column.series);
    const known = parts.get(key);
    if (known === undefined) parts.set(key, [column]);
    else known.push(column);
  };
  let turnSamples = 0;
  const rest = async (): Promise<void> => {
    turnSamples = 0;
    await nextTurn();
    signal?.throwIfAborted();
  };
  for (const { chunk, place } of chunks) {
    for (const [index, series] of chunk.series.entries()) {
      if (!wanted(seriesKey(series), series)) continue;
      try {
        const column = chunk.column(index, stretch);
        turnSamples += 64 + column.timestampsMs.length;
        add(column);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        missing.push(`${seriesKey(series)} in the block at ${place.blockStartMs}: ${error.message}`);
      }
      if (turnSamples >= samplesPerTurn) await rest();
    }
  }
  const builder = new ColumnBuilder((series) => wanted(seriesKey(series), series));
  let next = builder.samples + samplesPerTurn - turnSamples;
  for (const [i, { timestampMs }] of stretch.fragments.entries()) {
    const bytes = bodies[i];
    if (bytes === null || bytes === undefined) continue;
    try {
      builder.add(timestampMs, bytes);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      missing.push(`a fragment at ${timestampMs}: ${error.message}`);
    }
    if (builder.samples < next) continue;
    await rest();
    next = builder.samples + samplesPerTurn;
  }
  for (const column of builder.take()) add(column);
  let { conflicts } = builder;
  const columns: SeriesColumn[] = [];
  for (const same of parts.values()) {
    if (same.length === 1) columns.push(same[0]!);
    else {
      const merged = mergeColumns(same);
      conflicts += merged.conflicts;
      columns.push(merged.column);
    }
  }
  return { columns, conflicts, missing };
}
