/**
 * Range and latest queries over any store that can list and read series: steps, look-back, aggregation, and rates of
 * counters as Prometheus has them. Plain data in, plain data out; no clock and no I/O of its own.
 *
 * @packageDocumentation
 */
export { QueryError, type QueryErrorCode } from "./errors.ts";
export {
  hostIdsMax,
  type LatestPage,
  type LatestQueryOptions,
  type LatestRequest,
  type LatestSource,
  pageSizeMax,
  queryLatest,
} from "./latest-query.ts";
export { defaultQueryLimits, type QueryLimits } from "./limits.ts";
export { lookBackMs } from "./look-back.ts";
export {
  listMetrics,
  type MetricList,
  type MetricListRequest,
  type MetricSource,
  metricsMax,
} from "./metric-list.ts";
export type { QueryControl } from "./pace.ts";
export type { RangeRequest } from "./range-plan.ts";
export { type QuerySummary, queryRange, type RangeQueryOptions, type SampleSource } from "./range-query.ts";
export type { Selection } from "./selection.ts";
export type { SeriesSlice } from "./series-buffer.ts";
export { type Aggregation, aggregations } from "./window-function.ts";
