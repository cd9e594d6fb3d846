import type { SeriesColumn, TimeRange } from "@mon/store";

/** Columns of a stretch of time. */
export interface CutColumns extends TimeRange {
  readonly columns: readonly SeriesColumn[];
}

/** Cuts columns between instants, so that no part has more samples than it may, but for those of one instant. */
export function* cutColumns(
  columns: readonly SeriesColumn[],
  { startMs, endMs }: TimeRange,
  samplesMax: number,
): Generator<CutColumns> {
  let left = columns;
  let beginMs = startMs;
  while (samplesOf(left) > samplesMax) {
    const cutMs = lastInstantWithin(left, samplesMax);
    if (cutMs >= endMs) break;
    const parts = left.map((column) => ({ column, at: firstFrom(column.timestampsMs, cutMs + 1) }));
    yield {
      startMs: beginMs,
      endMs: cutMs,
      columns: parts.flatMap(({ column, at }) => partOf(column, 0, at)),
    };
    left = parts.flatMap(({ column, at }) => partOf(column, at, column.timestampsMs.length));
    beginMs = cutMs + 1;
  }
  if (left.length > 0) yield { startMs: beginMs, endMs, columns: left };
}

/** The index of the first of rising numbers that is not below another. */
export function firstFrom(rising: ArrayLike<number>, least: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rising[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function samplesOf(columns: readonly SeriesColumn[]): number {
  return columns.reduce((sum, { timestampsMs }) => sum + timestampsMs.length, 0);
}

/** The last instant up to which there are at most so many samples; the first instant when it alone has more. */
function lastInstantWithin(columns: readonly SeriesColumn[], samplesMax: number): number {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { timestampsMs } of columns) {
    low = Math.min(low, timestampsMs[0]!);
    high = Math.max(high, timestampsMs.at(-1)!);
  }
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const samples = columns.reduce((sum, column) => sum + firstFrom(column.timestampsMs, middle + 1), 0);
    if (samples <= samplesMax) low = middle;
    else high = middle - 1;
  }
  return low;
}

function partOf(column: SeriesColumn, from: number, to: number): readonly SeriesColumn[] {
  if (from === to) return [];
  const { series, timestampsMs, values, flags } = column;
  if (from === 0 && to === timestampsMs.length) return [column];
  return [
    {
      series,
      timestampsMs: timestampsMs.slice(from, to),
      values: values.slice(from, to),
      flags: flags.slice(from, to),
    },
  ];
}
