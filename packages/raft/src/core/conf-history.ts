import { type ConfState, decodeConfState } from "../conf-state.ts";
import type { Entry, LogIndex } from "../entry.ts";

/** A membership and the index of the entry that brought it. */
export interface ConfAt {
  readonly index: LogIndex;
  readonly conf: ConfState;
}

/**
 * Every membership that the log holds, so that the one in force is always that of the newest `config` entry in the
 * log (§6), and an entry that is truncated takes its membership with it.
 */
export class ConfHistory {
  /** Ascending; the first one is in force at the log's base. */
  #confs: ConfAt[];

  constructor(first: ConfAt, entries: readonly Entry[]) {
    this.#confs = [first];
    for (const entry of entries) {
      if (entry.index > first.index) {
        this.push(entry);
      }
    }
  }

  /** The membership in force. */
  get latest(): ConfAt {
    return this.#confs[this.#confs.length - 1]!;
  }

  /** The membership as of `index`, which is not before the log's base. */
  at(index: LogIndex): ConfAt {
    let found = this.#confs[0]!;
    for (const conf of this.#confs) {
      if (conf.index > index) {
        break;
      }
      found = conf;
    }
    return found;
  }

  /**
   * Takes the membership of a `config` entry into force.
   *
   * @throws {RaftError} RAFT_MALFORMED when its data is none
   */
  push(entry: Entry): void {
    this.#confs.push({ index: entry.index, conf: decodeConfState(entry.data) });
  }

  /** Forgets memberships from `index` on; the one before is in force again. */
  truncate(index: LogIndex): void {
    while (this.#confs.length > 1 && this.latest.index >= index) {
      this.#confs.pop();
    }
  }

  /** Forgets memberships that were over at `index`. */
  compact(index: LogIndex): void {
    const first = this.#confs.indexOf(this.at(index));
    this.#confs.splice(0, first);
  }

  /** Starts over from a snapshot. */
  reset(first: ConfAt): void {
    this.#confs = [first];
  }
}
