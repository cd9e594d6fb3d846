import {
  type Chunk,
  ColumnBuilder,
  mergeColumns,
  type Series,
  type SeriesColumn,
  StoreError,
  seriesKey,
  type TimeRange,
} from "@mon/store";
import { firstFrom } from "./block-walk.ts";
import type { FragmentList } from "./fragment-list.ts";

/** What a host has of one block, or a stretch of it. */
export interface BlockSource {
  readonly chunks: readonly Chunk[];
  readonly head: FragmentList;
}

/** Columns of a stretch. */
export interface Stretch extends TimeRange {
  readonly columns: readonly SeriesColumn[];
  readonly conflicts: number;
}

/** What reading a block needs. */
export interface BlockReadOptions {
  /** Asked once for each series and part. */
  readonly wants: (series: Series) => boolean;
  readonly maxSliceSamples: number;
  readonly onDamage: (reason: string) => void;
}

/** How many slices are decoded at once: a column of a chunk is read from its beginning each time. */
const slicesPerPart = 4;

/**
 * Reads a stretch of a block: columns of its chunks and of fragments in memory, folded (R4). In parts of about so many
 * samples, so that memory is bounded, each cut into stretches of at most `maxSliceSamples`, but for the samples of one
 * instant. The last stretch ends with the range.
 */
export function* readBlock(
  source: BlockSource,
  range: TimeRange,
  options: BlockReadOptions,
): Generator<Stretch, void, void> {
  for (const part of partsOf(source, range, slicesPerPart * options.maxSliceSamples)) {
    const { columns, conflicts } = columnsOf(source, part, options);
    yield* cut(columns, conflicts, part, options.maxSliceSamples);
  }
}

/** Equal parts of a range, so many that each has about as many samples as it may, if they are spread evenly. */
function partsOf({ chunks, head }: BlockSource, range: TimeRange, maxSamples: number): TimeRange[] {
  let samples = 0;
  for (const chunk of chunks) {
    const overlap = Math.min(chunk.endMs, range.endMs) - Math.max(chunk.startMs, range.startMs) + 1;
    samples += (chunk.samples * Math.max(overlap, 0)) / (chunk.endMs - chunk.startMs + 1);
  }
  const inHead = head.within(range.startMs, range.endMs);
  for (let i = 0; i < inHead.length; i++) samples += inHead.lengthAt(i) / bytesPerSample;
  const count = Math.ceil(samples / maxSamples);
  const stepMs = Math.ceil((range.endMs - range.startMs + 1) / count);
  const parts: TimeRange[] = [];
  for (let startMs = range.startMs; startMs <= range.endMs; startMs += stepMs) {
    parts.push({ startMs, endMs: Math.min(startMs + stepMs - 1, range.endMs) });
  }
  return parts;
}

/** Bytes of a sample in a fragment, about. */
const bytesPerSample = 27;

/** The folded columns of a range. */
function columnsOf(
  { chunks, head }: BlockSource,
  range: TimeRange,
  { wants, onDamage }: BlockReadOptions,
): { columns: SeriesColumn[]; conflicts: number } {
  const parts = new Map<string, SeriesColumn[]>();
  const wanted = new Map<string, boolean>();
  const isWanted = (series: Series, key: string): boolean => {
    const known = wanted.get(key);
    if (known !== undefined) return known;
    const answer = wants(series);
    wanted.set(key, answer);
    return answer;
  };
  const add = (key: string, column: SeriesColumn): void => {
    if (column.timestampsMs.length === 0) return;
    const known = parts.get(key);
    if (known === undefined) parts.set(key, [column]);
    else known.push(column);
  };
  for (const chunk of chunks) {
    if (chunk.startMs > range.endMs || chunk.endMs < range.startMs) continue;
    for (const [index, series] of chunk.series.entries()) {
      const key = seriesKey(series);
      if (!isWanted(series, key)) continue;
      try {
        add(key, chunk.column(index, range));
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        onDamage(`${key}: ${error.message}`);
      }
    }
  }
  const builder = new ColumnBuilder((series) => isWanted(series, seriesKey(series)));
  const fragments = head.within(range.startMs, range.endMs);
  for (let i = 0; i < fragments.length; i++) builder.add(fragments.timestampsMs[i]!, fragments.bytesAt(i));
  for (const column of builder.take()) add(seriesKey(column.series), column);
  let conflicts = builder.conflicts;
  const columns = [...parts.values()].map((series) => {
    if (series.length === 1) return series[0]!;
    const merged = mergeColumns(series);
    conflicts += merged.conflicts;
    return merged.column;
  });
  return { columns, conflicts };
}

/** Cuts columns between instants, so that no stretch has more samples than it may. */
function* cut(
  columns: readonly SeriesColumn[],
  conflicts: number,
  range: TimeRange,
  maxSamples: number,
): Generator<Stretch> {
  let { startMs } = range;
  let left = columns;
  let leftConflicts = conflicts;
  while (samplesOf(left) > maxSamples) {
    const endMs = cutAfter(left, maxSamples);
    if (endMs >= range.endMs) break;
    const taken = left.flatMap((column) => partOf(column, 0, firstFrom(column.timestampsMs, endMs + 1)));
    left = left.flatMap((column) =>
      partOf(column, firstFrom(column.timestampsMs, endMs + 1), column.timestampsMs.length),
    );
    yield { startMs, endMs, columns: taken, conflicts: leftConflicts };
    leftConflicts = 0;
    startMs = endMs + 1;
  }
  yield { startMs, endMs: range.endMs, columns: left, conflicts: leftConflicts };
}

function samplesOf(columns: readonly SeriesColumn[]): number {
  let samples = 0;
  for (const { timestampsMs } of columns) samples += timestampsMs.length;
  return samples;
}

/** The last instant up to which there are at most so many samples; the first instant when it has more. */
function cutAfter(columns: readonly SeriesColumn[], maxSamples: number): number {
  let low = Math.min(...columns.map(({ timestampsMs }) => timestampsMs[0]!));
  let high = Math.max(...columns.map(({ timestampsMs }) => timestampsMs.at(-1)!));
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    let samples = 0;
    for (const { timestampsMs } of columns) samples += firstFrom(timestampsMs, middle + 1);
    if (samples <= maxSamples) low = middle;
    else high = middle - 1;
  }
  return low;
}

function partOf(
  { series, timestampsMs, values, flags }: SeriesColumn,
  from: number,
  to: number,
): SeriesColumn[] {
  if (from === to) return [];
  if (from === 0 && to === timestampsMs.length) return [{ series, timestampsMs, values, flags }];
  return [
    {
      series,
      timestampsMs: timestampsMs.slice(from, to),
      values: values.slice(from, to),
      flags: flags.slice(from, to),
    },
  ];
}
