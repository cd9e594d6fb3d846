import type { SeriesValues } from "@mon/proto";
import { labelsOf } from "./host.ts";
import type { Grid } from "./step.ts";
import type { Labels, Vital } from "./vital.ts";

/** A value at an instant of the grid; `undefined` is drawn across, `null` is a gap. */
export type FrameValue = number | null | undefined;

/** One line of a chart. */
export interface FrameLine {
  readonly hostId: string;
  /** What sets it apart from the other lines of the same host; empty when it is the only one. */
  readonly name: string;
  readonly values: readonly FrameValue[];
}

/** What a chart draws: lines over the instants of a grid. */
export interface Frame {
  readonly grid: Grid;
  readonly lines: readonly FrameLine[];
  /** Lines that were left out because there were too many. */
  readonly omitted: number;
}

/** The most lines that a chart draws; more are noise. */
export const LINES_MAX = 12;

/** Series that came in pieces, whole and on the grid. */
interface GridSeries {
  readonly hostId: string;
  readonly labels: Labels;
  readonly values: FrameValue[];
}

function gridSeries(pieces: readonly SeriesValues[], grid: Grid): GridSeries[] {
  const length = Math.round((grid.endMs - grid.startMs) / grid.stepMs) + 1;
  const whole = new Map<string, GridSeries>();
  for (const piece of pieces) {
    const hostId = piece.series?.hostId ?? "";
    const labels = piece.series?.labels ?? [];
    const key = JSON.stringify([hostId, ...labels.map(({ name, value }) => [name, value])]);
    let series = whole.get(key);
    if (series === undefined) {
      series = { hostId, labels: labelsOf(labels), values: new Array<FrameValue>(length).fill(undefined) };
      whole.set(key, series);
    }
    const base = Number(piece.baseMs) - grid.startMs;
    for (const [at, offset] of piece.offsetsMs.entries()) {
      const index = Math.round((base + offset) / grid.stepMs);
      if (index >= 0 && index < length) series.values[index] = piece.values[at];
    }
  }
  return [...whole.values()];
}

/**
 * Marks as gaps what is longer than usual: runs without values longer than three times the common distance of two
 * values become `null`, shorter ones are drawn across. Ends without values stay empty.
 */
export function markGaps(values: readonly FrameValue[]): FrameValue[] {
  const found = values.flatMap((value, index) => (typeof value === "number" ? [index] : []));
  const distances = found.slice(1).map((index, at) => index - found[at]!);
  const usual = [...distances].sort((a, b) => a - b)[Math.floor(distances.length / 2)] ?? 1;
  const marked = [...values];
  for (const [at, distance] of distances.entries()) {
    if (distance > 3 * usual) marked.fill(null, found[at]! + 1, found[at]! + distance);
  }
  return marked;
}

/** Labels whose values differ among series, or that only some of them have. */
function tellingLabels(series: readonly GridSeries[]): string[] {
  const names = new Set(series.flatMap(({ labels }) => [...labels.keys()]));
  return [...names].filter((name) => new Set(series.map(({ labels }) => labels.get(name))).size > 1).sort();
}

function lastValue(values: readonly FrameValue[]): number | undefined {
  return values.findLast((value) => typeof value === "number") ?? undefined;
}

/**
 * A line for each series, named by the labels that tell them apart. Beyond {@link LINES_MAX} the lines with the
 * highest last values remain.
 *
 * @param only - keeps series whose labels contain this text
 */
export function frameOfSeries(pieces: readonly SeriesValues[], grid: Grid, only = ""): Frame {
  const needle = only.trim().toLowerCase();
  const series = gridSeries(pieces, grid);
  const telling = tellingLabels(series);
  const lines = series
    .filter(
      ({ labels }) =>
        [...labels].some(([name, value]) => `${name}=${value}`.toLowerCase().includes(needle)) ||
        needle === "",
    )
    .map(({ hostId, labels, values }) => ({
      hostId,
      name: telling.flatMap((name) => labels.get(name) ?? []).join(" · "),
      values: markGaps(values),
    }));
  if (lines.length <= LINES_MAX) return { grid, lines, omitted: 0 };
  const kept = new Set(
    [...lines]
      .sort((a, b) => (lastValue(b.values) ?? -Infinity) - (lastValue(a.values) ?? -Infinity))
      .slice(0, LINES_MAX),
  );
  return { grid, lines: lines.filter((line) => kept.has(line)), omitted: lines.length - LINES_MAX };
}

/** The lines of a vital, host by host in the given order. */
export function frameOfVital(
  vital: Vital,
  pieces: readonly SeriesValues[],
  hosts: readonly string[],
  grid: Grid,
): Frame {
  const series = gridSeries(pieces, grid);
  const lines = hosts.flatMap((hostId) => {
    const own = series.filter((each) => each.hostId === hostId);
    if (own.length === 0) return [];
    return vital
      .lines(
        own.map(({ labels }) => labels),
        hosts.length === 1,
      )
      .map((line) => ({
        hostId,
        name: line.name,
        values: markGaps(
          own[0]!.values.map((_, index) => line.combine(own.map(({ values }) => values[index]))),
        ),
      }));
  });
  return { grid, lines: lines.slice(0, LINES_MAX), omitted: Math.max(0, lines.length - LINES_MAX) };
}

/** Instants of a grid in seconds, as charts want them. */
export function gridSeconds(grid: Grid): number[] {
  const length = Math.round((grid.endMs - grid.startMs) / grid.stepMs) + 1;
  return Array.from({ length }, (_, index) => (grid.startMs + index * grid.stepMs) / 1_000);
}

/** What a legend says of a line. */
export interface LineSummary {
  readonly last: number | undefined;
  readonly lastIndex: number;
  readonly min: number | undefined;
  readonly mean: number | undefined;
  readonly max: number | undefined;
}

/** Last value, least, mean and greatest of a line. */
export function summarise(values: readonly FrameValue[]): LineSummary {
  const lastIndex = values.findLastIndex((value) => typeof value === "number");
  let count = 0;
  let total = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (typeof value !== "number") continue;
    count++;
    total += value;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  if (count === 0) return { last: undefined, lastIndex, min: undefined, mean: undefined, max: undefined };
  return { last: values[lastIndex] as number, lastIndex, min, mean: total / count, max };
}
