import type {
  QuerySummary,
  RangeQueryOptions,
  RangeRequest,
  SampleSource,
  SeriesSlice,
} from "../src/index.ts";
import { queryRange } from "../src/index.ts";
import { keyOf } from "./sliced-source.ts";

export interface Answer {
  batches: SeriesSlice[][];
  summary: QuerySummary;
  /** Values as [instant, value], by host and series. */
  points: Map<string, [number, number][]>;
}

export async function answerOf(
  source: SampleSource,
  request: RangeRequest,
  options?: RangeQueryOptions,
): Promise<Answer> {
  const batches: SeriesSlice[][] = [];
  const points = new Map<string, [number, number][]>();
  const answer = queryRange(source, request, options);
  for (;;) {
    const step = await answer.next();
    if (step.done) return { batches, summary: step.value, points };
    batches.push(step.value);
    for (const { hostId, series, timestampsMs, values } of step.value) {
      const list = points.get(keyOf(hostId, series)) ?? [];
      points.set(keyOf(hostId, series), list);
      for (const [index, value] of values.entries()) list.push([timestampsMs[index]!, value]);
    }
  }
}
