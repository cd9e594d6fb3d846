import type { ValueBits } from "./fold.ts";

/** How a value behaves over time; the numbers are those of the wire (`mon.v1.Kind`). */
export const Kind = { unspecified: 0, gauge: 1, counter: 2 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Bits of {@link Sample.flags}. Unknown bits are kept. */
export const SampleFlag = {
  /** The value lies outside the plausible range of its metric. */
  outlier: 1,
} as const;

/** A name and a value that qualify a series. */
export interface Label {
  readonly name: string;
  readonly value: string;
}

/** What is measured: with a host's id, the identity of a series. */
export interface Series {
  readonly name: string;
  /** Sorted by name, names unique. */
  readonly labels: readonly Label[];
  readonly kind: Kind;
}

/** One measurement of a series. */
export interface Sample extends Series {
  readonly value: number;
  /** The bits of a value that is NaN, when they matter: JavaScript does not keep them in a number. Default NaN's own. */
  readonly nan?: ValueBits;
  /** See {@link SampleFlag}; an unsigned 32-bit integer. */
  readonly flags: number;
}

/**
 * The text that tells one series of a host from another: Prometheus's selector with labels in order, for example
 * `disk_bytes_total{device="sda",direction="read"}`. Equal for equal (name, labels), different otherwise; the kind
 * does not count.
 */
export function seriesKey(series: Pick<Series, "name" | "labels">): string {
  if (series.labels.length === 0) return series.name;
  let key = `${series.name}{`;
  for (const [index, label] of series.labels.entries()) {
    if (index > 0) key += ",";
    key += `${label.name}=${quoted(label.value)}`;
  }
  return `${key}}`;
}

/** What JSON writes as it is: ASCII but for quotes, backslashes and control characters. */
const plain = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}
