import type { SampleInput } from "@mon/client";

/** Labels of a sample. */
export type Labels = Readonly<Record<string, string>>;

/** A sample that goes up and down. */
export function gauge(name: string, value: number, labels?: Labels): SampleInput {
  return { name, value, labels, kind: "gauge" };
}

/** A sample that only counts up. */
export function counter(name: string, value: number, labels?: Labels): SampleInput {
  return { name, value, labels, kind: "counter" };
}

/** A share of a whole, rounded to 1e-4: finer digits are noise that costs a store its compression. */
export function ratio(name: string, part: number, whole: number, labels?: Labels): SampleInput {
  return gauge(name, Math.round((part / whole) * 10_000) / 10_000, labels);
}
