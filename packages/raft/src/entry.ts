/**
 * A place in the log. Indexes count from 1; 0 stands for the place before the first entry. A `number` below 2^53:
 * at a million entries a second that lasts 285 years.
 */
export type LogIndex = number;

/** An election term. Terms count from 1; 0 is the term before the first election. A `number` below 2^53. */
export type Term = number;

/** The name of a member, unique in its cluster and never given to another machine or disk. 1 to 128 characters. */
export type NodeId = string;

/**
 * What an entry is for:
 *
 * - `command`: proposed by the program, applied by its state machine;
 * - `noop`: appended by a leader when it is elected, so that it learns what is committed (§8);
 * - `config`: a membership, encoded by {@link encodeConfState}; in force as soon as it is in the log.
 */
export type EntryType = "command" | "noop" | "config";

/**
 * One entry of the log. Immutable, and so are the bytes of `data`: the log, messages under way and the state machine
 * share them without copying.
 */
export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly type: EntryType;
  readonly data: Uint8Array;
  /**
   * The proposer's clock, in milliseconds since the Unix epoch; 0 where nobody gave one. For people and retention:
   * clocks differ, so neither order nor safety may rest on it.
   */
  readonly timestampMs: number;
}

/**
 * A position together with the term of the entry there; two logs that hold it agree on everything before it (§5.3).
 */
export interface LogPosition {
  readonly index: LogIndex;
  readonly term: Term;
}

/** What a program asks the cluster to append. */
export interface Proposal {
  /** Owned by the node from the call on: do not change it afterwards. */
  readonly data: Uint8Array;
  /** See {@link Entry.timestampMs}. */
  readonly timestampMs: number;
}

/** The largest index or term. Beyond it a message or a log is refused with `RAFT_INDEX_OVERFLOW`. */
export const MAX_INDEX: number = Number.MAX_SAFE_INTEGER;

/** The position before the first entry of a log that was never compacted. */
export const origin: LogPosition = Object.freeze({ index: 0, term: 0 });

/** What an entry weighs against limits in bytes: its data, and what its other fields cost on the wire. */
export function entrySize(entry: Entry): number {
  return entry.data.byteLength + ENTRY_OVERHEAD_BYTES;
}

/** Counted for each entry beside its data, so that a flood of empty entries is bounded too. */
const ENTRY_OVERHEAD_BYTES = 32;
