import type { SeriesValues } from "@mon/proto";

/**
 * Milliseconds between two samples as stored: the common distance within a series, of the slowest series. Null when no
 * series has two samples.
 */
export function intervalOfSeries(series: readonly SeriesValues[]): number | null {
  let slowest: number | null = null;
  for (const { offsetsMs } of series) {
    const distances = offsetsMs.slice(1).map((offset, at) => offset - offsetsMs[at]!);
    const usual = distances.sort((a, b) => a - b)[Math.floor(distances.length / 2)];
    if (usual !== undefined) slowest = Math.max(slowest ?? 0, usual);
  }
  return slowest;
}
