import type { NodeId } from "./entry.ts";

/** What went wrong; stable, so switch on this and never on the message. The README says what to do about each. */
export type RaftErrorCode =
  // Refused: nothing was appended.
  | "RAFT_NOT_LEADER"
  | "RAFT_NOT_MEMBER"
  | "RAFT_OVERLOADED"
  | "RAFT_PROPOSAL_TOO_LARGE"
  | "RAFT_TRANSFER_IN_PROGRESS"
  | "RAFT_TRANSFER_REFUSED"
  | "RAFT_TRANSFER_FAILED"
  | "RAFT_CHANGE_IN_PROGRESS"
  | "RAFT_CHANGE_REFUSED"
  | "RAFT_FENCED"
  | "RAFT_STOPPED"
  | "RAFT_TIMEOUT"
  | "RAFT_BUSY"
  // Appended, and then lost or not seen to the end.
  | "RAFT_PROPOSAL_LOST"
  | "RAFT_OUTCOME_UNKNOWN"
  // Messages and peers.
  | "RAFT_MALFORMED"
  | "RAFT_INDEX_OVERFLOW"
  | "RAFT_TERM_FAR_AHEAD"
  | "RAFT_WRONG_CLUSTER"
  | "RAFT_WRONG_INCARNATION"
  | "RAFT_WRONG_NODE"
  | "RAFT_UNREACHABLE"
  // Storage.
  | "RAFT_STORAGE_FAILED"
  | "RAFT_STORAGE_HUNG"
  | "RAFT_STORAGE_LOCKED"
  | "RAFT_STORAGE_UNSUPPORTED"
  | "RAFT_LOG_CORRUPT"
  | "RAFT_LOG_COMPACTED"
  | "RAFT_SNAPSHOT_CORRUPT"
  | "RAFT_SNAPSHOT_MISSING"
  // The state machine.
  | "RAFT_FSM_FAILED"
  // A broken promise of this library or of a store: the node stops.
  | "RAFT_INVARIANT";

/** Facts that go with some codes. */
export interface RaftErrorOptions extends ErrorOptions {
  readonly leaderId?: NodeId | undefined;
  readonly index?: number | undefined;
}

/**
 * What depends on the cluster, on a disk or on foreign bytes and can therefore happen to a correct caller. A value
 * that could never be right is a `TypeError` or a `RangeError` instead.
 */
export class RaftError extends Error {
  override readonly name: "RaftError" = "RaftError";
  readonly code: RaftErrorCode;
  /** Who leads, as far as the node knows; with RAFT_NOT_LEADER. */
  readonly leaderId: NodeId | undefined;
  /** The place in the log that the error is about, where there is one. */
  readonly index: number | undefined;

  constructor(code: RaftErrorCode, message: string, options: RaftErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.code = code;
    this.leaderId = options.leaderId;
    this.index = options.index;
  }

  /**
   * Gives what is a `RaftError` back, and anything else as the cause of one: a mistake in this library or a store.
   */
  static from(error: unknown): RaftError {
    if (error instanceof RaftError) {
      return error;
    }
    const { message } = error instanceof Error ? error : new Error(String(error));
    return new RaftError("RAFT_INVARIANT", `expected a coded error, got ${message}`, { cause: error });
  }
}

/**
 * Says that something holds which this library or a store promises. A failure means memory and disk can no longer be
 * trusted to agree: the node stops, and nothing is acknowledged.
 *
 * @throws {RaftError} RAFT_INVARIANT when it does not hold
 */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) {
    throw new RaftError("RAFT_INVARIANT", message);
  }
}
