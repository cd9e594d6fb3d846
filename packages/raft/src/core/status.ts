import type { ConfState } from "../conf-state.ts";
import type { LogIndex, LogPosition, NodeId, Term } from "../entry.ts";
import type { RoleName } from "./role.ts";
import type { ProgressState } from "./tracker/progress.ts";

/** What a leader knows of one other member. */
export interface ProgressStatus {
  readonly id: NodeId;
  readonly state: ProgressState;
  readonly session: number;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly inflightMessages: number;
  readonly inflightBytes: number;
  readonly recentlyActive: boolean;
  readonly paused: boolean;
  readonly pendingSnapshot: LogIndex;
}

/** A picture of a node for people and metrics. A copy: it does not change afterwards. */
export interface Status {
  readonly id: NodeId;
  readonly role: RoleName;
  readonly term: Term;
  readonly votedFor: NodeId | undefined;
  readonly leaderId: NodeId | undefined;
  /** The position before the first entry of the log. */
  readonly base: LogPosition;
  readonly last: LogPosition;
  readonly stable: LogIndex;
  readonly committed: LogIndex;
  readonly applied: LogIndex;
  /**
   * Set while the state machine is not to be believed and waits for a snapshot of at least this index; see
   * {@link RawNode.rebuild}.
   */
  readonly rebuildFrom: LogIndex | undefined;
  /** The membership in force, and the index of its entry. */
  readonly conf: ConfState;
  readonly confIndex: LogIndex;
  readonly committedConf: ConfState;
  readonly cachedBytes: number;
  /** The rest is a leader's; zero and empty on others. */
  readonly uncommittedBytes: number;
  readonly pendingReads: number;
  readonly transferTarget: NodeId | undefined;
  /** By node id. */
  readonly progress: readonly ProgressStatus[];
}
