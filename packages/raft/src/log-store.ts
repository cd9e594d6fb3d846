import type { Entry, LogIndex, LogPosition, Term } from "./entry.ts";
import type { HardState } from "./hard-state.ts";

/** Entries from `index` on, up to the next run or the end of the log, have this term. */
export interface TermRun {
  readonly index: LogIndex;
  readonly term: Term;
}

/** What a log holds when it is opened. */
export interface LogState {
  /** As last appended; undefined in a log that was never written to. */
  readonly hardState: HardState | undefined;
  /** The position before the first entry: where the log was compacted to or reset to, else index 0 and term 0. */
  readonly base: LogPosition;
  /** Index of the last entry; `base.index` when there is none. */
  readonly lastIndex: LogIndex;
  /** The terms of all entries as ascending runs; empty when there is no entry. */
  readonly terms: readonly TermRun[];
  /** All entries of type `config`, ascending. */
  readonly configs: readonly Entry[];
}

/** What one append makes durable, all of it or nothing. */
export interface LogBatch {
  /** Takes the place of the hard state before it. */
  readonly hardState: HardState;
  /**
   * Set when a snapshot takes the place of the log: every entry is dropped and the log goes on after this position.
   * Happens before `entries` are added.
   */
  readonly reset: LogPosition | undefined;
  /**
   * Contiguous and ascending; may be empty. The first one is at most one beyond the last entry: whatever the log
   * holds from its index on is dropped first.
   */
  readonly entries: readonly Entry[];
}

/**
 * A node's log together with its hard state: term, vote and entries become durable in one step, so that no crash can
 * separate an entry from its term.
 *
 * A store is used by one node at a time, which calls `open` first and once. `append`, `compact` and `entries` may be
 * under way together; of each, `append` and `compact`, at most one.
 *
 * Every method fails with a {@link RaftError}. After `append` or `compact` failed, the store refuses every further
 * write until it is opened anew: what is on the disk is not known then, and writing again could make it look sound
 * (a failed fsync is never tried again in place).
 */
export interface LogStore {
  /**
   * Reads and checks everything: contiguous indexes from `base.index + 1`, terms that never fall, checksums.
   *
   * A batch that was being written when the machine stopped is there whole or not at all.
   *
   * @throws {RaftError} RAFT_LOG_CORRUPT when there is a hole or a wrong checksum anywhere but in such a batch;
   *   RAFT_STORAGE_LOCKED when another process has the log open; RAFT_STORAGE_UNSUPPORTED when a newer release wrote
   *   it
   */
  open(): Promise<LogState>;

  /**
   * Makes a batch durable. Resolves when it would survive a loss of power, never before.
   *
   * The store may keep `entries` and their data, and must not change them.
   *
   * @throws {RaftError} RAFT_STORAGE_FAILED when the disk is full or fails; the batch may then be durable or not
   */
  append(batch: LogBatch): Promise<void>;

  /**
   * Reads entries `from` (inclusive) to `to` (exclusive), in order, as many as fit into `maxBytes` (by
   * {@link entrySize}) but at least one. The caller asks only for what is durable and not dropped by an append that
   * has begun; it must not change what it gets.
   *
   * @throws {RaftError} RAFT_LOG_COMPACTED when `from` is at or before the base (it may have moved during the call);
   *   RAFT_LOG_CORRUPT when a checksum is wrong: bad bytes are never returned
   */
  entries(from: LogIndex, to: LogIndex, maxBytes: number): Promise<readonly Entry[]>;

  /**
   * Drops entries up to and including `base.index`, which becomes the base. What is at or before the present base is
   * ignored. A crash leaves the old base or the new one; space may be freed later.
   */
  compact(base: LogPosition): Promise<void>;

  /** Waits for what is under way and lets the log go. Further calls fail with RAFT_STOPPED. May be called twice. */
  close(): Promise<void>;
}
