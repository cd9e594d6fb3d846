/**
 * Raft consensus: a driver to use, a core to build on, and the parts between them.
 *
 * Most programs want {@link RaftNode}: give it a state machine ({@link FSM}), a {@link LogStore}, a
 * {@link StableStore}, a {@link SnapshotStore}, a {@link Transport}, a clock and randomness; `start` it; `propose`
 * and `read`. In-memory versions of all of them are here too.
 *
 * {@link RawNode} is the algorithm alone. It does no I/O, has no timers, no promises and no clock, and the same
 * inputs give the same outputs. Whoever drives it
 *
 * 1. gives a new member of a new cluster {@link bootstrapBatch} as its first append, and nobody else anything;
 * 2. opens the log ({@link LogStore.open}), restores the state machine from the newest snapshot, and makes a
 *    `RawNode` of both;
 * 3. calls `tick` at a steady pace, and once only for a time in which it could not;
 * 4. calls `step` for each message that comes in, and before a `tick` for those that came before it;
 * 5. calls `propose`, `proposeConfChange`, `readIndex`, `transferLeadership` as its program wishes;
 * 6. after any of these calls `ready` until it returns undefined, and does what it says:
 *    - sends `messages`, at once, in any order, losing some if it must. A `snapshot` message goes with the
 *      snapshot's bytes, and how that went is told by `reportSnapshot`, always;
 *    - gives `append` to the log store. When it is durable, and only then, it calls `appended`. If it fails, or
 *      hangs, it throws the node away and never repeats it;
 *    - applies `apply` to the state machine and then calls `applied`;
 *    - reads `fetches` from the log store and hands what it got to `fetched`;
 *    - answers the reads in `readStates` once their index is applied;
 * 7. takes a snapshot of the state machine now and then, for `snapshotPoint` of an index it has applied, and when it
 *    is durable calls `snapshotSaved` and compacts the log store to what that returns;
 * 8. stores the bytes of a snapshot that comes in, checked and durable, before it steps the message;
 * 9. if it finds that the state machine is not to be believed, calls `rebuild`, and has the leader send a snapshot by
 *    `snapshotMessage`, of at least the index that the status then names.
 *
 * The calls of 6 may overlap in any way; at most one append and one application are under way at a time, so what
 * comes meanwhile is gathered for the next. Nothing else is asked of the driver about order: what may not leave
 * before something is durable comes out of `ready` after it.
 *
 * @packageDocumentation
 */
export type { ConfChange, ConfChangeStep } from "./conf-change.ts";
export {
  type ConfState,
  decodeConfState,
  emptyConfState,
  encodeConfState,
  isJoint,
  isMember,
  isVoter,
  membersOf,
  sameConf,
} from "./conf-state.ts";
export { bootstrapBatch } from "./core/bootstrap.ts";
export type { LogFetch } from "./core/fetches.ts";
export {
  type RawNodeOptions,
  type RawNodeOptionsInput,
  rawNodeDefaults,
} from "./core/options.ts";
export type { ForwardedOutcome, ReadState } from "./core/raft.ts";
export { RawNode, type RawNodeState } from "./core/raw-node.ts";
export type { Application, Ready, SoftState } from "./core/ready.ts";
export type { RoleName } from "./core/role.ts";
export type { ProgressStatus, Status } from "./core/status.ts";
export type { ProgressState } from "./core/tracker/progress.ts";
export {
  type Entry,
  type EntryType,
  entrySize,
  type LogIndex,
  type LogPosition,
  MAX_INDEX,
  type NodeId,
  origin,
  type Proposal,
  type Term,
} from "./entry.ts";
export { RaftError, type RaftErrorCode, type RaftErrorOptions } from "./errors.ts";
export type { FSM, FsmSnapshot } from "./fsm.ts";
export { type HardState, initialHardState } from "./hard-state.ts";
export type { LogBatch, LogState, LogStore, TermRun } from "./log-store.ts";
export { MemoryLogStore } from "./memory/memory-log-store.ts";
export { MemoryNetwork } from "./memory/memory-network.ts";
export { MemorySnapshotStore } from "./memory/memory-snapshot-store.ts";
export { MemoryStableStore } from "./memory/memory-stable-store.ts";
export type * from "./message.ts";
export type { Clock, Timer } from "./node/clock.ts";
export type { RaftNodeEvents } from "./node/events.ts";
export type { RaftMetrics } from "./node/metrics.ts";
export { type RaftNodeOptions, raftNodeDefaults } from "./node/options.ts";
export type { Applied } from "./node/proposal-book.ts";
export {
  type CallOptions,
  RaftNode,
  type RaftNodeConfig,
  type RaftNodeDeps,
  type RaftNodeState,
} from "./node/raft-node.ts";
export {
  ClientSession,
  type ResultCodec,
  type SessionOptions,
  type SessionResult,
  withSessions,
} from "./node/sessions.ts";
export { RaftSupervisor, type RaftSupervisorEvents, type RaftSupervisorOptions } from "./node/supervisor.ts";
export type { Random } from "./random.ts";
export type { SnapshotMeta, SnapshotPoint } from "./snapshot.ts";
export type { SnapshotSink, SnapshotStore } from "./snapshot-store.ts";
export type { Identity, StableState, StableStore } from "./stable-store.ts";
export type { Transport, TransportHandler } from "./transport.ts";
