import { RawNode } from "../core/raw-node.ts";
import type { NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { LogState } from "../log-store.ts";
import type { SnapshotMeta } from "../snapshot.ts";
import type { Timer } from "./clock.ts";
import type { Emitter, RaftNodeEvents } from "./events.ts";
import type { RaftMetrics } from "./metrics.ts";
import { type RaftNodeOptions, ticksOf } from "./options.ts";
import { PeerBook } from "./peer-book.ts";
import type { RaftNodeDeps } from "./raft-node.ts";
import type { StableRecord } from "./stable-record.ts";
import { TaskSet } from "./task-set.ts";

/** What an {@link Engine} is made of. */
export interface EngineParts {
  readonly options: RaftNodeOptions;
  readonly deps: Omit<RaftNodeDeps<unknown>, "fsm">;
  readonly record: StableRecord;
  readonly events: Emitter<RaftNodeEvents>;
  readonly metrics: RaftMetrics;
  readonly log: LogState;
  readonly snapshot: SnapshotMeta | undefined;
}

/** What an {@link Engine} calls. */
export interface EngineHandler {
  /** Does what there is to do: at most once a turn of the event loop. */
  turn(): void;
  /** The node can no longer do its work. Called once. */
  failed(error: RaftError): void;
}

/**
 * The core of a running node, with what its parts need to work beside it: every input wakes the node for one turn of
 * work, every failure is the node's, and after its end nothing reaches the core.
 */
export class Engine {
  readonly options: RaftNodeOptions;
  readonly deps: EngineParts["deps"];
  readonly record: StableRecord;
  readonly peers: PeerBook;
  readonly events: Emitter<RaftNodeEvents>;
  readonly metrics: RaftMetrics;
  readonly raw: RawNode;
  /** Ticks since the start. */
  ticks = 0;
  readonly #handler: EngineHandler;
  readonly #abort = new AbortController();
  /** What is under way and must end before the stores are closed. */
  readonly #tasks = new TaskSet((error) => this.fail(error));
  #turn: Timer | undefined;
  #stopped = false;
  /** Drawn, since an answer to a request of an earlier run of this node may still be under way. */
  #lastRequestId: number;

  constructor({ log, snapshot, ...parts }: EngineParts, handler: EngineHandler) {
    const { options, deps, record } = parts;
    this.options = options;
    this.deps = deps;
    this.record = record;
    this.peers = new PeerBook(record);
    this.events = parts.events;
    this.metrics = parts.metrics;
    this.#handler = handler;
    this.#lastRequestId = Math.floor(deps.random.next() * 2 ** 52);
    this.raw = new RawNode(
      {
        ...options,
        id: record.identity.nodeId,
        random: deps.random,
        electionTicks: ticksOf(options.electionTimeoutMs, options),
        heartbeatTicks: ticksOf(options.heartbeatMs, options),
      },
      { log, snapshot, applied: snapshot?.index ?? 0 },
    );
    if (record.state.fenced) {
      this.raw.rebuild();
    }
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Aborted at the end. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Names a request to the leader, as no other of this node, earlier runs included. */
  nextRequestId(): number {
    return ++this.#lastRequestId;
  }

  /** Has a turn of work come. */
  wake(): void {
    if (this.#turn === undefined && !this.#stopped) {
      this.#turn = this.deps.clock.setImmediate(() => {
        this.#turn = undefined;
        this.#handler.turn();
      });
    }
  }

  /** Gives the core something, unless the node has stopped, and looks what it wants now. */
  input(work: () => void): void {
    if (!this.#stopped) {
      this.guard(work);
      this.wake();
    }
  }

  /** Does something beside the turns; a failure is the node's. */
  run(work: () => Promise<void>): void {
    this.#tasks.run(work);
  }

  /** Does something now; a failure is the node's. */
  guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    if (!this.#stopped) {
      this.#handler.failed(RaftError.from(error));
    }
  }

  /** Tells of something that the node lives with. */
  degrade(error: unknown, peer?: NodeId): void {
    if (!this.#stopped) {
      const event = { error: RaftError.from(error) };
      this.events.emit("degraded", peer === undefined ? event : { ...event, peer });
    }
  }

  /** From here on the core gets nothing more; what is under way goes on. */
  halt(): void {
    this.#stopped = true;
    this.#turn?.cancel();
  }

  /** Aborts what can be, after {@link halt}. */
  abort(cause: unknown): void {
    this.#abort.abort(cause);
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await this.#tasks.settle();
    await this.record.settle();
  }
}
