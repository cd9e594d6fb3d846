import type { Metric } from "@mon/proto";

/** The most matches that a list of metrics shows. */
export const MATCHES_MAX = 60;

/**
 * Metrics whose names contain every word of `text`, in any case: names that start with it first, then by name. At most
 * {@link MATCHES_MAX}.
 */
export function searchMetrics(metrics: readonly Metric[], text: string): Metric[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const first = words[0] ?? "";
  return metrics
    .filter((metric) => words.every((word) => metric.name.toLowerCase().includes(word)))
    .sort((a, b) => {
      const left = a.name.toLowerCase().startsWith(first) ? 0 : 1;
      const right = b.name.toLowerCase().startsWith(first) ? 0 : 1;
      return left - right || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
    })
    .slice(0, MATCHES_MAX);
}
