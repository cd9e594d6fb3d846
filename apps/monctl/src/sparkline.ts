const bars = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** What a sparkline is drawn from: instants in milliseconds, rising, and as many values. */
interface SparklineInput {
  timesMs: readonly number[];
  values: readonly number[];
}

/**
 * Draws values over a range of time as one line of block characters. Each character is the mean of its share of the
 * range; a share without a finite value is a space, so gaps show. The lowest mean is `▁`, the highest `█`; equal
 * means are `▄`. O(values).
 *
 * @param width - characters, at least 1
 */
export function sparkline(input: SparklineInput, startMs: number, endMs: number, width: number): string {
  const means = binMeans(input, startMs, endMs, width);
  const present = means.filter((mean) => mean !== undefined);
  const low = present.reduce((least, mean) => Math.min(least, mean), Number.POSITIVE_INFINITY);
  const high = present.reduce((most, mean) => Math.max(most, mean), Number.NEGATIVE_INFINITY);
  return means.map((mean) => (mean === undefined ? " " : bar(mean, low, high))).join("");
}

function bar(mean: number, low: number, high: number): string {
  if (high === low) return bars[3]!;
  // Halved first, so that the distance of two huge values does not overflow.
  const share = (mean / 2 - low / 2) / (high / 2 - low / 2);
  return bars[Math.min(bars.length - 1, Math.floor(share * bars.length))]!;
}

function binMeans(
  { timesMs, values }: SparklineInput,
  startMs: number,
  endMs: number,
  width: number,
): (number | undefined)[] {
  const means = new Array<number | undefined>(width).fill(undefined);
  const counts = new Array<number>(width).fill(0);
  const spanMs = Math.max(1, endMs - startMs);
  timesMs.forEach((timeMs, index) => {
    const value = values[index]!;
    if (!Number.isFinite(value)) return;
    const bin = Math.max(0, Math.min(width - 1, Math.floor(((timeMs - startMs) / spanMs) * width)));
    const count = ++counts[bin]!;
    const mean = means[bin] ?? 0;
    means[bin] = mean + (value / count - mean / count);
  });
  return means;
}
