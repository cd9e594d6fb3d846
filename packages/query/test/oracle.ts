import type { RangeRequest } from "../src/index.ts";

/** A sample; a stale marker has no value. */
export interface OracleSample {
  t: number;
  v: number | undefined;
}

/** Values of one series by definition: each window looked at on its own, all samples at hand. */
export function oracle(
  samples: readonly OracleSample[],
  { startMs, endMs, stepMs, aggregation }: Omit<RangeRequest, "matchers">,
): [number, number][] {
  const points: [number, number][] = [];
  for (let t = startMs; t <= endMs; t += stepMs) {
    const windowMs = aggregation === undefined ? 300_000 : stepMs;
    const window = samples.filter((sample) => sample.t > t - windowMs && sample.t <= t);
    const value =
      aggregation === undefined ? window.at(-1)?.v : aggregate(window, aggregation, t - stepMs, t);
    if (value !== undefined) points.push([t, value]);
  }
  return points;
}

function aggregate(
  window: readonly OracleSample[],
  aggregation: NonNullable<RangeRequest["aggregation"]>,
  startMs: number,
  endMs: number,
): number | undefined {
  const samples = window.flatMap(({ t, v }) => (v === undefined ? [] : { t, v }));
  const values = samples.map(({ v }) => v);
  if (values.length === 0) return undefined;
  const numbers = values.filter((value) => !Number.isNaN(value));
  const sum = values.reduce((total, value) => total + value, 0);
  switch (aggregation) {
    case "count":
      return values.length;
    case "first":
      return values[0];
    case "last":
      return values.at(-1);
    case "sum":
      return sum;
    case "avg":
      return sum / values.length;
    case "min":
      return numbers.length === 0 ? Number.NaN : Math.min(...numbers);
    case "max":
      return numbers.length === 0 ? Number.NaN : Math.max(...numbers);
    case "increase":
      return increase(samples, startMs, endMs);
    case "rate": {
      const risen = increase(samples, startMs, endMs);
      return risen === undefined ? undefined : risen / ((endMs - startMs) / 1000);
    }
  }
}

/** The counter without its resets, as a line from first to last sample, drawn out to where the series may have been. */
function increase(
  samples: readonly { t: number; v: number }[],
  startMs: number,
  endMs: number,
): number | undefined {
  if (samples.length < 2) return undefined;
  let lifted = 0;
  const line = samples.map(({ t, v }, index) => {
    if (index > 0 && v < samples[index - 1]!.v) lifted += samples[index - 1]!.v;
    return { t, v: v + lifted };
  });
  const first = line[0]!;
  const last = line.at(-1)!;
  const risen = last.v - first.v;
  // In seconds, as Prometheus computes: whether a gap is just under the threshold hangs on the last digit.
  const sampled = (last.t - first.t) / 1000;
  const distance = sampled / (line.length - 1);
  const reached = (gapMs: number) => (gapMs / 1000 < distance * 1.1 ? gapMs / 1000 : distance / 2);
  let before = reached(first.t - startMs);
  const sinceZero = (sampled * first.v) / risen;
  if (risen > 0 && first.v >= 0 && sinceZero < before) before = sinceZero;
  return risen * ((sampled + before + reached(endMs - last.t)) / sampled);
}
