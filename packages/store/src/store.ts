import type { SeriesColumn } from "./columns.ts";
import type { Fragment } from "./fragment.ts";
import type { Matcher } from "./matcher.ts";
import type { Sample, Series } from "./sample.ts";

/**
 * Where a copy is safe; each value promises what those before it promise. `memory`: lost with the store's process.
 * `process`: outlives the store's process, not its machine. `fsync`: on stable storage.
 */
export type Durability = "memory" | "process" | "fsync";

/**
 * What became of one fragment of a write.
 *
 * A host may have so many series (`maxSeriesPerHost`). Beyond that the samples of series that it has go on being stored,
 * and those of new ones are refused: `refusedSamples` are their places in the fragment's bytes, from 0, rising. It is
 * absent, never empty, when no sample was refused for that. What is left of such a fragment is stored as a fragment of
 * its own, of another id; writing the whole again stores nothing more, unless the host has room by then.
 */
export type WriteFate =
  /** It is stored, now or before, but for the samples refused, in `copies` copies of at least `durability`. */
  | {
      readonly status: "stored";
      readonly durability: Durability;
      readonly copies: number;
      /** Samples of series beyond the host's limit: never all of them. */
      readonly refusedSamples?: readonly number[];
    }
  /** It may or may not be stored; write it again after `retryDelayMs`. */
  | { readonly status: "retry"; readonly reason: string; readonly retryDelayMs: number }
  /** Nothing of it will be stored. */
  | {
      readonly status: "rejected";
      readonly reason: string;
      /** All samples, when each is of a series beyond the host's limit; absent when the bytes are no fragment. */
      readonly refusedSamples?: readonly number[];
    };

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

/** Samples that a slice of a read may hold, but for those of its last instant: bounds what a reader holds at a time. */
export const sliceSamplesMax = 262_144;

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

/** What a packing did. */
export interface PackResult {
  /** Blocks packed, or packed again. */
  readonly blocks: number;
  /** What they took before, in bytes as the store counts them. */
  readonly bytesBefore: number;
  /** What they take now. */
  readonly bytesAfter: number;
}

/** What of a store may be set while it is in use. */
export interface StoreLimits {
  /** Series that a host may have before new ones are refused; at least 1. Those that it has stay, were they more. */
  readonly maxSeriesPerHost?: number;
}

/** How a verification goes about. */
export interface VerifyOptions {
  /** Bytes read in a second at most, so that others have the disk too; 8 MiB by default. */
  readonly bytesPerSecondMax?: number;
  /** Ends it with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What a verification did. */
export interface VerifyResult {
  /** Bytes whose checksums were verified. */
  readonly bytes: number;
  /** What it found damaged, for people; reads name it from then on. */
  readonly damage: readonly string[];
}

/** How a store is. */
export interface StoreStats {
  readonly hosts: number;
  readonly series: number;
  /** Series that hosts have beyond their limit: by an import, a lower limit, or writers that did not know of each other (R28). */
  readonly seriesOverLimit: number;
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
   * Writes fragments. Does not reject for what becomes of one of them: that is its fate. One whose time is no whole
   * millisecond that a `Date` can hold is rejected, as is one whose bytes are not canonical.
   *
   * @param fragments - not kept after the promise has settled, nor are their bytes
   * @returns one fate for each fragment, in order
   */
  write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]>;

  /** The series that match, host by host in order of id. @throws {StoreError} STORE_MATCHER_INVALID */
  series(selector: SeriesSelector): AsyncIterable<HostSeries>;
  /**
   * The samples of one host, in slices of at most {@link sliceSamplesMax} samples, besides those of the last instant. The
   * store reads as slices are asked for, and lets go of what it holds when the reader stops.
   */
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
  /**
   * Packs blocks that ended at or before `closedBeforeMs`. What is read does not change. A block that gained nothing
   * stays as it is and is not counted; a store that gains nothing by packing answers zeros. Calls may overlap with each
   * other and with everything else.
   *
   * @throws {StoreError} STORE_UNAVAILABLE; what was packed by then stays packed
   */
  pack(closedBeforeMs: number): Promise<PackResult>;
  /** Partitions that have data, in no given order. */
  partitions(): AsyncIterable<Partition>;
  /**
   * Fragments that hold all of a partition, by instant. A packed block's are made anew from its columns: they are not
   * those that were written, but a store that imports them reads the same.
   */
  exportPartition(partition: Partition): AsyncIterable<Fragment>;
  /** Writes fragments of a partition, whatever the host's limit of series. Rejects unless all are stored whole. */
  importPartition(partition: Partition, fragments: AsyncIterable<Fragment>): Promise<ImportReceipt>;

  stats(): Promise<StoreStats>;
  /**
   * Sets limits for what comes from now on; those not named stay as they are. It is not kept: a store that is opened again
   * has those that it is made with.
   *
   * @throws {RangeError} when one is out of range, and then nothing has changed
   */
  configure(limits: StoreLimits): void;
  /**
   * Verifies the checksums of all that is stored, slowly, beside everything else; one at a time, and a second call shares
   * the first's. Absent where the store's medium does that, or has none.
   *
   * @throws {StoreError} STORE_UNAVAILABLE when it cannot go on
   */
  verify?(options?: VerifyOptions): Promise<VerifyResult>;
}
