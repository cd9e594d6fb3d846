import type { ConfChangeStep } from "../conf-change.ts";
import type { ConfState } from "../conf-state.ts";
import { decodeConfState, isMember } from "../conf-state.ts";
import type { LogFetch } from "../core/fetches.ts";
import { RawNode } from "../core/raw-node.ts";
import type { Application, Ready, SoftState } from "../core/ready.ts";
import type { Status } from "../core/status.ts";
import type { Entry, LogIndex, NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { LogBatch, LogState } from "../log-store.ts";
import type { Message, SnapshotMessage } from "../message.ts";
import type { SnapshotMeta } from "../snapshot.ts";
import type { Identity } from "../stable-store.ts";
import type { TransportHandler } from "../transport.ts";
import { ChangeBook } from "./change-book.ts";
import type { Timer } from "./clock.ts";
import type { Emitter, RaftNodeEvents } from "./events.ts";
import type { HashBook } from "./hash-book.ts";
import type { RaftMetrics } from "./metrics.ts";
import { type RaftNodeOptions, ticksOf } from "./options.ts";
import type { PeerBook } from "./peer-book.ts";
import { type Applied, ProposalBook } from "./proposal-book.ts";
import type { RaftNodeDeps } from "./raft-node.ts";
import { ReadBook } from "./read-book.ts";
import { SnapshotInlet } from "./snapshot-inlet.ts";
import { SnapshotTaker } from "./snapshot-taker.ts";
import type { Results, StateMachine } from "./state-machine.ts";
import { TaskSet } from "./task-set.ts";
import { TransferBook } from "./transfer-book.ts";

/** What a {@link RunningNode} is made of. */
export interface RunningNodeParts<Result> {
  readonly options: RaftNodeOptions;
  readonly deps: RaftNodeDeps<Result>;
  readonly peers: PeerBook;
  readonly machine: StateMachine<Result>;
  readonly events: Emitter<RaftNodeEvents>;
  readonly metrics: RaftMetrics;
  readonly log: LogState;
  readonly snapshot: SnapshotMeta | undefined;
  readonly hashes: HashBook;
  /** Called once, when the node can no longer do its work; it has stopped working then. */
  readonly onFailure: (error: RaftError) => void;
}

/**
 * The working part of a {@link RaftNode}, from its start to its end: feeds the core with what comes, and does what
 * the core wants.
 *
 * All work is done in {@link RunningNode.pump}, at most once a turn of the event loop, whatever and however much came
 * since. So what comes together goes on together: one append for all proposals and messages of a turn, and one
 * message to each peer. In that order: messages before the tick, so that a node which was held up hears its leader
 * before it doubts it.
 */
export class RunningNode<Result> implements TransportHandler {
  readonly #parts: RunningNodeParts<Result>;
  readonly #options: RaftNodeOptions;
  readonly #raw: RawNode;
  readonly #proposals: ProposalBook<Result>;
  readonly #reads: ReadBook;
  readonly #changes: ChangeBook;
  readonly #inlet: SnapshotInlet;
  readonly #abort = new AbortController();
  readonly #transfers: TransferBook;
  readonly #taker: SnapshotTaker;
  /** What is under way and must end before the stores are closed. */
  readonly #tasks = new TaskSet((error) => this.#fail(error));
  #inbox: Message[] = [];
  #compacting = false;
  /** An application that waits until the state machine is free. */
  #application: Application | undefined;
  /** Whether one is under way: the state machine and the core's idea of it differ then. */
  #applying = false;
  #ticks = 0;
  #tickDue = false;
  #tickTimer: Timer | undefined;
  #pumpTimer: Timer | undefined;
  #appendDeadline = Number.POSITIVE_INFINITY;
  #lastRequestId = 0;
  #role: SoftState | undefined;
  #stopped = false;

  constructor(parts: RunningNodeParts<Result>) {
    const { options, deps, log, peers, snapshot } = parts;
    this.#parts = parts;
    this.#options = options;
    this.#raw = new RawNode(
      {
        ...options,
        id: peers.identity.nodeId,
        random: deps.random,
        electionTicks: ticksOf(options.electionTimeoutMs, options),
        heartbeatTicks: ticksOf(options.heartbeatMs, options),
      },
      { log, snapshot, applied: snapshot?.index ?? 0 },
    );
    const electionTicks = ticksOf(options.electionTimeoutMs, options);
    const timeoutTicks = ticksOf(options.proposalTimeoutMs, options);
    this.#proposals = new ProposalBook({ ...options, timeoutTicks });
    this.#reads = new ReadBook(
      options.maxPendingReads,
      ticksOf(options.readTimeoutMs, options),
      electionTicks,
    );
    this.#changes = new ChangeBook(timeoutTicks);
    this.#inlet = new SnapshotInlet(deps.snapshots);
    this.#taker = new SnapshotTaker(
      deps.snapshots,
      snapshot,
      options.snapshotEveryEntries,
      this.#abort.signal,
    );
    // The leader gives up after one election timeout; a second one lets the request reach it and the result come
    // back.
    this.#transfers = new TransferBook(2 * electionTicks);
  }

  get identity(): Identity {
    return this.#parts.peers.identity;
  }

  get status(): Status {
    return this.#raw.status();
  }

  get pendingProposals(): number {
    return this.#proposals.count;
  }

  /** Sets time going. A sole voter has nobody to wait for and stands at once. */
  run(): void {
    this.#armTick();
    const { voters, votersOutgoing } = this.#raw.conf;
    if (voters.length === 1 && votersOutgoing.length === 0) {
      this.#raw.campaign();
    }
    this.#wake();
  }

  propose(data: Uint8Array, signal: AbortSignal | undefined): Promise<Applied<Result>> {
    const { maxEntryBytes } = this.#options;
    if (data.byteLength > maxEntryBytes) {
      throw new RaftError(
        "RAFT_PROPOSAL_TOO_LARGE",
        `expected a proposal of at most ${maxEntryBytes} bytes, got ${data.byteLength}`,
      );
    }
    const proposal = { data, timestampMs: this.#parts.deps.clock.now() };
    const promise = this.#countOverload(() => this.#proposals.add(proposal, this.#ticks, signal));
    this.#parts.metrics.proposals++;
    this.#wake();
    return promise;
  }

  read<Value>(query: () => Value, signal: AbortSignal | undefined): Promise<Value> {
    const promise = this.#countOverload(() => this.#reads.add(query, this.#ticks, signal));
    this.#parts.metrics.reads++;
    this.#wake();
    return promise;
  }

  change(steps: readonly ConfChangeStep[], signal: AbortSignal | undefined): Promise<ConfState> {
    const change = { steps, timestampMs: this.#parts.deps.clock.now() };
    this.#wake();
    if (this.#raw.status().role === "leader" || !this.#options.forwardProposals) {
      return this.#changes.place(this.#raw.proposeConfChange(change), this.#ticks, signal);
    }
    const requestId = ++this.#lastRequestId;
    this.#raw.forwardConfChange(requestId, change);
    return this.#changes.forward(requestId, this.#ticks, signal);
  }

  transferLeadership(to: NodeId | undefined, signal: AbortSignal | undefined): Promise<void> {
    const target = to ?? this.#bestSuccessor();
    const { leaderId, role } = this.#raw.status();
    if (role !== "leader" && leaderId === target) {
      return Promise.resolve();
    }
    this.#raw.transferLeadership(target);
    this.#wake();
    return this.#transfers.add(target, this.#ticks, signal);
  }

  snapshot(): Promise<SnapshotMeta> {
    const promise = this.#taker.request();
    this.#wake();
    return promise;
  }

  // ── From the transport ────────────────────────────────────────────────────────────────────────────────────────

  receive(peer: Identity, messages: readonly Message[]): void {
    if (!this.#admit(peer)) {
      return;
    }
    const { metrics } = this.#parts;
    for (const message of messages) {
      metrics.messagesReceived++;
      if (message.from !== peer.nodeId) {
        this.#refuse(
          new RaftError(
            "RAFT_WRONG_NODE",
            `expected messages from ${peer.nodeId}, got one from ${message.from}`,
          ),
          peer.nodeId,
        );
      } else if (this.#inbox.length >= this.#options.maxInboxMessages) {
        metrics.messagesDropped++;
      } else {
        this.#inbox.push(message);
      }
    }
    this.#wake();
  }

  async receiveSnapshot(
    peer: Identity,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    if (!this.#admit(peer)) {
      throw new RaftError("RAFT_BUSY", `expected ${peer.nodeId} to be known first`);
    }
    // Of what is committed here already there is nothing to learn.
    if (message.snapshot.index <= this.#raw.status().committed) {
      return;
    }
    const task = this.#inlet.receive(message, chunks);
    this.#tasks.run(() => task.catch(() => undefined));
    await task;
    if (!this.#stopped) {
      this.#inbox.push(message);
      this.#wake();
    }
  }

  unreachable(to: NodeId): void {
    if (!this.#stopped) {
      this.#raw.reportUnreachable(to);
    }
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Stops working: names a successor if it leads, and ends everything that waits.
   *
   * @param cause - why, for those that wait
   */
  stop(cause: unknown): void {
    if (this.#stopped) {
      return;
    }
    this.#stopped = true;
    this.#tickTimer?.cancel();
    this.#pumpTimer?.cancel();
    this.#sayGoodbye(cause);
    this.#abort.abort(cause);
    this.#proposals.end(cause);
    this.#reads.end(cause);
    this.#changes.end(cause);
    this.#transfers.end(cause);
    this.#taker.end(cause);
  }

  #sayGoodbye(cause: unknown): void {
    if (cause instanceof RaftError && cause.code === "RAFT_INVARIANT") {
      return;
    }
    this.#raw.resign();
    this.#send(this.#raw.ready()?.messages ?? []);
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await this.#tasks.settle();
    await this.#parts.peers.settle();
  }

  // ── A turn of work ────────────────────────────────────────────────────────────────────────────────────────────

  /** Does everything that is to be done now. */
  pump(): void {
    this.#pumpTimer = undefined;
    if (this.#stopped) {
      return;
    }
    this.#parts.metrics.pumps++;
    this.#guard(() => {
      this.#stepInbox();
      this.#offerProposals();
      if (this.#reads.queued) {
        this.#reads.ask(this.#ticks, (requestId) => this.#raw.readIndex(requestId));
      }
      if (this.#tickDue) {
        this.#tick();
      }
      for (let ready = this.#raw.ready(); ready !== undefined && !this.#stopped; ready = this.#raw.ready()) {
        this.#handle(ready);
      }
      // A query must not see a state machine in the middle of something; what it does ends in another turn.
      if (this.#reads.confirmedWaiting && !this.#parts.machine.busy) {
        this.#reads.serve(this.#raw.status().applied);
      }
      this.#continueSnapshot();
    });
  }

  #stepInbox(): void {
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const message of inbox) {
      try {
        if (message.type === "stateHash") {
          this.#compareHash(message.index, message.from, message.hash);
        } else {
          this.#raw.step(message);
        }
      } catch (error) {
        if (!(error instanceof RaftError) || error.code === "RAFT_INVARIANT") {
          throw error;
        }
        this.#refuse(error, message.from);
      }
    }
  }

  #offerProposals(): void {
    if (!this.#proposals.queued) {
      return;
    }
    const tickets = this.#proposals.take();
    if (tickets.length === 0) {
      return;
    }
    try {
      this.#proposals.place(tickets, this.#raw.propose(tickets.map(({ proposal }) => proposal)));
    } catch (error) {
      if (!(error instanceof RaftError) || error.code === "RAFT_INVARIANT") {
        throw error;
      }
      if (
        error.code === "RAFT_NOT_LEADER" &&
        error.leaderId !== undefined &&
        this.#options.forwardProposals
      ) {
        this.#forward(tickets);
      } else {
        this.#proposals.refuse(tickets, error);
      }
    }
  }

  /** Hands proposals to the leader, in messages of a size that it takes. */
  #forward(tickets: ReturnType<ProposalBook<Result>["take"]>): void {
    let from = 0;
    while (from < tickets.length) {
      let bytes = 0;
      let to = from;
      do {
        bytes += tickets[to]!.proposal.data.byteLength;
        to++;
      } while (
        to < tickets.length &&
        bytes + tickets[to]!.proposal.data.byteLength <= this.#options.maxMessageBytes
      );
      const some = tickets.slice(from, to);
      const requestId = ++this.#lastRequestId;
      this.#raw.forwardProposals(
        requestId,
        some.map(({ proposal }) => proposal),
      );
      this.#proposals.forward(requestId, some);
      from = to;
    }
  }

  #tick(): void {
    this.#tickDue = false;
    this.#ticks++;
    this.#parts.metrics.ticks++;
    if (this.#ticks >= this.#appendDeadline) {
      throw new RaftError(
        "RAFT_STORAGE_HUNG",
        `expected an append to take at most ${this.#options.appendTimeoutMs} ms`,
      );
    }
    this.#raw.tick();
    this.#proposals.expire(this.#ticks);
    this.#reads.expire(this.#ticks);
    this.#changes.expire(this.#ticks);
    this.#transfers.expire(this.#ticks);
    if (this.#reads.queued) {
      this.#wake();
    }
  }

  #handle(ready: Ready): void {
    if (ready.softState !== undefined) {
      this.#changeRole(ready.softState);
    }
    this.#send(ready.messages);
    if (ready.append !== undefined) {
      this.#append(ready.append);
    }
    if (ready.apply !== undefined) {
      this.#application = ready.apply;
    }
    this.#continueApplication();
    for (const fetch of ready.fetches) {
      this.#fetch(fetch);
    }
    for (const { requestId, outcome } of ready.outcomes) {
      this.#proposals.answered(requestId, outcome);
      this.#changes.answered(requestId, outcome);
    }
    for (const { requestId, index } of ready.readStates) {
      this.#reads.confirmed(requestId, index);
    }
  }

  #changeRole(now: SoftState): void {
    const before = this.#role;
    this.#role = now;
    const { events } = this.#parts;
    if (before?.role !== now.role) {
      events.emit("roleChanged", { role: now.role, term: now.term });
    }
    if (before?.leaderId !== now.leaderId) {
      events.emit("leaderChanged", { leaderId: now.leaderId, term: now.term });
      // Whoever was asked may be gone.
      this.#reads.askAgain();
      this.#wake();
      this.#transfers.elected(now.leaderId);
    }
  }

  #send(messages: readonly Message[]): void {
    const { deps, metrics } = this.#parts;
    const batches = new Map<NodeId, Message[]>();
    for (const message of messages) {
      metrics.messagesSent++;
      if (message.type === "snapshot") {
        this.#sendSnapshot(message);
        continue;
      }
      const batch = batches.get(message.to);
      if (batch === undefined) {
        batches.set(message.to, [message]);
      } else {
        batch.push(message);
      }
    }
    for (const [to, batch] of batches) {
      deps.transport.send(to, batch);
    }
  }

  #sendSnapshot(message: SnapshotMessage): void {
    const { snapshots, transport } = this.#parts.deps;
    const chunks = snapshots.open(message.snapshot);
    this.#do(async () => {
      let ok = true;
      try {
        await transport.sendSnapshot(message.to, message, chunks, this.#abort.signal);
        this.#parts.metrics.snapshotsSent++;
      } catch (error) {
        ok = false;
        this.#parts.metrics.snapshotsFailed++;
        this.#degrade(error, message.to);
      }
      this.#input(() => this.#raw.reportSnapshot(message.to, ok));
    });
  }

  #append(batch: LogBatch): void {
    const { deps, metrics } = this.#parts;
    const startedAt = deps.clock.now();
    this.#appendDeadline = this.#ticks + ticksOf(this.#options.appendTimeoutMs, this.#options);
    this.#do(async () => {
      await deps.log.append(batch);
      this.#appendDeadline = Number.POSITIVE_INFINITY;
      metrics.appends++;
      metrics.appendedEntries += batch.entries.length;
      metrics.appendMsMax = Math.max(metrics.appendMsMax, deps.clock.now() - startedAt);
      this.#input(() => this.#raw.appended());
    });
  }

  #fetch({ id, from, to, maxBytes }: LogFetch): void {
    this.#do(async () => {
      let entries: readonly Entry[] = [];
      try {
        entries = await this.#parts.deps.log.entries(from, to, maxBytes);
      } catch (error) {
        // Compacted while it was asked for: the core finds out and sends the snapshot.
        if (!(error instanceof RaftError) || error.code !== "RAFT_LOG_COMPACTED") {
          throw error;
        }
      }
      this.#input(() => this.#raw.fetched(id, entries));
    });
  }

  // ── The state machine ─────────────────────────────────────────────────────────────────────────────────────────

  #continueApplication(): void {
    const application = this.#application;
    if (application === undefined || this.#parts.machine.busy) {
      return;
    }
    this.#application = undefined;
    this.#applying = true;
    const { deps, machine, metrics } = this.#parts;
    const startedAt = deps.clock.now();
    this.#do(async () => {
      const results = await machine.run(application);
      metrics.applyMsMax = Math.max(metrics.applyMsMax, deps.clock.now() - startedAt);
      this.#input(() => this.#applied(application, results));
    });
  }

  #applied(application: Application, results: Results<Result>): void {
    const { deps, events, metrics } = this.#parts;
    this.#applying = false;
    this.#raw.applied(application.index);
    if (application.snapshot === undefined) {
      metrics.appliedEntries += application.entries.length;
      application.entries.forEach((entry, at) => {
        this.#proposals.applied(entry, results[at]);
        if (entry.type === "config") {
          this.#appliedConf(entry, decodeConfState(entry.data));
        }
      });
    } else {
      const { snapshot } = application;
      metrics.snapshotsInstalled++;
      this.#proposals.skipped(snapshot.index);
      this.#changes.skipped(snapshot.index);
      events.emit("snapshotInstalled", snapshot);
      events.emit("configChanged", { conf: snapshot.conf, index: snapshot.confIndex });
      this.#taker.installed(snapshot);
      this.#do(() => deps.snapshots.prune(snapshot.index).catch((error) => this.#degrade(error)));
    }
    this.#reads.serve(application.index);
    this.#taker.applied(application.index);
  }

  #appliedConf({ index, term }: Entry, conf: ConfState): void {
    const { events, peers } = this.#parts;
    this.#changes.applied(index, term, conf);
    peers.keep(
      (id) => isMember(conf, id) || isMember(this.#raw.conf, id),
      (error) => this.#fail(error),
    );
    events.emit("configChanged", { conf, index });
  }

  /** Takes note of this node's own fingerprint, and tells the leader. */
  hashed(index: LogIndex, hash: string): void {
    this.#input(() => {
      const { id, leaderId, term } = this.#raw.status();
      this.#compareHash(index, id, hash);
      if (leaderId !== undefined && leaderId !== id) {
        this.#parts.deps.transport.send(leaderId, [
          { type: "stateHash", from: id, to: leaderId, term, index, hash },
        ]);
      }
    });
  }

  #compareHash(index: LogIndex, id: NodeId, hash: string): void {
    const ids = this.#parts.hashes.add(index, id, hash);
    if (ids.length > 0) {
      this.#parts.events.emit("diverged", { index, ids });
    }
  }

  // ── Snapshots ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes a snapshot if one is wanted and the state machine is where the core thinks it is. */
  #continueSnapshot(): void {
    const { events, machine, metrics } = this.#parts;
    const free = !machine.busy && !this.#applying && this.#application === undefined;
    if (!this.#taker.wanted || !free) {
      return;
    }
    const { applied, base } = this.#raw.status();
    // Nothing to take yet, or a snapshot from the leader is about to be restored.
    if (applied === 0 || applied < base.index) {
      return;
    }
    const point = this.#raw.snapshotPoint(applied);
    this.#do(async () => {
      let meta: SnapshotMeta | undefined;
      try {
        meta = await this.#taker.take(point, () => machine.capture().finally(() => this.#wake()));
      } catch (error) {
        metrics.snapshotsFailed++;
        this.#degrade(error);
        return;
      }
      if (meta !== undefined && !this.#stopped) {
        metrics.snapshotsTaken++;
        events.emit("snapshotTaken", meta);
        this.#compact(meta);
      }
      this.#wake();
    });
  }

  #compact(meta: SnapshotMeta): void {
    const { log, snapshots } = this.#parts.deps;
    const base = this.#raw.snapshotSaved(meta);
    // One that comes during another is left to the next snapshot.
    if (base !== undefined && !this.#compacting) {
      this.#compacting = true;
      this.#do(() =>
        log.compact(base).finally(() => {
          this.#compacting = false;
        }),
      );
    }
    this.#do(() => snapshots.prune(meta.index).catch((error) => this.#degrade(error)));
  }

  // ── Inside ────────────────────────────────────────────────────────────────────────────────────────────────────

  #bestSuccessor(): NodeId {
    const { conf, id, leaderId, progress, role } = this.#raw.status();
    if (role !== "leader") {
      throw new RaftError("RAFT_NOT_LEADER", "expected to lead, or a target to be named", { leaderId });
    }
    const best = progress
      .filter((peer) => peer.recentlyActive && peer.id !== id && conf.voters.includes(peer.id))
      .sort((a, b) => b.match - a.match)[0];
    if (best === undefined) {
      throw new RaftError("RAFT_TRANSFER_REFUSED", "expected another voter that answers, got none");
    }
    return best.id;
  }

  #admit(peer: Identity): boolean {
    if (this.#stopped) {
      throw new RaftError("RAFT_STOPPED", "expected a running node");
    }
    try {
      return this.#parts.peers.admit(peer, isMember(this.#raw.conf, peer.nodeId), (error) =>
        this.#fail(error),
      );
    } catch (error) {
      this.#refuse(RaftError.from(error), peer.nodeId);
      throw error;
    }
  }

  #refuse(error: RaftError, peer: NodeId): void {
    this.#parts.metrics.messagesRefused++;
    this.#parts.events.emit("degraded", { error, peer });
  }

  #degrade(error: unknown, peer?: NodeId): void {
    if (!this.#stopped) {
      const event = { error: RaftError.from(error) };
      this.#parts.events.emit("degraded", peer === undefined ? event : { ...event, peer });
    }
  }

  #countOverload<Value>(work: () => Value): Value {
    try {
      return work();
    } catch (error) {
      this.#parts.metrics.overloads++;
      throw error;
    }
  }

  /** Gives the core something, unless the node has stopped, and looks what it wants now. */
  #input(work: () => void): void {
    if (!this.#stopped) {
      this.#guard(work);
      this.#wake();
    }
  }

  /** Does something beside the pump; a failure is the node's. */
  #do(work: () => Promise<void>): void {
    this.#tasks.run(work);
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!this.#stopped) {
      const failure = RaftError.from(error);
      this.stop(failure);
      this.#parts.onFailure(failure);
    }
  }

  #wake(): void {
    if (this.#pumpTimer === undefined && !this.#stopped) {
      this.#pumpTimer = this.#parts.deps.clock.setImmediate(() => this.pump());
    }
  }

  #armTick(): void {
    const { clock } = this.#parts.deps;
    const dueAt = clock.now() + this.#options.tickMs;
    this.#tickTimer = clock.setTimeout(() => {
      const { metrics } = this.#parts;
      metrics.tickDelayMsMax = Math.max(metrics.tickDelayMsMax, clock.now() - dueAt);
      this.#tickDue = true;
      this.#wake();
      this.#armTick();
    }, this.#options.tickMs);
  }
}
