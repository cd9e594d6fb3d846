/**
 * The contract of a time series store, and what every store needs to keep it: content-addressed fragments, the fold
 * rule, the catalogue of series, and a store in memory. The conformance suite is `@mon/store/conformance`.
 *
 * @packageDocumentation
 */
export { blockMs, blockStart } from "./block.ts";
export { Catalogue, HostState, type Observation } from "./catalogue.ts";
export { ColumnBuilder, type SeriesColumn } from "./columns.ts";
export { decodeSamples } from "./decode-samples.ts";
export { encodeSamples } from "./encode-samples.ts";
export { StoreError, type StoreErrorCode } from "./errors.ts";
export { compareBits, compareSamples, type ValueBits, valueBits } from "./fold.ts";
export { type Fragment, fragmentFromSamples, fragmentId } from "./fragment.ts";
export {
  type CompiledMatchers,
  compileMatchers,
  type Matcher,
  type MatchType,
  matcherLimits,
} from "./matcher.ts";
export { MemoryStore } from "./memory-store.ts";
export { type Hash64, murmur3 } from "./murmur3.ts";
export { Kind, type Label, type Sample, SampleFlag, type Series, seriesKey } from "./sample.ts";
export { SampleReader, type SampleVisitor } from "./sample-reader.ts";
export { listHosts, listMetrics, selectSeries } from "./selection.ts";
export { type ShapeState, sameShape } from "./shape.ts";
export type {
  ColumnSlice,
  Durability,
  HostEntry,
  HostLatest,
  HostSeries,
  HostsRequest,
  ImportReceipt,
  LatestSample,
  MetricEntry,
  MetricStore,
  Partition,
  ReadRequest,
  SeriesSelector,
  StoreStats,
  TimeRange,
  TrimResult,
  WriteFate,
} from "./store.ts";
export { tag } from "./tag.ts";
