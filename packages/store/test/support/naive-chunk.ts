import type { SeriesColumn, TimeRange } from "../../src/index.ts";
import { bitsOfValues } from "./arbitrary-columns.ts";

/** A sample as text: what a codec has to keep of it, to the bit. */
type NaiveSample = readonly [timestampMs: number, bits: string, flags: number];

/** A column as a naive codec has it: JSON of every sample, bits in hexadecimal. */
export function naiveColumn({ series, timestampsMs, values, flags }: SeriesColumn): string {
  const bits = bitsOfValues(values);
  const samples = bits.map((one, i): NaiveSample => [timestampsMs[i]!, one.toString(16), flags[i]!]);
  const labels = series.labels.map(({ name, value }) => [name, value]);
  return JSON.stringify({ name: series.name, labels, kind: series.kind, samples });
}

/** What a naive codec reads of a range: all of it, then what is not in the range is left out. */
export function naiveRange(column: string, { startMs, endMs }: TimeRange): string {
  const { samples, ...series } = JSON.parse(column) as { samples: NaiveSample[] };
  return JSON.stringify({ ...series, samples: samples.filter(([ms]) => ms >= startMs && ms <= endMs) });
}
