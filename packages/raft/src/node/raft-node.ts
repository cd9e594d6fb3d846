import type { ConfChangeStep } from "../conf-change.ts";
import type { ConfState } from "../conf-state.ts";
import { bootstrapBatch } from "../core/bootstrap.ts";
import type { Status } from "../core/status.ts";
import type { NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { FSM } from "../fsm.ts";
import { initialHardState } from "../hard-state.ts";
import type { LogBatch, LogState, LogStore } from "../log-store.ts";
import { LogImage } from "../memory/log-image.ts";
import type { Random } from "../random.ts";
import type { SnapshotMeta } from "../snapshot.ts";
import type { SnapshotStore } from "../snapshot-store.ts";
import type { StableState, StableStore } from "../stable-store.ts";
import type { Transport } from "../transport.ts";
import type { Clock, Timer } from "./clock.ts";
import { Emitter, type RaftNodeEvents } from "./events.ts";
import { createMetrics, type RaftMetrics } from "./metrics.ts";
import { type RaftNodeOptions, resolveRaftNodeOptions } from "./options.ts";
import type { Applied } from "./proposal-book.ts";
import { RunningNode } from "./running-node.ts";
import { StableRecord } from "./stable-record.ts";
import { StateMachine } from "./state-machine.ts";

/** Who a {@link RaftNode} is, and how it behaves. */
export interface RaftNodeConfig extends Partial<RaftNodeOptions> {
  readonly id: NodeId;
  readonly clusterId: string;
  /**
   * The members of a new cluster, the same on each of them. Used when the log is empty, and ignored afterwards. A
   * node that joins a cluster has none: it waits until the leader brings it the log.
   *
   * It is your word that this node never ran. An empty disk in the place of one that was lost must not get it.
   */
  readonly bootstrap?:
    | { readonly voters: readonly NodeId[]; readonly learners?: readonly NodeId[] }
    | undefined;
}

/** What a {@link RaftNode} works with. The node opens and closes the stores and the transport. */
export interface RaftNodeDeps<Result> {
  readonly fsm: FSM<Result>;
  readonly log: LogStore;
  readonly stable: StableStore;
  readonly snapshots: SnapshotStore;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
}

/** Where a {@link RaftNode} is in its life. */
export type RaftNodeState = "idle" | "starting" | "running" | "stopping" | "stopped" | "failed";

/** Lets a call be given up; what it began may still happen. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * A member of a cluster: a {@link RawNode} with its log, its snapshots, its network and its state machine.
 *
 *     idle ──start──▶ starting ──▶ running ──stop──▶ stopping ──▶ stopped
 *                        │            │
 *                        └────────────┴── storage or state machine failed ──▶ failed
 *
 * A node runs once. After a failure make another one, over the same storage and with a new state machine;
 * {@link RaftSupervisor} does that.
 */
export class RaftNode<Result = unknown> {
  readonly id: NodeId;
  readonly #config: RaftNodeConfig;
  readonly #options: RaftNodeOptions;
  readonly #deps: RaftNodeDeps<Result>;
  readonly #events: Emitter<RaftNodeEvents>;
  readonly #metrics: RaftMetrics = createMetrics();
  #state: RaftNodeState = "idle";
  #failure: RaftError | undefined;
  #running: RunningNode<Result> | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /**
   * @throws {TypeError} when an option has the wrong type
   * @throws {RangeError} when a number is out of its range
   */
  constructor(config: RaftNodeConfig, deps: RaftNodeDeps<Result>) {
    this.id = config.id;
    this.#config = config;
    this.#options = resolveRaftNodeOptions(config);
    this.#deps = deps;
    // A listener that throws must not end up in the node's own work.
    this.#events = new Emitter((error) => {
      deps.clock.setImmediate(() => {
        throw error;
      });
    });
  }

  get state(): RaftNodeState {
    return this.#state;
  }

  /** Why the node failed, if it did. */
  get failure(): RaftError | undefined {
    return this.#failure;
  }

  /** Counts since the node was made; a copy. */
  get metrics(): Readonly<RaftMetrics> {
    return { ...this.#metrics };
  }

  /**
   * A picture of the node.
   *
   * @throws {RaftError} RAFT_STOPPED when it is not running
   */
  status(): Status {
    return this.#assertRunning().status;
  }

  /** Adds a listener; the function that is returned takes it away again. */
  on<Name extends keyof RaftNodeEvents>(
    name: Name,
    listener: (event: RaftNodeEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Opens the storage, brings the state machine to the newest snapshot, and takes part. Resolves when the node
   * listens; there may be no leader yet.
   *
   * @throws {RaftError} RAFT_LOG_CORRUPT, RAFT_SNAPSHOT_CORRUPT or RAFT_SNAPSHOT_MISSING when storage is damaged;
   *   RAFT_WRONG_NODE or RAFT_WRONG_CLUSTER when it belongs to somebody else; RAFT_STORAGE_LOCKED when another
   *   process has it; RAFT_STOPPED when the node was started before
   */
  start(): Promise<void> {
    if (this.#state !== "idle") {
      return Promise.reject(
        new RaftError("RAFT_STOPPED", `expected a new node, got one that is ${this.#state}`),
      );
    }
    this.#state = "starting";
    this.#starting = this.#open();
    return this.#starting;
  }

  /**
   * Leaves in good order: names a successor if it leads, ends what waits, closes everything. Idempotent; safe before
   * `start`. What was proposed and has no result is rejected with RAFT_OUTCOME_UNKNOWN.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Has a command appended, committed by a quorum and applied here.
   *
   * @param data - owned by the node from the call on
   * @returns its place in the log, and what the state machine of this node made of it
   * @throws {RaftError} RAFT_NOT_LEADER, RAFT_OVERLOADED, RAFT_PROPOSAL_TOO_LARGE, RAFT_TRANSFER_IN_PROGRESS,
   *   RAFT_FENCED and RAFT_STOPPED: nothing happened. RAFT_PROPOSAL_LOST: it is certain that it will never be applied.
   *   RAFT_OUTCOME_UNKNOWN: it may have been or be applied yet
   */
  async propose(data: Uint8Array, { signal }: CallOptions = {}): Promise<Applied<Result>> {
    return await this.#assertRunning().propose(data, signal);
  }

  /**
   * Runs a query on this node's state machine when it has applied everything that was committed when `read` was
   * called, here or anywhere: a linearizable read, on any member.
   *
   * @param query - synchronous; must not change the state machine
   * @throws {RaftError} RAFT_TIMEOUT when no leader confirmed in time; RAFT_FENCED when this member's state machine
   *   differs from the others'; RAFT_OVERLOADED; RAFT_STOPPED. Safe to repeat
   */
  async read<Value>(query: () => Value, { signal }: CallOptions = {}): Promise<Value> {
    return await this.#assertRunning().read(query, signal);
  }

  /**
   * Hands leadership over, from whichever node leads.
   *
   * @param to - by default the voter that has most of the log; needed when this node does not lead
   * @throws {RaftError} RAFT_TRANSFER_REFUSED, RAFT_TRANSFER_IN_PROGRESS or RAFT_NOT_LEADER at once;
   *   RAFT_TRANSFER_FAILED when the target is not elected in time
   */
  async transferLeadership(to?: NodeId, { signal }: CallOptions = {}): Promise<void> {
    await this.#assertRunning().transferLeadership(to, signal);
  }

  /**
   * Changes the membership, in one go however many nodes it names. Resolves when the membership it leads to is
   * committed.
   *
   * @throws {RaftError} RAFT_CHANGE_REFUSED, RAFT_CHANGE_IN_PROGRESS, RAFT_NOT_LEADER and RAFT_TRANSFER_IN_PROGRESS:
   *   nothing happened. RAFT_PROPOSAL_LOST and RAFT_OUTCOME_UNKNOWN as for {@link propose}
   */
  async changeMembership(steps: readonly ConfChangeStep[], { signal }: CallOptions = {}): Promise<ConfState> {
    return await this.#assertRunning().change(steps, signal);
  }

  /** Adds a voter at once. Unless it is empty, add it as a learner first: a voter that lags holds commits up. */
  addVoter(id: NodeId, options?: CallOptions): Promise<ConfState> {
    return this.changeMembership([{ kind: "addVoter", id }], options);
  }

  /** Adds a member that gets the log and does not vote. */
  addLearner(id: NodeId, options?: CallOptions): Promise<ConfState> {
    return this.changeMembership([{ kind: "addLearner", id }], options);
  }

  /**
   * Makes a learner a voter.
   *
   * @throws {RaftError} RAFT_CHANGE_REFUSED when it is none, in the membership that this node knows
   */
  async promote(id: NodeId, options?: CallOptions): Promise<ConfState> {
    if (!this.status().conf.learners.includes(id)) {
      throw new RaftError("RAFT_CHANGE_REFUSED", `expected a learner to promote, got ${id}`);
    }
    return await this.changeMembership([{ kind: "addVoter", id }], options);
  }

  /** Takes a member out. The leader, too: it hands over when it is out. */
  remove(id: NodeId, options?: CallOptions): Promise<ConfState> {
    return this.changeMembership([{ kind: "remove", id }], options);
  }

  /**
   * Takes a snapshot of the state machine as of now, and lets the log before it go.
   *
   * @throws {RaftError} RAFT_FENCED, RAFT_STORAGE_FAILED, RAFT_FSM_FAILED, RAFT_STOPPED
   */
  async snapshot(): Promise<SnapshotMeta> {
    return await this.#assertRunning().snapshot();
  }

  #assertRunning(): RunningNode<Result> {
    if (this.#state !== "running" || this.#running === undefined) {
      const options = this.#failure === undefined ? {} : { cause: this.#failure };
      throw new RaftError("RAFT_STOPPED", `expected a running node, got one that is ${this.#state}`, options);
    }
    return this.#running;
  }

  async #open(): Promise<void> {
    try {
      const running = await this.#load();
      await this.#deps.transport.start(running);
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      // It may have been stopped meanwhile.
      if (this.#state === "starting") {
        this.#state = "running";
        running.run();
      }
    } catch (error) {
      this.#failure = RaftError.from(error);
      this.#state = "failed";
      await this.#close(true);
      throw error;
    }
  }

  async #load(): Promise<RunningNode<Result>> {
    const { fsm, log, snapshots, stable } = this.#deps;
    const found = await log.open();
    const snapshot = await snapshots.latest();
    const identified = await this.#identify(found);
    let running: RunningNode<Result> | undefined;
    const machine = new StateMachine(fsm, snapshots, this.#options.hashEveryEntries, (index, hash) =>
      running?.hashed(index, hash),
    );
    if (snapshot !== undefined) {
      await machine.restore(snapshot);
    }
    running = new RunningNode({
      options: this.#options,
      deps: this.#deps,
      record: new StableRecord(stable, identified.stable),
      machine,
      events: this.#events,
      metrics: this.#metrics,
      log: identified.log,
      snapshot,
      onFailure: (error) => this.#fail(error),
    });
    this.#running = running;
    return running;
  }

  /**
   * Finds out who this node is, and makes a new node of empty storage.
   *
   * The log is written to first and the identity afterwards, so an identity without a log means that a log was lost,
   * with the votes in it; such a node must not take part.
   */
  async #identify(found: LogState): Promise<{ readonly stable: StableState; readonly log: LogState }> {
    const { log, random, stable } = this.#deps;
    const { id: nodeId, clusterId, bootstrap } = this.#config;
    const known = await stable.load();
    if (known !== undefined) {
      const { identity } = known;
      if (identity.nodeId !== nodeId) {
        throw new RaftError(
          "RAFT_WRONG_NODE",
          `expected storage of ${nodeId}, got that of ${identity.nodeId}`,
        );
      }
      if (identity.clusterId !== clusterId) {
        throw new RaftError(
          "RAFT_WRONG_CLUSTER",
          `expected storage of ${clusterId}, got that of ${identity.clusterId}`,
        );
      }
      if (found.hardState === undefined) {
        throw new RaftError(
          "RAFT_LOG_CORRUPT",
          "expected the log that belongs to this identity, got an empty one",
        );
      }
      return { stable: known, log: found };
    }
    if ((found.hardState?.term ?? 0) > 1 || found.hardState?.votedFor !== undefined || found.lastIndex > 1) {
      throw new RaftError("RAFT_LOG_CORRUPT", "expected the identity that belongs to this log, got none");
    }
    let state = found;
    if (found.hardState === undefined) {
      const batch: LogBatch =
        bootstrap === undefined
          ? { hardState: initialHardState, reset: undefined, entries: [] }
          : bootstrapBatch(bootstrap.voters, bootstrap.learners);
      await log.append(batch);
      const image = new LogImage();
      image.append(batch);
      state = image.state();
    }
    const incarnation = 1 + Math.floor(random.next() * (2 ** 48 - 1));
    const created: StableState = { identity: { nodeId, clusterId, incarnation }, peers: {} };
    await stable.save(created);
    return { stable: created, log: state };
  }

  async #stop(): Promise<void> {
    if (this.#state === "idle") {
      this.#state = "stopped";
      return;
    }
    if (this.#state === "failed") {
      return;
    }
    const wasStarting = this.#state === "starting";
    this.#state = "stopping";
    if (wasStarting) {
      // Its own failure is for whoever started it.
      await this.#starting?.catch(() => undefined);
    }
    this.#running?.stop(new RaftError("RAFT_STOPPED", "expected a running node, got one that was stopped"));
    await this.#close(true);
    this.#state = "stopped";
  }

  #fail(error: RaftError): void {
    this.#failure = error;
    this.#state = "failed";
    // What hangs may hang for ever; whoever opens the storage next finds out whether it let go.
    this.#stopping ??= this.#close(error.code !== "RAFT_STORAGE_HUNG");
    this.#stopping.catch(() => undefined);
    this.#events.emit("failed", { error });
  }

  /** Waits for what is under way, but for a disk that hangs no longer than an append may take. */
  async #settle(): Promise<void> {
    const { clock } = this.#deps;
    let timer: Timer | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, this.#options.appendTimeoutMs);
    });
    await Promise.race([this.#running?.settle(), timeout]);
    timer?.cancel();
  }

  /** Closes in reverse order, and tells of what failed only after everything was tried. */
  async #close(wait: boolean): Promise<void> {
    const { log, snapshots, stable, transport } = this.#deps;
    const errors: unknown[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        errors.push(error);
      }
    };
    await attempt(() => transport.stop());
    if (wait) {
      await attempt(async () => await this.#settle());
    }
    const closing = Promise.all([
      attempt(() => snapshots.close()),
      attempt(() => stable.close()),
      attempt(() => log.close()),
    ]);
    if (wait) {
      await closing;
    }
    if (errors.length > 0) {
      throw new AggregateError(errors, "expected everything to close");
    }
  }
}
