import type { ConfState } from "./conf-state.ts";
import type { LogIndex, Term } from "./entry.ts";

/** The place in the log that a snapshot of the state machine stands for. */
export interface SnapshotPoint {
  /** The last entry whose effect the snapshot holds. */
  readonly index: LogIndex;
  readonly term: Term;
  /** The membership as of `index`, not the newest one. */
  readonly conf: ConfState;
  /** Where `conf` came from: the index of its entry, at most `index`; 0 for the first membership. */
  readonly confIndex: LogIndex;
}

/** A snapshot that is complete. Its bytes are the store's affair and are named by (`index`, `term`). */
export interface SnapshotMeta extends SnapshotPoint {
  /** Length of the snapshot's bytes. */
  readonly sizeBytes: number;
  /** CRC-32 (as `zlib.crc32` has it) of the snapshot's bytes. */
  readonly crc32: number;
}
