import type { TemplateName } from "./corpus.ts";

/**
 * What a server answers to a batch. To one on a gRPC stream: an outcome that must say that all of it is stored on stable
 * storage, the batch's number alone, or an empty message, in the order of the batches. To Influx lines in a request:
 * HTTP's 204.
 */
export type AckForm = "outcome" | "sequence" | "empty" | "no-content";

/** How batches are spread. */
export interface Shape {
  readonly connections: number;
  /** Streams on each connection. */
  readonly streams: number;
  /** Batches on each stream that may be without an answer. */
  readonly window: number;
}

/** Sends as fast as answers come, with full windows. */
export interface ClosedLoad {
  readonly kind: "closed";
  readonly warmMs: number;
  readonly measureMs: number;
}

/** Sends at a fixed rate, whatever the answers. */
export interface OpenLoad {
  readonly kind: "open";
  readonly batchesPerSecond: number;
  readonly warmMs: number;
  readonly measureMs: number;
}

/** Sends a number of batches as a closed loop does. */
export interface FixedLoad {
  readonly kind: "fixed";
  readonly batches: number;
}

/** One load on one server. */
export interface LoadJob {
  readonly port: number;
  /** Its processor time is taken along. */
  readonly serverPid: number;
  readonly ack: AckForm;
  readonly corpus: TemplateName;
  readonly hosts: number;
  /** Reports in a batch. */
  readonly reports: number;
  readonly shape: Shape;
  readonly load: ClosedLoad | OpenLoad | FixedLoad;
  /** Instants that a closed or fixed load reports for, instead of the machine's time: a step from pass to pass. */
  readonly history?: { readonly startMs: number; readonly stepMs: number };
}

/** From when a batch was due to its answer, in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** How late the client itself sent: part of the latencies, and none of the server's doing. */
  readonly sendDelayP99Ms: number;
}

/** What came of a load, over the measured part of it. */
export interface LoadResult {
  /** Reports that were answered as they should. */
  readonly reports: number;
  /** Reports that were not. */
  readonly reportsFailed: number;
  readonly seconds: number;
  readonly serverCpuSeconds: number;
  readonly clientCpuSeconds: number;
  /** When it began and ended, on the machine's monotonic clock, in microseconds. */
  readonly startUs: number;
  readonly endUs: number;
  /** Of an open load. */
  readonly latency?: LatencySummary;
}

/** What came of a load, its measured part and the whole. */
export interface LoadOutcome extends LoadResult {
  /** Reports that were answered as they should, from the first to the last. */
  readonly reportsTaken: number;
}
