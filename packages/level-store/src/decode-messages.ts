import type { Series, TimeRange } from "@mon/store";
import type { FragmentPlaces } from "./fragment-list.ts";
import type { JoinedRecords } from "./joined-records.ts";

/** What a host has of one block: records of chunks as they are in LevelDB, and fragments in memory. */
export interface StoredBlock {
  readonly records: JoinedRecords;
  readonly head: FragmentPlaces;
  /** What of it is wanted. */
  readonly range: TimeRange;
  readonly maxSliceSamples: number;
}

/** A decoded stretch of a block. */
export interface DecodedStretch {
  readonly endMs: number;
  readonly conflicts: number;
  /** What could not be read, found out since the stretch before. */
  readonly damage: readonly string[];
  /** Whether the block ends with it. */
  readonly isLast: boolean;
  /** See `packColumns`. */
  readonly columns: ArrayBuffer;
  readonly columnCount: number;
}

/**
 * What a decoding thread is told. A request is `block`, then `numbers` when it answers `unknown`, and `next` until it
 * answers the last stretch. Requests take turns; a read is a series of requests that know the same series.
 */
export type DecodeRequest =
  | { readonly kind: "block"; readonly request: number; readonly read: number; readonly block: StoredBlock }
  /** In the order of the series that were asked for: numbers for those that are wanted, −1 for others. */
  | { readonly kind: "numbers"; readonly request: number; readonly numbers: Int32Array }
  | { readonly kind: "next"; readonly request: number }
  /** Nothing more of a read is wanted. */
  | { readonly kind: "forget"; readonly read: number };

/** What it answers: one for each but `forget`. */
export type DecodeAnswer =
  | { readonly kind: "stretch"; readonly request: number; readonly stretch: DecodedStretch }
  | { readonly kind: "unknown"; readonly request: number; readonly series: readonly Series[] }
  | { readonly kind: "failed"; readonly request: number; readonly reason: string };
