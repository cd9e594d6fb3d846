import { isMember, isVoter } from "../conf-state.ts";
import type { LogIndex, NodeId, Term } from "../entry.ts";
import { invariant, RaftError } from "../errors.ts";
import type { HardState } from "../hard-state.ts";
import type { Message, ProposeOutcome } from "../message.ts";
import type { SnapshotMeta } from "../snapshot.ts";
import { campaign, handleVote, handleVoteResponse } from "./election.ts";
import { Fetches } from "./fetches.ts";
import { handleAppend, handleHeartbeat, handleSnapshot, refuseOldLeader } from "./follow.ts";
import { Leader } from "./leader.ts";
import type { RaftLog } from "./log.ts";
import { assertMessage } from "./message-check.ts";
import type { RawNodeOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import type { Role } from "./role.ts";

/** A read that this node asked for and may now answer, once it has applied `index`. */
export interface ReadState {
  readonly requestId: number;
  readonly index: LogIndex;
}

/** How proposals that were forwarded to the leader fared. */
export interface ForwardedOutcome {
  readonly requestId: number;
  readonly outcome: ProposeOutcome;
}

/**
 * A server of the paper (Figure 2): its state, the rules about terms that hold in every role, and the transitions
 * between roles. What a role does is in `election.ts`, `follow.ts` and `leader.ts`.
 */
export class Raft {
  readonly id: NodeId;
  readonly options: RawNodeOptions;
  readonly log: RaftLog;
  readonly outbox: Outbox = new Outbox();
  readonly fetches: Fetches = new Fetches();

  term: Term;
  votedFor: NodeId | undefined;
  /** Term and vote as they are on disk. */
  durable: HardState;
  role: Role = { kind: "follower" };
  /** Who leads this term, as far as known. */
  leaderId: NodeId | undefined;
  /** Ticks since a leader was heard, a vote given or an election begun. */
  electionElapsed = 0;
  /** The newest snapshot in this node's store. */
  snapshot: SnapshotMeta | undefined;
  /** A snapshot that took the log's place and that the state machine does not have yet. */
  restoring: SnapshotMeta | undefined;
  /**
   * Set while the state machine is not to be believed: nothing is applied to it before a snapshot of the leader, of at
   * least this index, takes its place. The log and the vote are as good as ever.
   */
  rebuildFrom: LogIndex | undefined;
  readStates: ReadState[] = [];
  outcomes: ForwardedOutcome[] = [];

  #electionTimeout = 0;

  constructor(
    options: RawNodeOptions,
    hardState: HardState,
    log: RaftLog,
    snapshot: SnapshotMeta | undefined,
  ) {
    this.id = options.id;
    this.options = options;
    this.log = log;
    this.term = hardState.term;
    this.votedFor = hardState.votedFor;
    this.durable = hardState;
    this.snapshot = snapshot;
    this.#drawElectionTimeout();
  }

  get hardState(): HardState {
    return { term: this.term, votedFor: this.votedFor, commit: this.log.committed };
  }

  /** Whether term and vote are on disk. */
  get termDurable(): boolean {
    return this.durable.term === this.term && this.durable.votedFor === this.votedFor;
  }

  /** The leader's part when this server leads. */
  get leader(): Leader | undefined {
    return this.role.kind === "leader" ? this.role : undefined;
  }

  /**
   * Whether this server may stand for election. A vote in the newest *committed* membership is enough: a leader that
   * appended its own removal, crashed and has the longest log must be able to finish what it began. Whether it
   * wins is decided by the newest membership in its log.
   */
  get promotable(): boolean {
    const { log } = this;
    return (
      this.restoring === undefined && (isVoter(log.conf.conf, this.id) || isVoter(log.committedConf, this.id))
    );
  }

  /** Whether this server hears from a leader and therefore does not help to depose it (§6). */
  get inLease(): boolean {
    return (
      this.options.checkQuorum &&
      this.leaderId !== undefined &&
      this.electionElapsed < this.options.electionTicks
    );
  }

  tick(): void {
    const { leader } = this;
    if (leader !== undefined) {
      this.electionElapsed = 0;
      leader.tick();
      return;
    }
    this.electionElapsed++;
    if (this.electionElapsed >= this.#electionTimeout) {
      this.electionElapsed = 0;
      if (this.promotable) {
        campaign(this, this.options.preVote ? "preVote" : "vote");
      } else {
        this.leaderId = undefined;
      }
    }
  }

  /** @throws {RaftError} when the message is refused; nothing has changed then, except with RAFT_INVARIANT */
  step(message: Message): void {
    assertMessage(message, this.id);
    switch (message.type) {
      // Between programs rather than servers; no matter in which term.
      case "propose":
      case "proposeChange":
        this.#answerProposal(message);
        return;
      case "proposeResponse":
        this.outcomes.push({ requestId: message.requestId, outcome: message.outcome });
        return;
      case "readIndex":
        // Not being leader is answered by silence: the reader asks again when it knows a better one.
        this.leader?.readIndex(message);
        return;
      case "readIndexResponse":
        this.readStates.push({ requestId: message.requestId, index: message.index });
        return;
      case "transferLeadership":
        this.#answerTransfer(message.target);
        return;
      case "stateHash":
      case "diverged":
      case "snapshotRequest":
        return;
      default:
        if (this.#admit(message)) {
          this.#dispatch(message);
        }
    }
  }

  /** Takes a term and a leader, if one is known, and follows. */
  becomeFollower(term: Term, leaderId: NodeId | undefined): void {
    this.raiseTerm(term);
    this.role = { kind: "follower" };
    this.leaderId = leaderId;
    this.electionElapsed = 0;
    this.#drawElectionTimeout();
  }

  /** Begins to ask around, in the term it has. */
  becomePreCandidate(): void {
    this.role = { kind: "preCandidate", votes: new Map() };
    this.leaderId = undefined;
    this.electionElapsed = 0;
    this.#drawElectionTimeout();
  }

  /** Stands for election in the next term, with its own vote. */
  becomeCandidate(): void {
    this.raiseTerm(this.term + 1);
    this.votedFor = this.id;
    this.role = { kind: "candidate", votes: new Map() };
    this.leaderId = undefined;
    this.electionElapsed = 0;
    this.#drawElectionTimeout();
  }

  /** Leads the term it was elected in. */
  becomeLeader(): void {
    invariant(this.role.kind === "candidate", `expected a candidate to be elected, got a ${this.role.kind}`);
    const leader = new Leader(this);
    this.role = leader;
    this.leaderId = this.id;
    this.electionElapsed = 0;
    leader.begin();
  }

  /** Moves to a later term, without a vote in it yet. */
  raiseTerm(term: Term): void {
    invariant(term >= this.term, `expected term ≥ ${this.term}, got ${term}`);
    if (term > this.term) {
      this.term = term;
      this.votedFor = undefined;
      this.outbox.raiseTerm(term);
    }
  }

  /**
   * The rules about terms (§5.1): a later one is joined, a message of an earlier one is refused or ignored.
   *
   * @returns whether the message is of this term now and is to be handled
   */
  #admit(message: Message): boolean {
    if (message.term > this.term) {
      return this.#joinTerm(message);
    }
    if (message.term < this.term) {
      this.#answerOldTerm(message);
      return false;
    }
    return true;
  }

  #joinTerm(message: Message): boolean {
    const { type, from, term } = message;
    this.#refuseFarTerm(from, term);
    switch (type) {
      case "vote":
      case "preVote":
        if (this.inLease && !message.transfer) {
          return false;
        }
        if (type === "vote") {
          this.becomeFollower(term, undefined);
        }
        return true;
      case "preVoteResponse":
        // A granted one names the term that would be stood for, which nobody has joined yet.
        if (!message.granted) {
          this.becomeFollower(term, undefined);
        }
        return true;
      case "append":
      case "heartbeat":
      case "snapshot":
        this.becomeFollower(term, from);
        return true;
      default:
        this.becomeFollower(term, undefined);
        return true;
    }
  }

  /**
   * A leader or candidate of an earlier term learns of this one (Figure 2), or it would wait for ever behind pre-votes and
   * leases, or stand in terms that are over while another, whom nobody can elect, stays some terms ahead.
   */
  #answerOldTerm(message: Message): void {
    switch (message.type) {
      case "append":
      case "heartbeat":
      case "snapshot":
        if (this.options.checkQuorum || this.options.preVote) {
          refuseOldLeader(this, message);
        }
        return;
      case "preVote":
      case "vote":
        this.outbox.sendWhenDurable({
          type: message.type === "vote" ? "voteResponse" : "preVoteResponse",
          from: this.id,
          to: message.from,
          term: this.term,
          granted: false,
        });
        return;
      default:
        return;
    }
  }

  #dispatch(message: Message): void {
    switch (message.type) {
      case "vote":
      case "preVote":
        handleVote(this, message);
        return;
      case "voteResponse":
      case "preVoteResponse":
        handleVoteResponse(this, message);
        return;
      case "append":
        this.#follow(message.from);
        handleAppend(this, message);
        return;
      case "heartbeat":
        this.#follow(message.from);
        handleHeartbeat(this, message);
        return;
      case "snapshot":
        this.#follow(message.from);
        handleSnapshot(this, message);
        return;
      case "appendResponse":
        this.leader?.handleAppendResponse(message);
        return;
      case "heartbeatResponse":
        this.leader?.handleHeartbeatResponse(message);
        return;
      case "timeoutNow":
        if (this.role.kind !== "leader" && this.promotable) {
          campaign(this, "transfer");
        }
        return;
      default:
        return;
    }
  }

  /** Follows the one leader of this term. */
  #follow(from: NodeId): void {
    invariant(
      this.role.kind !== "leader" && (this.leaderId === undefined || this.leaderId === from),
      `expected one leader in term ${this.term}, got ${this.leaderId} and ${from}`,
    );
    if (this.role.kind === "follower" && this.leaderId === from) {
      this.electionElapsed = 0;
    } else {
      this.becomeFollower(this.term, from);
    }
  }

  /**
   * Terms rise by one an election, so nobody is honestly millions ahead. A member is believed all the same; a
   * stranger, that may be misconfigured or malicious, must not use up the terms.
   */
  #refuseFarTerm(from: NodeId, term: Term): void {
    const { conf } = this.log.conf;
    if (
      term > this.term + MAX_LEAP_OF_STRANGERS &&
      conf.voters.length > 0 &&
      !isMember(conf, from) &&
      !isMember(this.log.committedConf, from)
    ) {
      throw new RaftError(
        "RAFT_TERM_FAR_AHEAD",
        `expected a term near ${this.term} from ${from}, which is no member, got ${term}`,
      );
    }
  }

  #answerProposal(message: Extract<Message, { type: "propose" | "proposeChange" }>): void {
    this.outbox.send({
      type: "proposeResponse",
      from: this.id,
      to: message.from,
      term: this.term,
      requestId: message.requestId,
      outcome: this.#tryProposal(message),
    });
  }

  #tryProposal(message: Extract<Message, { type: "propose" | "proposeChange" }>): ProposeOutcome {
    const { leader } = this;
    if (leader === undefined) {
      return { refused: "RAFT_NOT_LEADER" };
    }
    if (!isMember(this.log.conf.conf, message.from)) {
      return { refused: "RAFT_NOT_MEMBER" };
    }
    try {
      return message.type === "propose"
        ? leader.propose(message.proposals)
        : leader.proposeChange(message.change);
    } catch (error) {
      if (error instanceof RaftError && error.code !== "RAFT_INVARIANT") {
        return { refused: error.code };
      }
      throw error;
    }
  }

  #answerTransfer(target: NodeId): void {
    try {
      this.leader?.transfer(target);
    } catch (error) {
      // Whoever asked sees that the leader does not change; there is no answer to a wish.
      if (!(error instanceof RaftError) || error.code === "RAFT_INVARIANT") {
        throw error;
      }
    }
  }

  #drawElectionTimeout(): void {
    const { electionTicks, random } = this.options;
    this.#electionTimeout = electionTicks + Math.floor(random.next() * electionTicks);
  }
}

/** At one election a second, twelve days of them. */
const MAX_LEAP_OF_STRANGERS = 2 ** 20;
