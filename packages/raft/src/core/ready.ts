import type { Entry, LogIndex, NodeId, Term } from "../entry.ts";
import type { LogBatch } from "../log-store.ts";
import type { Message } from "../message.ts";
import type { SnapshotMeta } from "../snapshot.ts";
import type { LogFetch } from "./fetches.ts";
import type { ForwardedOutcome, ReadState } from "./raft.ts";
import type { RoleName } from "./role.ts";

/** What changes without being written: of interest to whoever waits for a leader. */
export interface SoftState {
  readonly role: RoleName;
  readonly leaderId: NodeId | undefined;
  readonly term: Term;
}

/** What the state machine is to do next. */
export type Application =
  | {
      /** Committed, durable on this node, in order, without a gap; of all types. */
      readonly entries: readonly Entry[];
      readonly snapshot?: undefined;
      /** The last index of `entries`, for {@link RawNode.applied}. */
      readonly index: LogIndex;
    }
  | {
      readonly entries?: undefined;
      /** Takes the state machine's place. */
      readonly snapshot: SnapshotMeta;
      readonly index: LogIndex;
    };

/**
 * What a {@link RawNode} wants done. The parts are independent: they may be done in any order and at the same time.
 * In particular messages never wait for the append that came with them.
 */
export interface Ready {
  /** Present when it changed. */
  readonly softState: SoftState | undefined;
  /** To be sent to their `to`. Everything that they claim is durable. */
  readonly messages: readonly Message[];
  /**
   * To be given to {@link LogStore.append}; then call {@link RawNode.appended}. There is never a second one before
   * that.
   */
  readonly append: LogBatch | undefined;
  /** To be done to the state machine; then call {@link RawNode.applied}. There is never a second one before that. */
  readonly apply: Application | undefined;
  /** To be read by {@link LogStore.entries}; then call {@link RawNode.fetched}. */
  readonly fetches: readonly LogFetch[];
  /** Reads of this node that may be answered when their index is applied. */
  readonly readStates: readonly ReadState[];
  /** Answers of the leader to proposals that this node forwarded. */
  readonly outcomes: readonly ForwardedOutcome[];
}
