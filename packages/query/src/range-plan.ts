import type { SeriesSelector, TimeRange } from "@mon/store";
import { invalidField } from "./errors.ts";
import type { Evaluator } from "./evaluator.ts";
import { Instants } from "./instants.ts";
import type { QueryLimits } from "./limits.ts";
import { LookBack, lookBackMs } from "./look-back.ts";
import { conditionsOf, type Selection } from "./selection.ts";
import { type Aggregation, aggregations, createWindowFunction } from "./window-function.ts";
import { Windows } from "./windows.ts";

/** Values of series over a range of time. Times are whole milliseconds since the Unix epoch. */
export interface RangeRequest extends Selection {
  /** First instant. */
  readonly startMs: number;
  /** Last instant, included. */
  readonly endMs: number;
  /**
   * Distance of two values: they stand at start, start + step, … ≤ end, and a window is (t − step, t]. 0 for the samples
   * as stored, from start to end.
   */
  readonly stepMs: number;
  /** What becomes of the samples of a window; needs a step. Absent: the last sample of (t − 5 min, t]. */
  readonly aggregation?: Aggregation;
}

/** A range request, checked and worked out. */
export interface RangePlan {
  /** Series to list; its range is what to read of them. */
  readonly selector: SeriesSelector & { readonly range: TimeRange };
  /** Makes the evaluator of one series; absent for samples as stored. */
  readonly createEvaluator?: () => Evaluator;
}

/** @throws {QueryError} QUERY_INVALID */
export function planRange(request: RangeRequest, limits: QueryLimits): RangePlan {
  assertTimes(request);
  const { startMs, endMs, stepMs, aggregation, hostIds } = request;
  const selection = {
    matchers: conditionsOf(request).matchers,
    ...(hostIds !== undefined && { hostIds }),
  };
  if (stepMs === 0) {
    if (aggregation !== undefined)
      throw invalidField("stepMs", `to be at least 1 for ${aggregation}`, stepMs);
    return { selector: { ...selection, range: { startMs, endMs } } };
  }
  const instants = new Instants(startMs, endMs, stepMs);
  if (instants.count > limits.valuesPerSeriesMax) {
    const most = limits.valuesPerSeriesMax;
    throw invalidField(
      "stepMs",
      `to give at most ${most} values a series`,
      `${stepMs}, giving ${instants.count}`,
    );
  }
  // Windows and look-back are open on the left: the first sample that counts is a millisecond later.
  const windowMs = aggregation === undefined ? lookBackMs : stepMs;
  return {
    selector: { ...selection, range: { startMs: startMs - windowMs + 1, endMs: instants.lastMs } },
    createEvaluator: evaluatorFactory(instants, aggregation),
  };
}

function assertTimes({ startMs, endMs, stepMs }: RangeRequest): void {
  for (const [field, value] of Object.entries({ startMs, endMs, stepMs })) {
    if (!Number.isSafeInteger(value)) throw invalidField(field, "to be a whole number", value);
  }
  if (endMs < startMs) throw invalidField("endMs", `≥ startMs ${startMs}`, endMs);
  if (stepMs < 0) throw invalidField("stepMs", "≥ 0", stepMs);
}

function evaluatorFactory(instants: Instants, aggregation: Aggregation | undefined): () => Evaluator {
  if (aggregation === undefined) return () => new LookBack(instants);
  if (!aggregations.includes(aggregation)) {
    throw invalidField("aggregation", `to be one of ${aggregations.join(", ")}`, aggregation);
  }
  return () => new Windows(instants, createWindowFunction(aggregation, instants.stepMs));
}
