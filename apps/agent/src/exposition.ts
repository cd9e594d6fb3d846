import type { SampleInput } from "@mon/client";

/** Samples as text, one a line, in the way of Prometheus's exposition format. */
export function expositionOf(samples: readonly SampleInput[]): string {
  return samples.map(({ name, value, labels }) => `${name}${labelsOf(labels ?? {})} ${value}\n`).join("");
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
