import { Kind, type Label } from "@mon/proto";
import { csvLine } from "./csv.ts";
import { enumWord, jsonNumber } from "./json.ts";
import { formatSeries } from "./selector.ts";
import { formatInstant } from "./time.ts";

/** One value of one series, as an answer or a live tail brings it. */
export interface SampleRow {
  host: string;
  name: string;
  labels: readonly Label[];
  kind: Kind;
  timeMs: number;
  value: number;
}

/** A value in JSON; exact. */
export function sampleDocument(row: SampleRow): Record<string, unknown> {
  return {
    host: row.host,
    name: row.name,
    labels: labelsDocument(row.labels),
    kind: enumWord(Kind, row.kind),
    timeMs: row.timeMs,
    time: formatInstant(row.timeMs),
    value: jsonNumber(row.value),
  };
}

/** The titles of {@link sampleCsv}. */
export const sampleCsvHeader: string = csvLine(["host", "series", "time", "time_ms", "value"]);

/** A value as a line of CSV; exact. */
export function sampleCsv(row: SampleRow): string {
  const series = formatSeries(row.name, row.labels);
  return csvLine([row.host, series, formatInstant(row.timeMs), row.timeMs, row.value]);
}

/** Labels in JSON, by name. */
export function labelsDocument(labels: readonly Label[]): Record<string, string> {
  return Object.fromEntries(labels.map(({ name, value }) => [name, value]));
}
