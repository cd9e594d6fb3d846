import { readFileSync } from "node:fs";
import { zstdDecompressSync } from "node:zlib";
import type { Kind, Label, SeriesColumn } from "../src/index.ts";

/** A series as `tools/bench/record.ts` writes it; null where there was no sample. */
interface RecordedSeries {
  readonly name: string;
  readonly labels: readonly Label[];
  readonly kind: Kind;
  readonly by: "agent" | "recorder";
  readonly values: readonly (number | null)[];
}

interface Recording {
  readonly about: string;
  readonly timestampsMs: readonly number[];
  readonly series: readonly RecordedSeries[];
}

/** A column of the recording. */
export interface RecordedColumn extends SeriesColumn {
  readonly by: RecordedSeries["by"];
  /** What kind of measurement it is. */
  readonly metricClass: MetricClass;
}

export const metricClasses = [
  "constant",
  "counters of seconds",
  "counters of bytes",
  "counters of events",
  "gauges of bytes",
  "ratios",
  "other gauges",
  "computed floats",
] as const;
export type MetricClass = (typeof metricClasses)[number];

/** Readings of a real machine: see `tools/bench/record.ts`. */
export function readRecording(): { about: string; columns: RecordedColumn[] } {
  const file = readFileSync(new URL("fixtures/host.json.zst", import.meta.url));
  const { about, timestampsMs, series } = JSON.parse(zstdDecompressSync(file).toString()) as Recording;
  const columns = series.map(({ name, labels, kind, by, values }): RecordedColumn => {
    const present = [...values.keys()].filter((index) => values[index] !== null);
    const numbers = Float64Array.from(present, (index) => values[index]!);
    return {
      series: { name, labels, kind },
      timestampsMs: Float64Array.from(present, (index) => timestampsMs[index]!),
      values: numbers,
      flags: new Uint32Array(numbers.length),
      by,
      metricClass: classOf(name, kind, numbers),
    };
  });
  return { about, columns };
}

function classOf(name: string, kind: Kind, values: Float64Array): MetricClass {
  if (values.every((value) => value === values[0])) return "constant";
  if (/eventloop_(lag_(mean|stddev)|utilization)/.test(name)) return "computed floats";
  if (kind === 2) {
    if (name.includes("_seconds")) return "counters of seconds";
    return /_bytes|Octets|pgpg/.test(name) ? "counters of bytes" : "counters of events";
  }
  if (name.includes("_bytes")) return "gauges of bytes";
  return name.endsWith("_ratio") ? "ratios" : "other gauges";
}

/** Every `stride`-th sample from `from` on, `count` of them. */
export function cut(
  columns: readonly RecordedColumn[],
  from: number,
  count: number,
  stride = 1,
): RecordedColumn[] {
  return columns.map((column) => {
    const indices = Array.from({ length: count }, (_, i) => from + i * stride).filter(
      (index) => index < column.values.length,
    );
    return {
      ...column,
      timestampsMs: Float64Array.from(indices, (index) => column.timestampsMs[index]!),
      values: Float64Array.from(indices, (index) => column.values[index]!),
      flags: new Uint32Array(indices.length),
    };
  });
}
