import type { SeriesColumn } from "./columns.ts";
import type { Fragment } from "./fragment.ts";
import type { Matcher } from "./matcher.ts";
import type { Sample, Series } from "./sample.ts";

/**
 * Where a copy is safe; each value promises what those before it promise. `memory`: lost with the store's process.
 * `process`: outlives the store's process, not its machine. `fsync`: on stable storage.
 */
export type Durability = "memory" | "process" | "fsync";

/** What became of one fragment of a write. */
export type WriteFate =
  /** It is stored, now or before, in `copies` copies of at least `durability`. */
  | { readonly status: "stored"; readonly durability: Durability; readonly copies: number }
  /** It may or may not be stored; write it again after `retryDelayMs`. */
  | { readonly status: "retry"; readonly reason: string; readonly retryDelayMs: number }
  /** It will never be stored. */
  | { readonly status: "rejected"; readonly reason: string };

/** A range of time, both ends included, in whole milliseconds since the Unix epoch. */
export interface TimeRange {
  readonly startMs: number;
  readonly endMs: number;
}

/** Which series are meant. All conditions must hold. */
export interface SeriesSelector {
  /** Hosts by id; absent for all. */
  readonly hostIds?: readonly string[];
  readonly matchers?: readonly Matcher[];
  /** Only series that may have samples in this range. A store may name more of them, never fewer. */
  readonly range?: TimeRange;
}

/** Series of one host. */
export interface HostSeries {
  readonly hostId: string;
  readonly series: readonly Series[];
}

/** What to read of one host. */
export interface ReadRequest extends TimeRange {
  readonly hostId: string;
  /** Which series; absent for all. Must not change its mind. */
  readonly wants?: (series: Series) => boolean;
  /** Ends the read with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A stretch of an answer. Slices of one read do not overlap and rise in time. */
export interface ColumnSlice extends TimeRange {
  /** Series that have samples in this slice. */
  readonly columns: readonly SeriesColumn[];
  /** Instants at which fragments disagreed on a series. */
  readonly conflicts: number;
  /** What is missing from this slice and why, for people; empty when it is whole. */
  readonly missing: readonly string[];
}

/** The last value of one series. */
export interface LatestSample extends Sample {
  readonly timestampMs: number;
}

/** The last values of one host. */
export interface HostLatest {
  readonly hostId: string;
  /** The host's newest instant. */
  readonly lastSeenMs: number;
  /** One for each series, by series key. */
  readonly samples: readonly LatestSample[];
}

/** Which hosts to list. */
export interface HostsRequest {
  /** Only ids that start with this. */
  readonly prefix?: string;
  /** Only ids after this one. */
  readonly after?: string;
  /** At most so many; at least 1. */
  readonly limit: number;
}

/** A host that has data or metadata. */
export interface HostEntry {
  readonly hostId: string;
  /** Its newest instant; 0 when it has metadata only. */
  readonly lastSeenMs: number;
  readonly series: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A metric that some host has. */
export interface MetricEntry {
  readonly name: string;
  readonly kind: Series["kind"];
  readonly series: number;
  /** Sorted. */
  readonly labelNames: readonly string[];
}

/** The unit of export, import and hand-over: one block of one host. */
export interface Partition {
  readonly hostId: string;
  /** Start of the block, in milliseconds since the Unix epoch; see {@link blockStart}. */
  readonly blockStartMs: number;
}

/** What an import has made durable. */
export interface ImportReceipt {
  readonly fragments: number;
  readonly durability: Durability;
}

/** What a trim removed. */
export interface TrimResult {
  /** Everything before this instant is gone. */
  readonly beforeMs: number;
  readonly hostsRemoved: number;
  readonly seriesRemoved: number;
}

/** How a store is. */
export interface StoreStats {
  readonly hosts: number;
  readonly series: number;
  /** Bytes on disk or in memory, as good as the store knows. */
  readonly bytes: number;
  /** Instants at which fragments were seen to disagree, since the store was opened. */
  readonly conflicts: number;
  /** What is damaged, for people; empty when nothing is. */
  readonly damage: readonly string[];
  /** Why writes are refused now, for people; absent when they are taken. */
  readonly unavailable?: string;
}

/**
 * A store of metric samples, as brokers use one. Fragments are content-addressed: writing is blind, repeating changes
 * nothing, and readers fold (R4), so that every store gives the same answer whatever the order of arrival.
 *
 * Life: `new` → `open()` → in use → `close()`. Calls outside throw {@link StoreError} `STORE_NOT_OPEN`. All methods may
 * be called concurrently. A fragment is in the answers of every read that begins after its write has resolved.
 */
export interface MetricStore extends AsyncDisposable {
  /** For people and metrics: "memory", "level", "redis". */
  readonly kind: string;
  /** The durability of an acknowledged write. */
  readonly durability: Durability;

  /** @throws {StoreError} STORE_LOCKED, STORE_UNUSABLE, STORE_VERSION_UNKNOWN, STORE_UNAVAILABLE */
  open(): Promise<void>;
  /** Finishes writes under way and lets go of what it holds. Idempotent, safe before `open`. */
  close(): Promise<void>;

  /**
   * Writes fragments. Does not reject for what becomes of one of them: that is its fate.
   *
   * @param fragments - not kept after the promise has settled, nor are their bytes
   * @returns one fate for each fragment, in order
   */
  write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]>;

  /** The series that match, host by host in order of id. @throws {StoreError} STORE_MATCHER_INVALID */
  series(selector: SeriesSelector): AsyncIterable<HostSeries>;
  /** The samples of one host, in slices of bounded size. */
  read(request: ReadRequest): AsyncIterable<ColumnSlice>;
  /** The last values of hosts, in the order asked; hosts without data are left out. Answered from a kept index. */
  latest(hostIds: readonly string[]): Promise<readonly HostLatest[]>;
  /** Hosts by id. */
  hosts(request: HostsRequest): Promise<readonly HostEntry[]>;
  /** Metrics by name. @throws {StoreError} STORE_MATCHER_INVALID */
  metrics(selector: SeriesSelector): Promise<readonly MetricEntry[]>;
  /** Sets what is known of a host besides its data; keys not named stay as they are. */
  setMetadata(hostId: string, metadata: Readonly<Record<string, string>>): Promise<void>;

  /** Removes whole blocks that end at or before `beforeMs`, and series and hosts whose last sample is before it. */
  trim(beforeMs: number): Promise<TrimResult>;
  /** Partitions that have data, in no given order. */
  partitions(): AsyncIterable<Partition>;
  /** All fragments of a partition, by instant. */
  exportPartition(partition: Partition): AsyncIterable<Fragment>;
  /** Writes fragments of a partition. Rejects unless all are stored. */
  importPartition(partition: Partition, fragments: AsyncIterable<Fragment>): Promise<ImportReceipt>;

  stats(): Promise<StoreStats>;
}
