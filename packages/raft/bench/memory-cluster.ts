import {
  type Clock,
  type Entry,
  type FSM,
  MemoryLogStore,
  MemoryNetwork,
  MemorySnapshotStore,
  MemoryStableStore,
  type NodeId,
  RaftNode,
  type RaftNodeConfig,
} from "@mon/raft";

/** Time as it is. */
const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  setImmediate: (callback) => {
    const immediate = setImmediate(callback);
    return { cancel: () => clearImmediate(immediate) };
  },
};

/** A state machine that only counts, so that what is measured is consensus. */
class Counter implements FSM<number> {
  #count = 0;

  apply(entries: readonly Entry[]): number[] {
    return entries.map(() => ++this.#count);
  }

  snapshot(): { chunks: () => Uint8Array[] } {
    const image = Buffer.from(String(this.#count));
    return { chunks: () => [image] };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let text = "";
    for await (const chunk of chunks) text += Buffer.from(chunk).toString();
    this.#count = Number(text);
  }
}

/** Three members in this process, whose logs and network are memory, with default options. */
export class MemoryCluster implements AsyncDisposable {
  readonly #nodes: readonly RaftNode<number>[];
  readonly leader: RaftNode<number>;

  private constructor(nodes: readonly RaftNode<number>[], leader: RaftNode<number>) {
    this.#nodes = nodes;
    this.leader = leader;
  }

  /** Starts the members and waits for a leader that can commit. */
  static async start(options: Partial<RaftNodeConfig> = {}): Promise<MemoryCluster> {
    const ids: readonly NodeId[] = ["a", "b", "c"];
    const network = new MemoryNetwork(systemClock);
    const elected = Promise.withResolvers<RaftNode<number>>();
    const nodes = ids.map((id) => {
      const node = new RaftNode<number>(
        { id, clusterId: "bench", bootstrap: { voters: ids }, ...options },
        {
          fsm: new Counter(),
          log: new MemoryLogStore(),
          stable: new MemoryStableStore(),
          snapshots: new MemorySnapshotStore(),
          transport: network.transport(id),
          clock: systemClock,
          random: { next: Math.random },
        },
      );
      node.on("roleChanged", ({ role }) => {
        if (role === "leader") elected.resolve(node);
      });
      return node;
    });
    for (const node of nodes) await node.start();
    const leader = await elected.promise;
    await leader.propose(new Uint8Array());
    return new MemoryCluster(nodes, leader);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }
}
