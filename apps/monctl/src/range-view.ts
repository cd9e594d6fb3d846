import { Kind, type QuerySummary } from "@mon/proto";
import { enumWord, jsonInteger, jsonNumber } from "./json.ts";
import type { Range } from "./range.ts";
import { labelsDocument } from "./sample.ts";
import { formatHostSeries, formatSeries } from "./selector.ts";
import type { CollectedSeries } from "./series-collector.ts";
import { sparkline } from "./sparkline.ts";
import { type Column, formatTable } from "./table.ts";
import { printable } from "./text.ts";
import { formatInstant } from "./time.ts";
import { formatValue, unitFromName } from "./units.ts";
import type { View } from "./view.ts";

/** The most characters of a sparkline. */
const trendWidthMax = 30;

/** Builds what a range query shows: a line a series with its trend, or with `points` a line a value. */
export function rangeView(
  series: readonly CollectedSeries[],
  summary: QuerySummary,
  range: Range,
  points: boolean,
): View {
  const columns = points ? pointColumns : trendColumns;
  return {
    document: rangeDocument(series, summary, range),
    rows: [],
    ids: series.map(({ host, name, labels }) => formatHostSeries(host, name, labels)),
    notes: summaryNotes(summary),
    table: ({ headers, style }) =>
      formatTable(columns, points ? pointRows(series) : trendRows(series, range), {
        headers,
        styleHeader: (line) => style("dim", line),
      }),
  };
}

/** Says what is missing from an answer, or that it is empty. */
export function summaryNotes(summary: QuerySummary): string[] {
  const notes = summary.series === 0 ? ["no series matches"] : [];
  if (summary.partial)
    notes.push(`the answer is partial: ${printable(summary.missing.join("; ")) || "data is missing"}`);
  return notes;
}

/** A summary in JSON. */
export function summaryDocument(summary: QuerySummary): Record<string, unknown> {
  return {
    seriesCount: summary.series,
    samplesRead: jsonInteger(summary.samplesRead),
    partial: summary.partial,
    missing: summary.missing,
  };
}

const trendColumns: readonly Column[] = [
  { title: "HOST" },
  { title: "SERIES" },
  { title: "TREND" },
  { title: "MIN", align: "right" },
  { title: "AVG", align: "right" },
  { title: "MAX", align: "right" },
  { title: "LAST", align: "right" },
];

const pointColumns: readonly Column[] = [
  { title: "TIME" },
  { title: "HOST" },
  { title: "SERIES" },
  { title: "VALUE", align: "right" },
];

/** The trends of all series share the span of the values that came, so that what is above each other was at once. */
function trendRows(series: readonly CollectedSeries[], range: Range): string[][] {
  let startMs = Number.POSITIVE_INFINITY;
  let endMs = Number.NEGATIVE_INFINITY;
  let width = 1;
  for (const { timesMs } of series) {
    startMs = Math.min(startMs, timesMs[0] ?? startMs);
    endMs = Math.max(endMs, timesMs.at(-1) ?? endMs);
    width = Math.min(trendWidthMax, Math.max(width, timesMs.length));
  }
  return series.map((one) => trendRow(one, range, sparkline(one, startMs, endMs, width)));
}

function trendRow(series: CollectedSeries, range: Range, trend: string): string[] {
  const { values } = series;
  const unit = range.aggregationName === "count" ? "none" : unitFromName(series.name);
  const write = (value: number): string => formatValue(value, unit, range.aggregationName === "rate");
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let mean = 0;
  values.forEach((value, index) => {
    min = Math.min(min, value);
    max = Math.max(max, value);
    mean += (value - mean) / (index + 1);
  });
  const stats = values.length === 0 ? ["-", "-", "-", "-"] : [min, mean, max, values.at(-1)!].map(write);
  return [printable(series.host), formatSeries(series.name, series.labels), trend, ...stats];
}

function pointRows(series: readonly CollectedSeries[]): string[][] {
  return series.flatMap(({ host, name, labels, timesMs, values }) => {
    const id = formatSeries(name, labels);
    return values.map((value, index) => [formatInstant(timesMs[index]!), printable(host), id, String(value)]);
  });
}

function rangeDocument(
  series: readonly CollectedSeries[],
  summary: QuerySummary,
  range: Range,
): Record<string, unknown> {
  return {
    startMs: range.startMs,
    endMs: range.endMs,
    stepMs: range.stepMs,
    aggregation: range.aggregationName ?? null,
    series: series.map(({ host, name, labels, kind, timesMs, values }) => ({
      host,
      name,
      labels: labelsDocument(labels),
      kind: enumWord(Kind, kind),
      points: values.map((value, index) => [timesMs[index], jsonNumber(value)]),
    })),
    ...summaryDocument(summary),
  };
}
