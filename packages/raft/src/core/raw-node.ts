import type { ConfChange } from "../conf-change.ts";
import { type ConfState, emptyConfState } from "../conf-state.ts";
import type { Entry, LogIndex, LogPosition, NodeId, Proposal } from "../entry.ts";
import { invariant, RaftError } from "../errors.ts";
import { type HardState, initialHardState } from "../hard-state.ts";
import type { LogBatch, LogState } from "../log-store.ts";
import type { Message, SnapshotMessage } from "../message.ts";
import type { SnapshotMeta, SnapshotPoint } from "../snapshot.ts";
import { campaign } from "./election.ts";
import type { Leader } from "./leader.ts";
import { RaftLog } from "./log.ts";
import { type RawNodeOptionsInput, resolveRawNodeOptions } from "./options.ts";
import { Raft } from "./raft.ts";
import type { Application, Ready, SoftState } from "./ready.ts";
import type { ProgressStatus, Status } from "./status.ts";

/** What a {@link RawNode} finds when it starts. */
export interface RawNodeState {
  /** From {@link LogStore.open}. */
  readonly log: LogState;
  /** The newest snapshot in the store. Must reach back to the log's base. */
  readonly snapshot?: SnapshotMeta | undefined;
  /** What the state machine holds already: the index of `snapshot` if it was restored from it, 0 if it is new. */
  readonly applied: LogIndex;
}

/**
 * One server of a Raft cluster as a deterministic machine: it does no I/O, sets no timer and reads no clock. Inputs
 * are method calls; what it wants done comes out of {@link ready}, and that it was done goes back in.
 *
 * Not reentrant. After a RAFT_INVARIANT error it must not be used any more.
 */
export class RawNode {
  readonly #raft: Raft;
  /** The hard state in the append under way. */
  #writing: HardState | undefined;
  /** The index up to which the state machine is working; 0 when it is idle. */
  #applying: LogIndex = 0;
  /** Whether entries to apply are being read from the store, and what came. */
  #applyFetch = 0;
  #toApply: readonly Entry[] = [];
  #softState: SoftState;

  /**
   * @throws {RaftError} RAFT_LOG_CORRUPT when the parts of the state do not fit each other; RAFT_SNAPSHOT_MISSING
   *   when the log was compacted and there is no snapshot for what is gone
   * @throws {RangeError} or {TypeError} when an option is out of its range
   */
  constructor(input: RawNodeOptionsInput, { log: logState, snapshot, applied }: RawNodeState) {
    const options = resolveRawNodeOptions(input);
    if (logState.base.index > (snapshot?.index ?? 0)) {
      throw new RaftError(
        "RAFT_SNAPSHOT_MISSING",
        `expected a snapshot from index ${logState.base.index} on, got ${snapshot?.index ?? "none"}`,
        { index: logState.base.index },
      );
    }
    // The snapshot may be newer than the base; its membership then only serves until the log's own entries say more.
    const base =
      snapshot === undefined
        ? { index: 0, conf: emptyConfState }
        : { index: Math.min(snapshot.confIndex, logState.base.index), conf: snapshot.conf };
    const log = new RaftLog({ state: logState, base, applied: 0, maxCachedBytes: options.maxCachedBytes });
    this.#raft = new Raft(options, logState.hardState ?? initialHardState, log, snapshot);
    this.#recover(snapshot, applied);
    this.#softState = this.#currentSoftState();
  }

  // ── Inputs ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Lets one tick of time pass. */
  tick(): void {
    this.#raft.tick();
  }

  /**
   * Takes a message from another node.
   *
   * @throws {RaftError} RAFT_WRONG_NODE, RAFT_MALFORMED, RAFT_INDEX_OVERFLOW or RAFT_TERM_FAR_AHEAD: the message is
   *   refused and nothing has changed. RAFT_INVARIANT: stop the node
   */
  step(message: Message): void {
    this.#raft.step(message);
  }

  /**
   * Appends proposals to the leader's log, all or none. That says nothing yet: they are done when they come out of
   * {@link ready} to be applied at this very index and term. Another term there means that they are lost.
   *
   * @returns the position of the first; the others follow it
   * @throws {RaftError} RAFT_NOT_LEADER, RAFT_TRANSFER_IN_PROGRESS, RAFT_PROPOSAL_TOO_LARGE or RAFT_OVERLOADED
   */
  propose(proposals: readonly Proposal[]): LogPosition {
    return this.#leader().propose(proposals);
  }

  /**
   * Sends proposals to the leader. The answer comes out of {@link ready} as an outcome, or never: messages get lost.
   *
   * @param requestId - names the answer
   * @throws {RaftError} RAFT_NOT_LEADER when no leader is known
   */
  forwardProposals(requestId: number, proposals: readonly Proposal[]): void {
    const { id, term } = this.#raft;
    this.#raft.outbox.send({
      type: "propose",
      from: id,
      to: this.#knownLeader(),
      term,
      requestId,
      proposals,
    });
  }

  /**
   * Appends a change of membership to the leader's log. It is in force from then on and safe when committed; when it
   * touches voters, a second entry that ends the joint membership follows by itself.
   *
   * @throws {RaftError} RAFT_NOT_LEADER, RAFT_CHANGE_IN_PROGRESS, RAFT_CHANGE_REFUSED or RAFT_TRANSFER_IN_PROGRESS
   */
  proposeConfChange(change: ConfChange): LogPosition {
    return this.#leader().proposeChange(change);
  }

  /** As {@link forwardProposals}, for a change of membership. */
  forwardConfChange(requestId: number, change: ConfChange): void {
    const { id, term } = this.#raft;
    this.#raft.outbox.send({
      type: "proposeChange",
      from: id,
      to: this.#knownLeader(),
      term,
      requestId,
      change,
    });
  }

  /**
   * Asks for an index to read at (§8). On a follower the leader is asked. The answer comes out of {@link ready} as a
   * read state, or never: ask again when the leader changes or after a while.
   *
   * @throws {RaftError} RAFT_NOT_LEADER when no leader is known; RAFT_OVERLOADED when too many reads wait
   */
  readIndex(requestId: number): void {
    const { id, leader, term } = this.#raft;
    if (leader !== undefined) {
      leader.readIndex({ from: id, requestId });
    } else {
      this.#raft.outbox.send({ type: "readIndex", from: id, to: this.#knownLeader(), term, requestId });
    }
  }

  /**
   * Hands leadership to another voter: waits until it has the whole log, then has it stand at once. Proposals are
   * refused meanwhile; after an election timeout without success the leader goes on. A follower asks the leader.
   *
   * @throws {RaftError} RAFT_NOT_LEADER when no leader is known; on the leader also RAFT_TRANSFER_REFUSED when the
   *   target is a learner, no member or the leader itself, and RAFT_TRANSFER_IN_PROGRESS
   */
  transferLeadership(target: NodeId): void {
    const { id, leader, term } = this.#raft;
    if (leader !== undefined) {
      leader.transfer(target);
    } else {
      this.#raft.outbox.send({ type: "transferLeadership", from: id, to: this.#knownLeader(), term, target });
    }
  }

  /** Stands for election now, if this node may and does not lead. */
  campaign(): void {
    const raft = this.#raft;
    if (raft.leader === undefined && raft.promotable) {
      campaign(raft, raft.options.preVote ? "preVote" : "vote");
    }
  }

  /** Gives up leadership now, naming a successor where one answers. For a leader that can no longer do its work. */
  resign(): void {
    this.#raft.leader?.resign();
  }

  /** Says that messages to a member were probably lost. */
  reportUnreachable(id: NodeId): void {
    this.#raft.leader?.replicator.unreachable(id);
  }

  /** Says how a `snapshot` message fared: whether its bytes reached the member. Owed for each such message. */
  reportSnapshot(id: NodeId, ok: boolean): void {
    this.#raft.leader?.replicator.snapshotSent(id, ok);
  }

  /**
   * Says that the state machine is not to be believed. From here on nothing is applied to it, and this node sends no
   * snapshot of it, until one that another node sent, of at least what is applied or being applied now, has taken its
   * place. The log and the vote are not touched: this node votes and acknowledges as before. Idempotent.
   */
  rebuild(): void {
    const raft = this.#raft;
    raft.rebuildFrom ??= Math.max(raft.log.applied, this.#applying);
  }

  /** See {@link Status.rebuildFrom}. */
  get rebuildFrom(): LogIndex | undefined {
    return this.#raft.rebuildFrom;
  }

  /** The newest snapshot in this node's store; undefined when there is none. */
  get newestSnapshot(): SnapshotMeta | undefined {
    return this.#raft.snapshot;
  }

  /**
   * The message with which the leader sends a snapshot of its own to a member that asks for one, whatever the member's
   * log needs.
   *
   * @returns undefined when this node does not lead, is itself not to be believed, or does not know the member
   */
  snapshotMessage(to: NodeId, snapshot: SnapshotMeta): SnapshotMessage | undefined {
    const { id, leader, rebuildFrom, term } = this.#raft;
    const session = leader?.replicator.get(to)?.session;
    return session === undefined || rebuildFrom !== undefined
      ? undefined
      : { type: "snapshot", from: id, to, term, session, snapshot };
  }

  // ── Completions ───────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Says that the append of the last {@link Ready} is durable. When it failed, there is nothing to say: stop the
   * node.
   */
  appended(): void {
    const raft = this.#raft;
    invariant(this.#writing !== undefined, "expected an append to be under way");
    raft.durable = this.#writing;
    this.#writing = undefined;
    raft.log.endWrite();
    for (const message of raft.outbox.endWrite(raft.id)) {
      raft.step(message);
    }
    raft.leader?.maybeCommit();
  }

  /** Says that the state machine has done what {@link Ready.apply} said. */
  applied(index: LogIndex): void {
    const raft = this.#raft;
    invariant(
      this.#applying !== 0 && index === this.#applying,
      `expected to have applied ${this.#applying}, got ${index}`,
    );
    this.#applying = 0;
    if (raft.restoring?.index === index) {
      raft.restoring = undefined;
      if (raft.rebuildFrom !== undefined && index >= raft.rebuildFrom) {
        raft.rebuildFrom = undefined;
      }
    }
    // While it worked, a snapshot may have overtaken it.
    if (index > raft.log.applied) {
      raft.log.appliedTo(index);
    }
  }

  /**
   * Brings entries that were asked for.
   *
   * @param entries - empty when they were compacted meanwhile
   */
  fetched(id: number, entries: readonly Entry[]): void {
    if (this.#raft.fetches.end(id, entries)) {
      this.#applyFetch = 0;
      this.#toApply = entries;
    }
  }

  /**
   * Says that a snapshot made on this node is durable, and forgets the log before it, but for the trailing entries.
   *
   * @returns where {@link LogStore.compact} may cut; undefined when nothing is to be cut
   */
  snapshotSaved(snapshot: SnapshotMeta): LogPosition | undefined {
    const raft = this.#raft;
    if (raft.snapshot !== undefined && snapshot.index <= raft.snapshot.index) {
      return undefined;
    }
    raft.snapshot = snapshot;
    const index = Math.min(snapshot.index - raft.options.trailingEntries, raft.log.applied, raft.log.stable);
    if (index <= raft.log.base.index) {
      return undefined;
    }
    raft.log.compact(index);
    return raft.log.base;
  }

  // ── Outputs ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** What is to be done; undefined when nothing is. */
  ready(): Ready | undefined {
    const raft = this.#raft;
    raft.leader?.flush();
    const softState = this.#changedSoftState();
    const append = this.#beginAppend();
    if (append === undefined && this.#writing === undefined) {
      raft.outbox.settle();
    }
    const messages = raft.outbox.take(raft.termDurable);
    const apply = this.#beginApply();
    const fetches = raft.fetches.take();
    const { readStates, outcomes } = raft;
    if (
      softState === undefined &&
      append === undefined &&
      apply === undefined &&
      messages.length + fetches.length + readStates.length + outcomes.length === 0
    ) {
      return undefined;
    }
    raft.readStates = [];
    raft.outcomes = [];
    return { softState, messages, append, apply, fetches, readStates, outcomes };
  }

  /**
   * The point that a snapshot of the state machine as of `index` stands for; `index` is applied and not before the
   * log's base.
   */
  snapshotPoint(index: LogIndex): SnapshotPoint {
    const { log } = this.#raft;
    const term = log.term(index);
    invariant(
      term !== undefined && index <= log.applied,
      `expected an index from ${log.base.index} to ${log.applied}, got ${index}`,
    );
    const { index: confIndex, conf } = log.confAt(index);
    return { index, term, conf, confIndex };
  }

  /** The membership in force. */
  get conf(): ConfState {
    return this.#raft.log.conf.conf;
  }

  /** Who leads the term, as far as known; this node's own id when it leads. */
  get leaderId(): NodeId | undefined {
    return this.#raft.leaderId;
  }

  /** A picture of the node. O(members). */
  status(): Status {
    const { id, leader, leaderId, log, rebuildFrom, role, term, votedFor } = this.#raft;
    const { index: confIndex, conf } = log.conf;
    return {
      id,
      role: role.kind,
      term,
      votedFor,
      leaderId,
      base: log.base,
      last: log.last,
      stable: log.stable,
      committed: log.committed,
      applied: log.applied,
      rebuildFrom,
      conf,
      confIndex,
      committedConf: log.committedConf,
      cachedBytes: log.cachedBytes,
      uncommittedBytes: leader?.uncommitted.bytes ?? 0,
      pendingReads: leader?.reads.size ?? 0,
      transferTarget: leader?.transferTarget,
      progress: leader === undefined ? [] : progressStatus(leader),
    };
  }

  // ── Inside ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes one state of log and snapshot, which a crash may have left a step apart. */
  #recover(snapshot: SnapshotMeta | undefined, applied: LogIndex): void {
    const raft = this.#raft;
    const { log } = raft;
    if (snapshot !== undefined) {
      if (snapshot.term > raft.term) {
        raft.raiseTerm(snapshot.term);
      }
      if (log.has(snapshot)) {
        log.commitTo(snapshot.index);
      } else if (snapshot.index > log.committed) {
        // Received and stored, and then the node stopped before the log was reset to it.
        log.reset(snapshot);
      } else {
        throw new RaftError(
          "RAFT_LOG_CORRUPT",
          `expected term ${snapshot.term} at committed entry ${snapshot.index}, got ${log.term(snapshot.index)}`,
          { index: snapshot.index },
        );
      }
      if (applied < snapshot.index && applied < log.base.index) {
        raft.restoring = snapshot;
      }
    }
    if (applied > log.committed) {
      throw new RaftError(
        "RAFT_LOG_CORRUPT",
        `expected a state machine of at most index ${log.committed}, got ${applied}`,
        { index: applied },
      );
    }
    log.appliedTo(applied);
  }

  #leader(): Leader {
    const { leader, leaderId } = this.#raft;
    if (leader === undefined) {
      throw new RaftError("RAFT_NOT_LEADER", `expected to lead, got a ${this.#raft.role.kind}`, { leaderId });
    }
    return leader;
  }

  #knownLeader(): NodeId {
    const { leaderId } = this.#raft;
    if (leaderId === undefined) {
      throw new RaftError("RAFT_NOT_LEADER", "expected to know a leader, got none");
    }
    return leaderId;
  }

  #currentSoftState(): SoftState {
    const { leaderId, role, term } = this.#raft;
    return { role: role.kind, leaderId, term };
  }

  #changedSoftState(): SoftState | undefined {
    const now = this.#currentSoftState();
    const before = this.#softState;
    if (now.role === before.role && now.leaderId === before.leaderId && now.term === before.term) {
      return undefined;
    }
    this.#softState = now;
    return now;
  }

  #beginAppend(): LogBatch | undefined {
    const raft = this.#raft;
    if (this.#writing !== undefined || (raft.termDurable && !raft.log.dirty)) {
      return undefined;
    }
    const { reset, entries } = raft.log.beginWrite();
    raft.outbox.beginWrite(raft.termDurable);
    this.#writing = raft.hardState;
    return { hardState: this.#writing, reset, entries };
  }

  #beginApply(): Application | undefined {
    const { log, restoring } = this.#raft;
    if (this.#applying !== 0) {
      return undefined;
    }
    if (restoring !== undefined) {
      // The log must say first, durably, that it starts from this snapshot.
      if (log.resetPending) {
        return undefined;
      }
      this.#applying = restoring.index;
      return { snapshot: restoring, index: restoring.index };
    }
    const entries = this.#raft.rebuildFrom === undefined ? this.#entriesToApply() : [];
    if (entries.length === 0) {
      return undefined;
    }
    this.#applying = entries[entries.length - 1]!.index;
    return { entries, index: this.#applying };
  }

  #entriesToApply(): readonly Entry[] {
    const { fetches, log, options } = this.#raft;
    const next = log.applied + 1;
    const end = Math.min(log.committed, log.stable) + 1;
    if (next >= end) {
      return [];
    }
    const cached = log.cached(next, end, options.maxApplyBytes);
    if (cached !== undefined) {
      return cached;
    }
    const fetched = this.#toApply;
    this.#toApply = [];
    if (fetched[0]?.index === next) {
      return fetched;
    }
    if (this.#applyFetch === 0) {
      this.#applyFetch = fetches.ask(undefined, next, end, options.maxApplyBytes);
    }
    return [];
  }
}

function progressStatus({ replicator }: Leader): ProgressStatus[] {
  return [...replicator.members.values()].map((progress) => ({
    id: progress.id,
    state: progress.state,
    session: progress.session,
    match: progress.match,
    next: progress.next,
    inflightMessages: progress.inflights.count,
    inflightBytes: progress.inflights.bytes,
    recentlyActive: progress.recentlyActive,
    paused: progress.paused,
    pendingSnapshot: progress.pendingSnapshot,
  }));
}
