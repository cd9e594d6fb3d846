import { Aggregation } from "@mon/proto";
import { MonctlError } from "./errors.ts";
import { autoStep, formatDuration, parseDuration, parseInstant } from "./time.ts";

/** The options of a range query, as they were typed. */
export interface RangeFlags {
  start?: string;
  end?: string;
  step?: string;
  agg?: AggregationName;
}

/** The words of `--agg`. */
type AggregationName = "avg" | "min" | "max" | "sum" | "count" | "last" | "first" | "rate" | "increase";

const aggregations: Readonly<Record<AggregationName, Aggregation>> = {
  avg: Aggregation.AVG,
  min: Aggregation.MIN,
  max: Aggregation.MAX,
  sum: Aggregation.SUM,
  count: Aggregation.COUNT,
  last: Aggregation.LAST,
  first: Aggregation.FIRST,
  rate: Aggregation.RATE,
  increase: Aggregation.INCREASE,
};

/** The words of `--agg`, in the order of the help. */
export const aggregationNames: readonly string[] = Object.keys(aggregations);

/** A range of time and what becomes of the samples in it. */
export interface Range {
  startMs: number;
  endMs: number;
  /** 0 for the samples as stored. */
  stepMs: number;
  aggregation: Aggregation;
  /** The word of `--agg`, if one was given. */
  aggregationName: AggregationName | undefined;
}

/** The most values of one series that a broker gives with a step. */
const stepsMax = 11_000;

/**
 * Resolves the options of a range query. Defaults: the past hour up to now; the samples as stored; with `--agg`, a
 * step of its own choice (`auto`).
 *
 * @throws {MonctlError} MONCTL_USAGE, naming the option and what it was
 */
export function resolveRange(flags: RangeFlags, nowMs: number): Range {
  const startMs = parseInstant(flags.start ?? "-1h", nowMs, "--start");
  const endMs = parseInstant(flags.end ?? "now", nowMs, "--end");
  if (endMs < startMs) {
    throw new MonctlError(
      "MONCTL_USAGE",
      `expected --end after --start, got ${formatDuration(startMs - endMs)} before`,
    );
  }
  const stepMs = resolveStep(flags, endMs - startMs);
  return {
    startMs,
    endMs,
    stepMs,
    aggregation: flags.agg === undefined ? Aggregation.UNSPECIFIED : aggregations[flags.agg],
    aggregationName: flags.agg,
  };
}

function resolveStep(flags: RangeFlags, rangeMs: number): number {
  if (flags.step === undefined) return flags.agg === undefined ? 0 : autoStep(rangeMs);
  if (flags.step === "auto") return autoStep(rangeMs);
  const stepMs = parseDuration(flags.step, "--step");
  const values = Math.floor(rangeMs / stepMs) + 1;
  if (values <= stepsMax) return stepMs;
  throw new MonctlError(
    "MONCTL_USAGE",
    `expected at most ${stepsMax} values a series, got ${values} from --step ${flags.step}`,
    {
      hint: `--step auto takes ${formatDuration(autoStep(rangeMs))} for this range`,
    },
  );
}
