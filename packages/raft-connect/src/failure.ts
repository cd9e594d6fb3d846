import { Code, ConnectError } from "@connectrpc/connect";
import { RaftError, type RaftErrorCode } from "@mon/raft";

/** The trailer that carries the code of a refusal. */
const codeTrailer = "mon-raft-code";

/** What each code is called in gRPC, for whoever looks at the wire. */
const statusOf: Readonly<Record<RaftErrorCode, Code>> = {
  RAFT_NOT_LEADER: Code.FailedPrecondition,
  RAFT_NOT_MEMBER: Code.FailedPrecondition,
  RAFT_OVERLOADED: Code.ResourceExhausted,
  RAFT_PROPOSAL_TOO_LARGE: Code.InvalidArgument,
  RAFT_TRANSFER_IN_PROGRESS: Code.Unavailable,
  RAFT_TRANSFER_REFUSED: Code.FailedPrecondition,
  RAFT_TRANSFER_FAILED: Code.Unavailable,
  RAFT_CHANGE_IN_PROGRESS: Code.Unavailable,
  RAFT_CHANGE_REFUSED: Code.FailedPrecondition,
  RAFT_FENCED: Code.Unavailable,
  RAFT_STOPPED: Code.Unavailable,
  RAFT_TIMEOUT: Code.DeadlineExceeded,
  RAFT_BUSY: Code.Unavailable,
  RAFT_PROPOSAL_LOST: Code.Aborted,
  RAFT_OUTCOME_UNKNOWN: Code.Unknown,
  RAFT_MALFORMED: Code.InvalidArgument,
  RAFT_INDEX_OVERFLOW: Code.OutOfRange,
  RAFT_TERM_FAR_AHEAD: Code.InvalidArgument,
  RAFT_WRONG_CLUSTER: Code.PermissionDenied,
  RAFT_WRONG_INCARNATION: Code.PermissionDenied,
  RAFT_WRONG_NODE: Code.PermissionDenied,
  RAFT_UNREACHABLE: Code.Unavailable,
  RAFT_STORAGE_FAILED: Code.Internal,
  RAFT_STORAGE_HUNG: Code.Internal,
  RAFT_STORAGE_LOCKED: Code.Internal,
  RAFT_STORAGE_UNSUPPORTED: Code.Internal,
  RAFT_LOG_CORRUPT: Code.DataLoss,
  RAFT_LOG_COMPACTED: Code.OutOfRange,
  RAFT_SNAPSHOT_CORRUPT: Code.DataLoss,
  RAFT_SNAPSHOT_MISSING: Code.NotFound,
  RAFT_FSM_FAILED: Code.Internal,
  RAFT_INVARIANT: Code.Internal,
};

/** Whether a text is a code that this release knows. */
export function isRaftErrorCode(text: string): text is RaftErrorCode {
  return Object.hasOwn(statusOf, text);
}

/** What a peer is told of a failure here. */
export function connectErrorFromFailure(failure: unknown): ConnectError {
  // Of Connect itself, about the bytes of the call.
  if (failure instanceof ConnectError) return failure;
  const { code, message } = RaftError.from(failure);
  return new ConnectError(message, statusOf[code], { [codeTrailer]: code });
}

/** What became of a call: the refusal of the peer, or that it was not reached. */
export function raftErrorFromCall(failure: unknown, peer: string): RaftError {
  if (failure instanceof RaftError) return failure;
  const { rawMessage, metadata } = ConnectError.from(failure);
  const code = metadata.get(codeTrailer);
  const options = { cause: failure };
  if (code !== null && isRaftErrorCode(code)) return new RaftError(code, `${peer}: ${rawMessage}`, options);
  return new RaftError("RAFT_UNREACHABLE", `expected to reach ${peer}, got ${rawMessage}`, options);
}
