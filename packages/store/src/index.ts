/**
 * The contract of a time series store, and what every store needs to keep it: content-addressed fragments and chunks,
 * the fold rule, the catalogue of series, and a store in memory. The conformance suite is `@mon/store/conformance`.
 *
 * @packageDocumentation
 */
export { blockMs, blockStart } from "./block.ts";
export {
  type Admission,
  Catalogue,
  type CatalogueOptions,
  type Observation,
} from "./catalogue/catalogue.ts";
export type { HostState } from "./catalogue/host-state.ts";
export {
  listHosts,
  listMetrics,
  listMetricsInTurns,
  selectSeries,
  selectSeriesInTurns,
} from "./catalogue/selection.ts";
export { Chunk } from "./chunk/chunk.ts";
export {
  type EncodeChunkOptions,
  type EncodedChunk,
  encodeChunk,
  joinChunk,
} from "./chunk/encode-chunk.ts";
export { type MergedColumn, mergeColumns } from "./chunk/merge-columns.ts";
export { ColumnBuilder, type SeriesColumn } from "./columns.ts";
export { decodeSamples } from "./decode-samples.ts";
export { Desk } from "./desk.ts";
export { encodeSamples } from "./encode-samples.ts";
export { StoreError, type StoreErrorCode } from "./errors.ts";
export { compareBits, compareSamples, type ValueBits, valueBits } from "./fold.ts";
export { type Fragment, fragmentFromSamples, fragmentId } from "./fragment.ts";
export { Layout, type Layouts } from "./layout.ts";
export {
  type CompiledMatchers,
  type Condition,
  compileMatchers,
  type Matcher,
  type MatchType,
  matcherLimits,
} from "./matcher.ts";
export { MemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
export { type Hash64, murmur3, murmur3Of } from "./murmur3.ts";
export { Kind, type Label, type Sample, SampleFlag, type Series, seriesKey } from "./sample.ts";
export { SampleReader, type SampleVisitor } from "./sample-reader.ts";
export { type ShapeState, type Statement, sameShape } from "./shape.ts";
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
  PackResult,
  Partition,
  ReadRequest,
  SeriesSelector,
  StoreLimits,
  StoreStats,
  TimeRange,
  TrimResult,
  VerifyOptions,
  VerifyResult,
  WriteFate,
} from "./store.ts";
export { sliceSamplesMax } from "./store.ts";
export { tag } from "./tag.ts";
