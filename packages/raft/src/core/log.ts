import type { ConfState } from "../conf-state.ts";
import type { Entry, LogIndex, LogPosition, Term } from "../entry.ts";
import { invariant, RaftError } from "../errors.ts";
import type { LogState } from "../log-store.ts";
import type { SnapshotPoint } from "../snapshot.ts";
import { type ConfAt, ConfHistory } from "./conf-history.ts";
import { LogTail } from "./log-tail.ts";
import { TermRuns } from "./term-runs.ts";

/** What a {@link RaftLog} starts from. */
export interface RaftLogOptions {
  readonly state: LogState;
  /** The membership at the log's base. */
  readonly base: ConfAt;
  readonly applied: LogIndex;
  readonly maxCachedBytes: number;
}

/**
 * The log as the core sees it: all terms, all memberships, the newest entries, and how far it is durable, committed
 * and applied.
 *
 *     base          applied      applying     stable    writing    last
 *      │ compacted ▏   │            │            │          │        │
 *      └───────────────┴────────────┴────────────┴──────────┴────────┘
 *                            committed is somewhere from applied to last
 *
 * Invariants: base ≤ applied ≤ committed ≤ last, applied ≤ stable ≤ last. One exception: while a snapshot that took
 * the log's place waits for the state machine, applied is before base.
 */
export class RaftLog {
  readonly #terms: TermRuns;
  readonly #confs: ConfHistory;
  readonly #tail: LogTail;
  #committed: LogIndex;
  #applied: LogIndex;
  #stable: LogIndex;
  /** The end of what the append under way writes; falls to before what is overwritten meanwhile. */
  #writing: LogIndex;
  /** Where the log was reset to, until an append that says so is durable. */
  #reset: LogPosition | undefined;
  #resetWriting = false;

  constructor({ state, base, applied, maxCachedBytes }: RaftLogOptions) {
    this.#terms = new TermRuns(state.base, state.lastIndex, state.terms);
    this.#confs = new ConfHistory(base, state.configs);
    this.#tail = new LogTail(state.lastIndex + 1, maxCachedBytes);
    this.#applied = applied;
    this.#committed = Math.max(state.hardState?.commit ?? 0, state.base.index);
    if (this.#committed > state.lastIndex) {
      throw new RaftError(
        "RAFT_LOG_CORRUPT",
        `expected the log to reach its commit index ${this.#committed}, got ${state.lastIndex}`,
        { index: state.lastIndex + 1 },
      );
    }
    this.#stable = state.lastIndex;
    this.#writing = state.lastIndex;
  }

  /** The position before the first entry. */
  get base(): LogPosition {
    return this.#terms.base;
  }

  get last(): LogPosition {
    return this.#terms.last;
  }

  get lastIndex(): LogIndex {
    return this.#terms.lastIndex;
  }

  get lastTerm(): Term {
    return this.#terms.lastTerm;
  }

  /** Known to be committed. */
  get committed(): LogIndex {
    return this.#committed;
  }

  /** Applied to the state machine. */
  get applied(): LogIndex {
    return this.#applied;
  }

  /** Durable on this node. */
  get stable(): LogIndex {
    return this.#stable;
  }

  /** Whether something waits to be written. */
  get dirty(): boolean {
    return this.#stable < this.lastIndex || this.#reset !== undefined;
  }

  /** Whether the log was reset by a snapshot and no durable append has said so. */
  get resetPending(): boolean {
    return this.#reset !== undefined;
  }

  /** Bytes of entries held in memory. */
  get cachedBytes(): number {
    return this.#tail.bytes;
  }

  /** The membership in force: that of the newest `config` entry. */
  get conf(): ConfAt {
    return this.#confs.latest;
  }

  /** The newest membership that is known to be committed. */
  get committedConf(): ConfState {
    return this.#confs.at(this.#committed).conf;
  }

  /** The membership as of `index`, which is in the log or its base. */
  confAt(index: LogIndex): ConfAt {
    return this.#confs.at(index);
  }

  /** The term at `index`; undefined when it is compacted or not there. */
  term(index: LogIndex): Term | undefined {
    return this.#terms.at(index);
  }

  /** Whether the log holds this position. */
  has({ index, term }: LogPosition): boolean {
    return this.#terms.at(index) === term;
  }

  /** Whether a log that ends at `last` is at least as up to date as this one (§5.4.1). */
  isUpToDate(last: LogPosition): boolean {
    return last.term > this.lastTerm || (last.term === this.lastTerm && last.index >= this.lastIndex);
  }

  /** See {@link TermRuns.lastAtMost}. */
  lastAtMost(index: LogIndex, term: Term): LogPosition {
    return this.#terms.lastAtMost(index, term);
  }

  /** Adds an entry at the end. */
  push(entry: Entry): void {
    invariant(entry.index === this.lastIndex + 1, `expected entry ${this.lastIndex + 1}, got ${entry.index}`);
    invariant(entry.term >= this.lastTerm, `expected term ≥ ${this.lastTerm}, got ${entry.term}`);
    if (entry.type === "config") {
      this.#confs.push(entry);
    }
    this.#terms.push(entry.term);
    this.#tail.push(entry);
  }

  /**
   * Takes entries that follow a position which the log holds: skips those it has, and from the first one that differs
   * replaces its own (§5.3). Entries that are already there are never dropped, so a late message undoes nothing.
   *
   * @throws {RaftError} RAFT_INVARIANT when an entry that differs is committed
   */
  merge(entries: readonly Entry[]): void {
    let at = 0;
    while (at < entries.length && this.#terms.at(entries[at]!.index) === entries[at]!.term) {
      at++;
    }
    if (at === entries.length) {
      return;
    }
    const { index } = entries[at]!;
    if (index <= this.lastIndex) {
      invariant(
        index > this.#committed,
        `expected no conflict up to commit index ${this.#committed}, got one at ${index}`,
      );
      this.#truncate(index);
    }
    for (; at < entries.length; at++) {
      this.push(entries[at]!);
    }
  }

  /** Takes note that everything up to `index` is committed. */
  commitTo(index: LogIndex): void {
    if (index > this.#committed) {
      invariant(index <= this.lastIndex, `expected to commit at most ${this.lastIndex}, got ${index}`);
      this.#committed = index;
    }
  }

  /** Entries from memory, by {@link LogTail.slice}; undefined when they must be read from the store. */
  cached(from: LogIndex, to: LogIndex, maxBytes: number): Entry[] | undefined {
    return this.#tail.slice(from, to, maxBytes);
  }

  /** Takes note that what waits to be written is being written. */
  beginWrite(): { reset: LogPosition | undefined; entries: readonly Entry[] } {
    const entries = this.#tail.slice(this.#stable + 1, this.lastIndex + 1, Number.POSITIVE_INFINITY);
    invariant(entries !== undefined, `expected entries from ${this.#stable + 1} on to be in memory`);
    this.#writing = this.lastIndex;
    this.#resetWriting = this.#reset !== undefined;
    return { reset: this.#reset, entries };
  }

  /**
   * Takes note that the write is durable. What was overwritten while it ran does not count: with one write at a time
   * the mark that an overwriting lowered is exact, whatever terms came and went.
   */
  endWrite(): void {
    this.#stable = Math.max(this.#stable, this.#writing);
    if (this.#resetWriting) {
      this.#reset = undefined;
      this.#resetWriting = false;
    }
    this.#tail.evict(this.#stable);
  }

  /** Takes note that the state machine has everything up to `index`. */
  appliedTo(index: LogIndex): void {
    invariant(
      index >= this.#applied && index <= this.#committed,
      `expected to have applied ${this.#applied} to ${this.#committed}, got ${index}`,
    );
    this.#applied = index;
  }

  /** Forgets entries up to `index`, which are durable and applied. */
  compact(index: LogIndex): void {
    if (index <= this.base.index) {
      return;
    }
    invariant(
      index <= this.#applied && index <= this.#stable,
      `expected to compact at most ${Math.min(this.#applied, this.#stable)}, got ${index}`,
    );
    this.#confs.compact(index);
    this.#terms.compact(index);
    this.#tail.compact(index);
  }

  /** Drops the whole log in favour of a snapshot; nothing after it is kept, as it may conflict (§7). */
  reset({ index, term, conf, confIndex }: SnapshotPoint): void {
    this.#terms.reset({ index, term });
    this.#tail.reset(index + 1);
    this.#confs.reset({ index: confIndex, conf });
    this.#committed = index;
    this.#stable = index;
    this.#writing = index;
    this.#reset = { index, term };
    this.#resetWriting = false;
  }

  #truncate(index: LogIndex): void {
    this.#terms.truncate(index);
    this.#confs.truncate(index);
    this.#tail.truncate(index);
    this.#stable = Math.min(this.#stable, index - 1);
    this.#writing = Math.min(this.#writing, index - 1);
  }
}
