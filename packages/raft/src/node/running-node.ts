import type { ConfChangeStep } from "../conf-change.ts";
import type { ConfState } from "../conf-state.ts";
import { decodeConfState, isMember } from "../conf-state.ts";
import { assertMessage } from "../core/message-check.ts";
import type { Application, Ready, SoftState } from "../core/ready.ts";
import type { Status } from "../core/status.ts";
import type { Entry, LogIndex, NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { Message, SnapshotMessage } from "../message.ts";
import type { SnapshotMeta } from "../snapshot.ts";
import type { Identity } from "../stable-store.ts";
import type { TransportHandler } from "../transport.ts";
import { Applier } from "./applier.ts";
import { ChangeBook } from "./change-book.ts";
import { Courier } from "./courier.ts";
import { Engine, type EngineParts } from "./engine.ts";
import { Fence } from "./fence.ts";
import { Inbox } from "./inbox.ts";
import { LogWorker } from "./log-worker.ts";
import { ticksOf } from "./options.ts";
import type { Applied } from "./proposal-book.ts";
import { Proposer } from "./proposer.ts";
import { ReadBook } from "./read-book.ts";
import { SnapshotWorker } from "./snapshot-worker.ts";
import type { Results, StateMachine } from "./state-machine.ts";
import { bestSuccessor } from "./successor.ts";
import { Ticker } from "./ticker.ts";
import { TransferBook } from "./transfer-book.ts";

/** What a {@link RunningNode} is made of. */
export interface RunningNodeParts<Result> extends EngineParts {
  readonly machine: StateMachine<Result>;
  /** Called once, when the node can no longer do its work; it has stopped working then. */
  readonly onFailure: (error: RaftError) => void;
}

/**
 * The working part of a {@link RaftNode}, from its start to its end: feeds the core with what comes, and does what
 * the core wants.
 *
 * All work is done in turns, at most one a turn of the event loop, whatever and however much came since. So what comes together goes on together: one append for all proposals and messages of a turn, and one
 * message to each peer. In that order: messages before the tick, so that a node which was held up hears its leader
 * before it doubts it.
 */
export class RunningNode<Result> implements TransportHandler {
  readonly #engine: Engine;
  readonly #machine: StateMachine<Result>;
  readonly #ticker: Ticker;
  readonly #inbox: Inbox;
  readonly #courier: Courier;
  readonly #logWorker: LogWorker;
  readonly #applier: Applier<Result>;
  readonly #snapshots: SnapshotWorker<Result>;
  readonly #proposer: Proposer<Result>;
  readonly #reads: ReadBook;
  readonly #changes: ChangeBook;
  readonly #transfers: TransferBook;
  readonly #fence: Fence;
  #role: SoftState | undefined;

  constructor({ machine, onFailure, ...parts }: RunningNodeParts<Result>) {
    const { deps, metrics, options, snapshot } = parts;
    this.#engine = new Engine(parts, {
      turn: () => this.#turn(),
      failed: (error) => {
        this.stop(error);
        onFailure(error);
      },
    });
    const engine = this.#engine;
    this.#machine = machine;
    this.#ticker = new Ticker(deps.clock, options.tickMs, (delayMs) => {
      metrics.tickDelayMsMax = Math.max(metrics.tickDelayMsMax, delayMs);
      engine.wake();
    });
    this.#inbox = new Inbox(engine);
    this.#courier = new Courier(engine);
    this.#logWorker = new LogWorker(engine);
    this.#applier = new Applier(engine, machine, (application, results) =>
      this.#applied(application, results),
    );
    this.#snapshots = new SnapshotWorker(engine, machine, this.#applier, snapshot);
    this.#proposer = new Proposer(engine);
    const electionTicks = ticksOf(options.electionTimeoutMs, options);
    this.#reads = new ReadBook(
      options.maxPendingReads,
      ticksOf(options.readTimeoutMs, options),
      electionTicks,
      () => engine.nextRequestId(),
    );
    this.#changes = new ChangeBook(ticksOf(options.proposalTimeoutMs, options));
    // The leader gives up after one election timeout; a second one lets the request reach it and the result come
    // back.
    this.#transfers = new TransferBook(2 * electionTicks);
    this.#fence = new Fence({
      engine,
      courier: this.#courier,
      taker: this.#snapshots.taker,
      onFenced: (error) => this.#reads.refuse(error),
    });
  }

  get identity(): Identity {
    return this.#engine.record.identity;
  }

  get status(): Status {
    return this.#engine.raw.status();
  }

  /** Sets time going. A sole voter has nobody to wait for and stands at once. */
  run(): void {
    const { raw } = this.#engine;
    this.#ticker.start();
    const { voters, votersOutgoing } = raw.conf;
    if (voters.length === 1 && votersOutgoing.length === 0) {
      raw.campaign();
    }
    this.#engine.wake();
  }

  propose(data: Uint8Array, signal: AbortSignal | undefined): Promise<Applied<Result>> {
    this.#fence.assertDown();
    const promise = this.#countOverload(() => this.#proposer.propose(data, signal));
    this.#engine.metrics.proposals++;
    this.#engine.wake();
    return promise;
  }

  read<Value>(query: () => Value, signal: AbortSignal | undefined): Promise<Value> {
    this.#fence.assertDown();
    const promise = this.#countOverload(() => this.#reads.add(query, this.#engine.ticks, signal));
    this.#engine.metrics.reads++;
    this.#engine.wake();
    return promise;
  }

  change(steps: readonly ConfChangeStep[], signal: AbortSignal | undefined): Promise<ConfState> {
    const engine = this.#engine;
    const change = { steps, timestampMs: engine.deps.clock.now() };
    engine.wake();
    if (engine.raw.status().role === "leader" || !engine.options.forwardProposals) {
      return this.#changes.place(engine.raw.proposeConfChange(change), engine.ticks, signal);
    }
    const requestId = engine.nextRequestId();
    engine.raw.forwardConfChange(requestId, change);
    return this.#changes.forward(requestId, engine.ticks, signal);
  }

  transferLeadership(to: NodeId | undefined, signal: AbortSignal | undefined): Promise<void> {
    const { raw, ticks } = this.#engine;
    const target = to ?? this.#bestSuccessor();
    const { leaderId, role } = raw.status();
    if (role !== "leader" && leaderId === target) {
      return Promise.resolve();
    }
    raw.transferLeadership(target);
    this.#engine.wake();
    return this.#transfers.add(target, ticks, signal);
  }

  snapshot(): Promise<SnapshotMeta> {
    this.#fence.assertDown();
    const promise = this.#snapshots.taker.request();
    this.#engine.wake();
    return promise;
  }

  // ── From the transport ────────────────────────────────────────────────────────────────────────────────────────

  receive(peer: Identity, messages: readonly Message[]): void {
    this.#inbox.receive(peer, messages);
  }

  receiveSnapshot(
    peer: Identity,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    return this.#inbox.receiveSnapshot(peer, message, chunks);
  }

  unreachable(to: NodeId): void {
    if (!this.#engine.stopped) {
      this.#engine.raw.reportUnreachable(to);
    }
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Stops working: names a successor if it leads, and ends everything that waits.
   *
   * @param cause - why, for those that wait
   */
  stop(cause: unknown): void {
    const engine = this.#engine;
    if (engine.stopped) {
      return;
    }
    engine.halt();
    this.#ticker.stop();
    this.#sayGoodbye(cause);
    this.#courier.stop();
    engine.abort(cause);
    this.#proposer.end(cause);
    this.#reads.end(cause);
    this.#changes.end(cause);
    this.#transfers.end(cause);
    this.#snapshots.taker.end(cause);
  }

  #sayGoodbye(cause: unknown): void {
    if (cause instanceof RaftError && cause.code === "RAFT_INVARIANT") {
      return;
    }
    const { raw } = this.#engine;
    raw.resign();
    this.#courier.send(raw.ready()?.messages ?? []);
  }

  /** Waits for what is under way. */
  settle(): Promise<void> {
    return this.#engine.settle();
  }

  // ── A turn of work ────────────────────────────────────────────────────────────────────────────────────────────

  /** Does everything that is to be done now. */
  #turn(): void {
    const engine = this.#engine;
    const { metrics, raw } = engine;
    if (engine.stopped) {
      return;
    }
    metrics.pumps++;
    engine.guard(() => {
      this.#inbox.drain((message) => this.#step(message));
      this.#proposer.offer();
      if (this.#reads.queued && raw.leaderId !== undefined) {
        this.#reads.ask(engine.ticks, (requestId) => raw.readIndex(requestId));
      }
      if (this.#ticker.take()) {
        this.#tick();
      }
      for (let ready = raw.ready(); ready !== undefined && !engine.stopped; ready = raw.ready()) {
        this.#handle(ready);
      }
      // A query must not see a state machine in the middle of something; what it does ends in another turn.
      if (this.#reads.confirmedWaiting && !this.#machine.busy) {
        this.#reads.serve(raw.status().applied);
      }
      this.#snapshots.continue();
    });
  }

  #step(message: Message): void {
    switch (message.type) {
      case "stateHash":
      case "diverged":
      case "snapshotRequest":
        assertMessage(message, this.identity.nodeId);
        this.#fence.step(message);
        return;
      case "propose":
      case "proposeChange":
      case "readIndex":
        this.#engine.raw.step(message);
        this.#courier.asked(message.from);
        return;
      default:
        this.#engine.raw.step(message);
    }
  }

  #tick(): void {
    const engine = this.#engine;
    engine.ticks++;
    engine.metrics.ticks++;
    this.#logWorker.assertInTime();
    engine.raw.tick();
    this.#fence.tick();
    this.#proposer.expire();
    this.#reads.expire(engine.ticks);
    this.#changes.expire(engine.ticks);
    this.#transfers.expire(engine.ticks);
    if (this.#reads.queued) {
      engine.wake();
    }
  }

  #handle(ready: Ready): void {
    if (ready.softState !== undefined) {
      this.#changeRole(ready.softState);
    }
    this.#courier.send(ready.messages);
    if (ready.append !== undefined) {
      this.#logWorker.append(ready.append);
    }
    if (ready.apply !== undefined) {
      this.#applier.take(ready.apply);
    }
    this.#applier.continue();
    for (const fetch of ready.fetches) {
      this.#logWorker.fetch(fetch);
    }
    for (const { requestId, outcome } of ready.outcomes) {
      this.#proposer.answered(requestId, outcome);
      this.#changes.answered(requestId, outcome);
    }
    for (const { requestId, index } of ready.readStates) {
      this.#reads.confirmed(requestId, index);
    }
  }

  #changeRole(now: SoftState): void {
    const before = this.#role;
    this.#role = now;
    const { events } = this.#engine;
    if (before?.role !== now.role) {
      events.emit("roleChanged", { role: now.role, term: now.term });
    }
    if (before?.leaderId !== now.leaderId) {
      events.emit("leaderChanged", { leaderId: now.leaderId, term: now.term });
      // Whoever was asked may be gone.
      this.#reads.askAgain();
      this.#engine.wake();
      this.#transfers.elected(now.leaderId);
    }
  }

  #applied(application: Application, results: Results<Result>): void {
    const { events, metrics } = this.#engine;
    if (application.snapshot === undefined) {
      metrics.appliedEntries += application.entries.length;
      application.entries.forEach((entry, at) => {
        this.#proposer.applied(entry, results[at]);
        if (entry.type === "config") {
          this.#appliedConf(entry, decodeConfState(entry.data));
        }
      });
    } else {
      const { snapshot } = application;
      metrics.snapshotsInstalled++;
      this.#proposer.skipped(snapshot.index);
      this.#changes.skipped(snapshot.index);
      events.emit("snapshotInstalled", snapshot);
      events.emit("configChanged", { conf: snapshot.conf, index: snapshot.confIndex });
      this.#snapshots.installed(snapshot);
      this.#fence.restored(snapshot);
    }
    this.#reads.serve(application.index);
    this.#snapshots.taker.applied(application.index);
  }

  #appliedConf({ index, term }: Entry, conf: ConfState): void {
    const { events, peers, raw } = this.#engine;
    this.#changes.applied(index, term, conf);
    peers.keep(
      (id) => isMember(conf, id) || isMember(raw.conf, id),
      (error) => this.#engine.fail(error),
    );
    events.emit("configChanged", { conf, index });
  }

  /** Takes note of this node's own fingerprint. */
  hashed(index: LogIndex, hash: string): void {
    this.#engine.input(() => this.#fence.hashed(index, hash));
  }

  // ── Inside ────────────────────────────────────────────────────────────────────────────────────────────────────

  #bestSuccessor(): NodeId {
    const status = this.#engine.raw.status();
    const { leaderId, role } = status;
    if (role !== "leader") {
      throw new RaftError("RAFT_NOT_LEADER", "expected to lead, or a target to be named", { leaderId });
    }
    const best = bestSuccessor(status);
    if (best === undefined) {
      throw new RaftError("RAFT_TRANSFER_REFUSED", "expected another voter that answers, got none");
    }
    return best;
  }

  #countOverload<Value>(work: () => Value): Value {
    try {
      return work();
    } catch (error) {
      if (error instanceof RaftError && error.code === "RAFT_OVERLOADED") {
        this.#engine.metrics.overloads++;
      }
      throw error;
    }
  }
}
