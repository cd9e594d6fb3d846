import type { ConfChange } from "./conf-change.ts";
import type { Entry, LogIndex, LogPosition, NodeId, Proposal, Term } from "./entry.ts";
import type { RaftErrorCode } from "./errors.ts";
import type { SnapshotMeta } from "./snapshot.ts";

/** What every message says. */
export interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  /** The sender's term; for `preVote` and a granted `preVoteResponse`, the term that would be stood for. */
  readonly term: Term;
}

/** Asks for a vote (RequestVote, §5.2); as `preVote`, asks whether a vote would be given (thesis §9.6). */
export interface VoteMessage extends Envelope {
  readonly type: "vote" | "preVote";
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** Set when the leader itself asked for the election: the voter then does not protect that leader. */
  readonly transfer: boolean;
  /**
   * Set when the voter is being added: the candidate's newest membership is joint and names the voter in its new half
   * only. A voter that knows of no membership answers no other request with a vote: its log may have been lost.
   */
  readonly newcomer: boolean;
}

/** Answers a {@link VoteMessage}. */
export interface VoteResponse extends Envelope {
  readonly type: "voteResponse" | "preVoteResponse";
  readonly granted: boolean;
}

/**
 * Replicates entries (AppendEntries, §5.3). `entries` follow (`prevIndex`, `prevTerm`) without a gap; may be empty.
 */
export interface AppendMessage extends Envelope {
  readonly type: "append";
  /**
   * Names the leader's record of this follower; echoed, so that answers meant for an older record are not counted.
   */
  readonly session: number;
  readonly prevIndex: LogIndex;
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
  readonly commit: LogIndex;
}

/** Answers an {@link AppendMessage} or a {@link SnapshotMessage}. */
export interface AppendResponse extends Envelope {
  readonly type: "appendResponse";
  readonly session: number;
  /** Accepted: all up to here equals the leader's log and is durable. Rejected: the `prevIndex` that did not fit. */
  readonly index: LogIndex;
  /**
   * Present when rejected: the follower's last position whose term is not above that of `prevIndex` at the leader.
   */
  readonly hint?: LogPosition;
}

/** Keeps followers from standing, tells what is committed, and asks for the proof that a read needs. */
export interface HeartbeatMessage extends Envelope {
  readonly type: "heartbeat";
  readonly session: number;
  /**
   * The leader's commit index, or what it knows the follower to have if that is less. With its term, so that a
   * follower takes it only when its log agrees there. Zeroes when the leader has nothing to say.
   */
  readonly commit: LogPosition;
  /** The newest read that waits for proof of leadership; 0 for none. */
  readonly readSequence: number;
}

/** Answers a {@link HeartbeatMessage}. */
export interface HeartbeatResponse extends Envelope {
  readonly type: "heartbeatResponse";
  readonly session: number;
  readonly readSequence: number;
}

/**
 * Says that a snapshot takes the place of the log up to it (InstallSnapshot, §7). The bytes travel beside it: the
 * receiver has them whole, checked and durable before it steps this message.
 */
export interface SnapshotMessage extends Envelope {
  readonly type: "snapshot";
  readonly session: number;
  readonly snapshot: SnapshotMeta;
}

/** Tells a voter to stand for election at once (thesis §3.10). */
export interface TimeoutNowMessage extends Envelope {
  readonly type: "timeoutNow";
}

/** Hands proposals to the leader. */
export interface ProposeMessage extends Envelope {
  readonly type: "propose";
  /** Chosen by the sender, unique among those it waits for. */
  readonly requestId: number;
  readonly proposals: readonly Proposal[];
}

/** Hands a change of membership to the leader. */
export interface ProposeChangeMessage extends Envelope {
  readonly type: "proposeChange";
  readonly requestId: number;
  readonly change: ConfChange;
}

/**
 * Answers {@link ProposeMessage} and {@link ProposeChangeMessage}: appended, which is not committed yet, or refused.
 */
export interface ProposeResponse extends Envelope {
  readonly type: "proposeResponse";
  readonly requestId: number;
  readonly outcome: ProposeOutcome;
}

/** Where the first proposal went (the others follow it), or why nothing was appended. */
export type ProposeOutcome =
  | { readonly index: LogIndex; readonly term: Term }
  | { readonly refused: RaftErrorCode };

/** Asks the leader for an index to read at. */
export interface ReadIndexMessage extends Envelope {
  readonly type: "readIndex";
  readonly requestId: number;
}

/** Answers a {@link ReadIndexMessage}: a state machine that has applied `index` is new enough. */
export interface ReadIndexResponse extends Envelope {
  readonly type: "readIndexResponse";
  readonly requestId: number;
  readonly index: LogIndex;
}

/** Asks the leader to hand over to `target`. */
export interface TransferMessage extends Envelope {
  readonly type: "transferLeadership";
  readonly target: NodeId;
}

/** Tells the leader a fingerprint of the state machine; between drivers, the core does not heed it. */
export interface StateHashMessage extends Envelope {
  readonly type: "stateHash";
  /** The last entry that the state machine had applied. */
  readonly index: LogIndex;
  readonly hash: string;
}

/**
 * Tells a member that its state machine differs from that of a quorum; between drivers. The leader says so, in whatever
 * term: which fingerprint a quorum had at an index never changes.
 */
export interface DivergedMessage extends Envelope {
  readonly type: "diverged";
  readonly index: LogIndex;
  /** What a quorum of the voters has there. */
  readonly hash: string;
}

/** Asks the leader for a snapshot, to take the place of a state machine that differs; between drivers. */
export interface SnapshotRequestMessage extends Envelope {
  readonly type: "snapshotRequest";
  /** The snapshot must reach this far. */
  readonly index: LogIndex;
}

/**
 * All that servers say to each other. Messages may be lost, doubled, delayed and reordered. They are immutable, and
 * the entries in them are those of the log: a transport must not change them, and need not copy them.
 */
export type Message =
  | VoteMessage
  | VoteResponse
  | AppendMessage
  | AppendResponse
  | HeartbeatMessage
  | HeartbeatResponse
  | SnapshotMessage
  | TimeoutNowMessage
  | ProposeMessage
  | ProposeChangeMessage
  | ProposeResponse
  | ReadIndexMessage
  | ReadIndexResponse
  | TransferMessage
  | StateHashMessage
  | DivergedMessage
  | SnapshotRequestMessage;

/** The names of all messages. */
export type MessageType = Message["type"];
