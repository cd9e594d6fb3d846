import type { ConfChange } from "../conf-change.ts";
import { type ConfState, encodeConfState, isJoint, isVoter, membersOf } from "../conf-state.ts";
import type { Entry, EntryType, LogIndex, LogPosition, NodeId, Proposal } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { AppendResponse, HeartbeatResponse } from "../message.ts";
import { applyChange, leaveJoint } from "./confchange/changer.ts";
import { quorumIndex, quorumVote } from "./quorum/joint.ts";
import type { Raft } from "./raft.ts";
import { ReadQueue, type ReadRequest } from "./read-queue.ts";
import { Replicator } from "./replicator.ts";
import type { Progress } from "./tracker/progress.ts";
import { Uncommitted } from "./uncommitted.ts";

/** A hand-over of leadership under way. */
interface Transfer {
  readonly target: NodeId;
  ticks: number;
}

/** What a server does while it leads (§5.3, §6, §8). Lives for one leadership: what it knows ends with it. */
export class Leader {
  readonly kind = "leader";
  readonly reads: ReadQueue;
  readonly uncommitted: Uncommitted;
  readonly replicator: Replicator;
  readonly #raft: Raft;
  /** The entry that this leader began its term with; once it is committed, so is all before it (§5.4.2). */
  #firstIndex: LogIndex = 0;
  #heartbeatElapsed = 0;
  #quorumElapsed = 0;
  #transfer: Transfer | undefined;

  constructor(raft: Raft) {
    this.#raft = raft;
    this.reads = new ReadQueue(raft.options.maxPendingReads);
    this.uncommitted = new Uncommitted(raft.options.maxUncommittedBytes);
    this.replicator = new Replicator(raft);
  }

  /** Who leadership is being handed to. */
  get transferTarget(): NodeId | undefined {
    return this.#transfer?.target;
  }

  /** Whether an entry of this term is committed, and so everything committed before is known to be. */
  get settled(): boolean {
    return this.#raft.log.committed >= this.#firstIndex;
  }

  /** Begins the term with an entry of its own (§8). */
  begin(): void {
    this.replicator.setMembers(membersOf(this.#raft.log.conf.conf), false);
    this.#firstIndex = this.#append("noop", NO_DATA, 0).index;
  }

  tick(): void {
    this.#heartbeatElapsed++;
    this.#quorumElapsed++;
    const { electionTicks, heartbeatTicks, checkQuorum } = this.#raft.options;
    this.#tickTransfer(electionTicks);
    if (this.#quorumElapsed >= electionTicks) {
      this.#quorumElapsed = 0;
      if (checkQuorum && !this.#hearsQuorum()) {
        this.#raft.becomeFollower(this.#raft.term, undefined);
        return;
      }
    }
    this.replicator.tick();
    if (this.#heartbeatElapsed >= heartbeatTicks) {
      this.#sendHeartbeats();
    }
  }

  /**
   * Appends proposals, all or none.
   *
   * @returns the position of the first; the others follow it
   * @throws {RaftError} RAFT_TRANSFER_IN_PROGRESS, RAFT_PROPOSAL_TOO_LARGE or RAFT_OVERLOADED
   */
  propose(proposals: readonly Proposal[]): LogPosition {
    if (proposals.length === 0) {
      throw new RangeError("expected at least one proposal");
    }
    this.#refuseDuringTransfer();
    const { maxEntryBytes } = this.#raft.options;
    let bytes = 0;
    for (const { data } of proposals) {
      if (data.byteLength > maxEntryBytes) {
        throw new RaftError(
          "RAFT_PROPOSAL_TOO_LARGE",
          `expected a proposal of at most ${maxEntryBytes} bytes, got ${data.byteLength}`,
        );
      }
      bytes += data.byteLength;
    }
    if (!this.uncommitted.admits(bytes)) {
      throw new RaftError(
        "RAFT_OVERLOADED",
        `expected ${bytes} bytes to fit beside ${this.uncommitted.bytes} that are not committed`,
      );
    }
    const first = { index: this.#raft.log.lastIndex + 1, term: this.#raft.term };
    for (const { data, timestampMs } of proposals) {
      this.#append("command", data, timestampMs);
    }
    this.uncommitted.add(this.#raft.log.lastIndex, bytes);
    return first;
  }

  /**
   * Appends a change of membership, in force from then on.
   *
   * Waits for the commit of an entry of this term first. Otherwise two leaders could change the same membership in
   * two ways and both commit, each by a majority that the other does not know.
   *
   * @throws {RaftError} RAFT_CHANGE_IN_PROGRESS, RAFT_CHANGE_REFUSED or RAFT_TRANSFER_IN_PROGRESS
   */
  proposeChange(change: ConfChange): LogPosition {
    this.#refuseDuringTransfer();
    const { log } = this.#raft;
    const { index, conf } = log.conf;
    if (!this.settled || index > log.committed || isJoint(conf)) {
      throw new RaftError(
        "RAFT_CHANGE_IN_PROGRESS",
        this.settled
          ? `expected one change of membership at a time, got another while ${index} is not done`
          : "expected an entry of this term to be committed before a change of membership",
      );
    }
    const next = applyChange(conf, change);
    this.#assertElectable(conf, next);
    return this.#append("config", encodeConfState(next), change.timestampMs);
  }

  /**
   * Whoever has no log votes only for who is adding it; see `handleVote`. So if this leader dies in the joint membership,
   * the incoming voters must be new ones or have something in their logs, but for a minority.
   */
  #assertElectable({ voters: before }: ConfState, { voters }: ConfState): void {
    const able = voters.filter((id) => !before.includes(id) || this.#matchOf(id) > 0);
    if (able.length <= voters.length / 2) {
      throw new RaftError(
        "RAFT_CHANGE_REFUSED",
        `expected a majority of the voters ${voters} to be new or to have answered, got ${able}`,
      );
    }
  }

  /**
   * Begins to hand over.
   *
   * @throws {RaftError} RAFT_TRANSFER_REFUSED when the target is no other voter; RAFT_TRANSFER_IN_PROGRESS when
   *   leadership is being handed to somebody else
   */
  transfer(target: NodeId): void {
    const { id, log } = this.#raft;
    if (target === id || !log.conf.conf.voters.includes(target)) {
      throw new RaftError(
        "RAFT_TRANSFER_REFUSED",
        target === id ? "expected another voter than the leader itself" : `expected a voter, got ${target}`,
      );
    }
    if (this.#transfer !== undefined) {
      if (this.#transfer.target === target) {
        return;
      }
      this.#refuseDuringTransfer();
    }
    this.#transfer = { target, ticks: 0 };
    const progress = this.replicator.get(target)!;
    progress.due = true;
    this.#finishTransfer(progress);
  }

  /** Gives leadership up, to the voter that has most of the log if one can be asked. */
  resign(): void {
    const best = this.replicator.mostAdvanced(this.#raft.log.conf.conf.voters);
    // The last words: what is committed, and who should stand.
    this.flush();
    if (best !== undefined) {
      this.#sendTimeoutNow(best.id);
    }
    this.#raft.becomeFollower(this.#raft.term, undefined);
  }

  /**
   * Begins a read: after the reader has applied the index that is answered, it sees everything that was committed
   * when it asked.
   *
   * @throws {RaftError} RAFT_OVERLOADED when the request is this node's own and too many wait
   */
  readIndex(request: ReadRequest): void {
    const { id, log } = this.#raft;
    if (this.reads.full) {
      if (request.from !== id) {
        return;
      }
      throw new RaftError("RAFT_OVERLOADED", `expected fewer than ${this.reads.size} reads to wait`);
    }
    if (this.settled) {
      this.reads.add(request, log.committed);
      this.#confirmReads();
    } else {
      this.reads.park(request);
    }
  }

  handleAppendResponse(message: AppendResponse): void {
    const { log } = this.#raft;
    const progress = this.replicator.answering(message.from, message.session);
    if (progress === undefined) {
      return;
    }
    if (message.index > log.lastIndex) {
      throw new RaftError(
        "RAFT_MALFORMED",
        `expected an answer about entries up to ${log.lastIndex}, got ${message.index}`,
      );
    }
    progress.recentlyActive = true;
    const { hint } = message;
    if (hint !== undefined) {
      // Both sides skip by terms: what this log has after the hint's term, the follower cannot have.
      const agreed = hint.index <= log.base.index ? hint.index : log.lastAtMost(hint.index, hint.term).index;
      progress.retreat(message.index, agreed);
      return;
    }
    const news = progress.advance(message.index);
    if (!news && !(progress.state === "probe" && progress.match === message.index)) {
      return;
    }
    this.replicator.accepted(progress, message.index);
    if (news) {
      this.maybeCommit();
    }
    if (this.#transfer?.target === progress.id) {
      this.#finishTransfer(progress);
    }
  }

  handleHeartbeatResponse(message: HeartbeatResponse): void {
    const progress = this.replicator.answering(message.from, message.session);
    if (progress === undefined) {
      return;
    }
    progress.recentlyActive = true;
    this.replicator.heard(progress);
    if (message.readSequence > progress.readSequence) {
      progress.readSequence = Math.min(message.readSequence, this.reads.sequence);
      this.#confirmReads();
    }
  }

  /**
   * Commits what a quorum has, if an entry of this term is among it (§5.4.2). Called when this node's own log is
   * durable further, too.
   */
  maybeCommit(): void {
    const { log, term } = this.#raft;
    const index = quorumIndex(log.conf.conf, (id) => this.#matchOf(id));
    if (index <= log.committed || log.term(index) !== term) {
      return;
    }
    const wasSettled = this.settled;
    log.commitTo(index);
    this.uncommitted.commitTo(index);
    if (!wasSettled && this.settled) {
      this.reads.unpark(log.committed);
      this.#confirmReads();
    }
    this.#continueChange();
  }

  /** Sends what is due: entries, commit index, the round of heartbeats that reads wait for. */
  flush(): void {
    if (this.reads.due) {
      this.#sendHeartbeats();
    }
    this.replicator.flush();
  }

  /**
   * Ends a joint membership once it is committed, and steps down once a membership without this node is. Follows from
   * the log alone, so that a new leader finishes what the last one began.
   */
  #continueChange(): void {
    const { id, log } = this.#raft;
    const { index, conf } = log.conf;
    if (!this.settled || index > log.committed || this.#transfer !== undefined) {
      return;
    }
    if (isJoint(conf)) {
      this.#append("config", encodeConfState(leaveJoint(conf)), 0);
    } else if (!isVoter(conf, id)) {
      this.resign();
    }
  }

  #append(type: EntryType, data: Uint8Array, timestampMs: number): LogPosition {
    const { log, term } = this.#raft;
    const entry: Entry = { index: log.lastIndex + 1, term, type, data, timestampMs };
    log.push(entry);
    if (type === "config") {
      this.replicator.setMembers(membersOf(log.conf.conf), true);
    }
    return { index: entry.index, term };
  }

  #matchOf(id: NodeId): LogIndex {
    return id === this.#raft.id ? this.#raft.log.stable : (this.replicator.get(id)?.match ?? 0);
  }

  #confirmReads(): void {
    const { id, log, outbox, readStates, term } = this.#raft;
    const confirmed = quorumIndex(log.conf.conf, (voter) =>
      voter === id ? this.reads.sequence : (this.replicator.get(voter)?.readSequence ?? 0),
    );
    for (const { from, requestId, index } of this.reads.confirm(confirmed)) {
      if (from === id) {
        readStates.push({ requestId, index });
      } else {
        outbox.send({ type: "readIndexResponse", from: id, to: from, term, requestId, index });
      }
    }
  }

  #hearsQuorum(): boolean {
    const { id, log } = this.#raft;
    const heard = quorumVote(
      log.conf.conf,
      (voter) => voter === id || (this.replicator.get(voter)?.recentlyActive ?? false),
    );
    this.replicator.forgetActivity();
    return heard === "won";
  }

  #sendHeartbeats(): void {
    this.#heartbeatElapsed = 0;
    this.reads.markSent();
    this.replicator.sendHeartbeats(this.reads.sequence);
  }

  #tickTransfer(electionTicks: number): void {
    if (this.#transfer === undefined) {
      return;
    }
    this.#transfer.ticks++;
    if (this.#transfer.ticks >= electionTicks) {
      this.#transfer = undefined;
      this.#continueChange();
    }
  }

  #finishTransfer(progress: Progress): void {
    if (progress.match === this.#raft.log.lastIndex) {
      this.#sendTimeoutNow(progress.id);
    }
  }

  #sendTimeoutNow(to: NodeId): void {
    const { id, outbox, term } = this.#raft;
    outbox.send({ type: "timeoutNow", from: id, to, term });
  }

  #refuseDuringTransfer(): void {
    if (this.#transfer !== undefined) {
      throw new RaftError(
        "RAFT_TRANSFER_IN_PROGRESS",
        `expected no proposal while leadership goes to ${this.#transfer.target}`,
      );
    }
  }
}

const NO_DATA = new Uint8Array(0);
