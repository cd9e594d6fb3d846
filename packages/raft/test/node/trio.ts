import {
  type Entry,
  type FSM,
  type FsmSnapshot,
  type LogStore,
  MemoryLogStore,
  MemoryNetwork,
  MemorySnapshotStore,
  MemoryStableStore,
  type NodeId,
  RaftNode,
  type RaftNodeConfig,
} from "../../src/index.ts";
import { seeded } from "../core/cluster.ts";
import { VirtualClock } from "./virtual-clock.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** A list of commands; the result of each is its place. */
export class ListMachine implements FSM<number> {
  list: string[] = [];
  /** Indexes of entries, to see that none is applied twice. */
  indexes: number[] = [];
  batches = 0;
  hash?: () => string;

  apply(entries: readonly Entry[]): number[] {
    this.batches++;
    return entries.map(({ data, index }) => {
      this.indexes.push(index);
      return this.list.push(decoder.decode(data)) - 1;
    });
  }

  snapshot(): FsmSnapshot {
    const image = encoder.encode(JSON.stringify(this.list));
    return { chunks: () => [image.subarray(0, 3), image.subarray(3)] };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const read: Uint8Array[] = [];
    for await (const chunk of chunks) {
      read.push(chunk);
    }
    this.list = JSON.parse(decoder.decode(Buffer.concat(read))) as string[];
  }
}

/** What of a member outlives its process. */
export interface Storage {
  readonly log: MemoryLogStore;
  readonly stable: MemoryStableStore;
  readonly snapshots: MemorySnapshotStore;
}

/** Nodes over a memory network in virtual time. */
export class Trio {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: MemoryNetwork = new MemoryNetwork(this.clock);
  readonly nodes: Map<NodeId, RaftNode<number>> = new Map();
  readonly machines: Map<NodeId, ListMachine> = new Map();
  readonly storages: Map<NodeId, Storage> = new Map();
  readonly config: Partial<RaftNodeConfig>;
  readonly ids: readonly NodeId[];
  /** Lets a test put something between a node and its log. */
  wrapLog: (id: NodeId, log: LogStore) => LogStore = (_, log) => log;
  /** Lets a test prepare the state machines. */
  prepare: (machine: ListMachine, id: NodeId) => void = () => {};

  #made = 0;

  constructor(config: Partial<RaftNodeConfig> = {}, ids: readonly NodeId[] = ["a", "b", "c"]) {
    this.config = config;
    this.ids = ids;
  }

  /** Makes a node, over what it stored before. */
  make(id: NodeId, config: Partial<RaftNodeConfig> = {}): RaftNode<number> {
    const storage = this.storages.get(id) ?? {
      log: new MemoryLogStore(),
      stable: new MemoryStableStore(),
      snapshots: new MemorySnapshotStore(),
    };
    this.storages.set(id, storage);
    const machine = new ListMachine();
    this.prepare(machine, id);
    this.machines.set(id, machine);
    const node = new RaftNode<number>(
      { id, clusterId: "test", bootstrap: { voters: this.ids }, ...this.config, ...config },
      {
        ...storage,
        log: this.wrapLog(id, storage.log),
        fsm: machine,
        transport: this.network.transport(id),
        clock: this.clock,
        random: seeded(++this.#made * 1000 + id.charCodeAt(0)),
      },
    );
    this.nodes.set(id, node);
    return node;
  }

  /** Starts all nodes and waits for a leader. */
  async start(): Promise<RaftNode<number>> {
    for (const id of this.ids) {
      await this.make(id).start();
    }
    return await this.elected();
  }

  /** Waits until a running node leads and all others that run follow it. */
  async elected(): Promise<RaftNode<number>> {
    const running = (): RaftNode<number>[] =>
      [...this.nodes.values()].filter(({ state }) => state === "running");
    await this.clock.until(() => {
      const leaders = new Set(running().map((node) => node.status().leaderId));
      return leaders.size === 1 && running().some((node) => leaders.has(node.id));
    });
    return running().find((node) => node.status().role === "leader")!;
  }

  get(id: NodeId): RaftNode<number> {
    return this.nodes.get(id)!;
  }

  list(id: NodeId): string[] {
    return this.machines.get(id)!.list;
  }

  others(id: NodeId): NodeId[] {
    return [...this.nodes.keys()].filter((other) => other !== id);
  }

  /** Waits for a promise while time passes. */
  async run<Value>(promise: Promise<Value>): Promise<Value> {
    let done = false;
    const settled = promise.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    await this.clock.until(() => done);
    return await settled;
  }

  async stop(): Promise<void> {
    const stopping = Promise.all([...this.nodes.values()].map((node) => node.stop()));
    await this.run(stopping);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
