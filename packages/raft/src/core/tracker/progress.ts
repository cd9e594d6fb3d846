import type { Entry, LogIndex, NodeId } from "../../entry.ts";
import { Inflights } from "./inflights.ts";

/**
 * How a leader sends to one follower:
 *
 *                    rejected, unreachable
 *               ┌───────────────────────────────┐
 *               ▼         accepted              │
 *     start → probe ──────────────────────▶ replicate
 *              ▲ │                              │
 *       sent,  │ │ the entries it needs         │
 *       failed │ ▼ are compacted                │
 *            snapshot ◀─────────────────────────┘
 *
 * - `probe`: what the follower has is not known; one message, then wait for an answer or a heartbeat;
 * - `replicate`: entries are sent without waiting for answers, as far as the window goes;
 * - `snapshot`: a snapshot is on its way and nothing else is sent.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** What bounds the messages under way to one follower. */
export interface ProgressLimits {
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
}

/**
 * What a leader knows of one follower.
 *
 * Invariant: `match < next`, and the follower's log equals the leader's up to `match`.
 */
export class Progress {
  readonly id: NodeId;
  /**
   * Names this record. A node that is removed and added again gets a new one, so a late answer to the old record,
   * which speaks of a log that may be gone, changes nothing in the new one.
   */
  readonly session: number;
  readonly inflights: Inflights;
  state: ProgressState = "probe";
  /** The follower has everything up to here, durably. */
  match: LogIndex = 0;
  /** The next entry to send. */
  next: LogIndex;
  /** The largest commit index sent to it. */
  sentCommit: LogIndex = 0;
  /** In state `snapshot`: the index of the snapshot on its way. */
  pendingSnapshot: LogIndex = 0;
  /** Whether it answered since the quorum was last checked. */
  recentlyActive = false;
  /** The newest read that it confirmed the leader for. */
  readSequence = 0;
  /** Whether a message should go out even when it has no entries. */
  due = true;
  /** Whether nothing may be sent until an answer or a heartbeat's answer comes. */
  paused = false;
  /** The read from the log store under way on its behalf; 0 for none. */
  readId = 0;
  /** What that read brought, until it is sent. */
  fetched: readonly Entry[] = [];

  constructor(id: NodeId, session: number, next: LogIndex, limits: ProgressLimits) {
    this.id = id;
    this.session = session;
    this.next = next;
    this.inflights = new Inflights(limits.maxInflightMessages, limits.maxInflightBytes);
  }

  /** Asks before sending again, from what is known for sure. */
  becomeProbe(): void {
    // After a snapshot, `pendingSnapshot` is what the follower has at least when it took it; asking there costs one
    // message if not.
    this.next = Math.max(this.match, this.pendingSnapshot) + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.#become("probe");
    this.due = true;
  }

  /** Sends without waiting. */
  becomeReplicate(): void {
    this.next = this.match + 1;
    this.#become("replicate");
  }

  /** Waits for a snapshot of `index` to arrive. */
  becomeSnapshot(index: LogIndex): void {
    this.#become("snapshot");
    this.pendingSnapshot = index;
    this.paused = true;
  }

  /** Takes note that the follower has everything up to `index`; false when that is no news. */
  advance(index: LogIndex): boolean {
    if (index <= this.match) {
      return false;
    }
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    return true;
  }

  /**
   * Takes note that the follower does not have the entry at `rejected`; false when the rejection is old.
   *
   * @param hint - the last index at which the logs may still agree
   */
  retreat(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) {
        return false;
      }
      this.becomeProbe();
      return true;
    }
    // A probe asks at `next - 1`. An answer about another place is a late one.
    if (this.next - 1 !== rejected) {
      return false;
    }
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.fetched = [];
    this.paused = false;
    this.due = true;
    return true;
  }

  /** Takes note that a message with `count` entries and `commit` was sent. */
  sent(count: number, bytes: number, commit: LogIndex): void {
    this.sentCommit = Math.min(commit, this.next - 1 + count);
    this.due = false;
    if (this.state === "replicate") {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.paused = this.inflights.full;
    } else {
      this.paused = true;
    }
  }

  /** Frees the window up to what was acknowledged. */
  free(index: LogIndex): void {
    this.inflights.freeTo(index);
    this.paused = this.inflights.full;
  }

  #become(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.pendingSnapshot = 0;
    this.fetched = [];
    this.inflights.clear();
  }
}
