import type { ClusterCommand } from "@mon/cluster";
import { type SeededRandom, SimProcess, type VirtualLoop } from "@mon/raft/testing";
import {
  Coordinator,
  Copier,
  HandOver,
  Repair,
  ReplicaServer,
  ReplicationError,
  RingBook,
  Surrender,
  TokenBucket,
  UnionReader,
} from "../../src/index.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { SimRaft } from "./sim-raft.ts";
import type { SimStore } from "./sim-store.ts";

/** Pieces that all brokers of a simulation share. */
export interface SimWorld {
  readonly loop: VirtualLoop;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly raft: SimRaft;
  readonly graceMs: number;
  readonly doesRepair: boolean;
  /** Whether `from` thinks that `to` answers. */
  isLive(from: string, to: string): boolean;
  clusterTimeMs(): number;
}

/** One run of a broker, from its start to its death. */
export class SimBroker {
  readonly process: SimProcess;
  readonly book: RingBook;
  readonly server: ReplicaServer;
  readonly coordinator: Coordinator;
  readonly reader: UnionReader;
  readonly handOver: HandOver;
  readonly surrender: Surrender;
  readonly repair: Repair;
  readonly #world: SimWorld;

  constructor(world: SimWorld, nodeId: string, run: number, store: SimStore, appliedIndex: number) {
    const { loop, network, raft } = world;
    this.#world = world;
    const clock = new SimProcess(nodeId, run, loop);
    this.process = clock;
    store.process = clock;
    const peers = (to: string) => network.peer(clock, to);
    const book = new RingBook(raft.states[appliedIndex]!);
    this.book = book;
    const propose = (command: ClusterCommand): Promise<void> => raft.propose(clock, command);
    const clusterTimeMs = (): number => world.clusterTimeMs();
    const server = new ReplicaServer({ store, book, clock }, { catchUpMs: 300 });
    this.server = server;
    const isLive = (to: string): boolean => world.isLive(nodeId, to);
    this.coordinator = new Coordinator({ book, peers, isLive, clock }, { timeoutMs: 500 });
    this.reader = new UnionReader({ book, peers, clock }, { timeoutMs: 500 });
    const throttle = new TokenBucket(100_000, clock.now());
    const copier = new Copier(
      { store, book, peers, clock, throttle },
      { timeoutMs: 500, batchBytesMax: 200 },
    );
    const shared = { nodeId, book, server, copier, propose, clock, clusterTimeMs, store };
    this.handOver = new HandOver(shared, { pageSize: 7 });
    this.surrender = new Surrender(shared, { graceMs: world.graceMs, partitionsMax: 9 });
    this.repair = new Repair(shared, { pageSize: 7 });
  }

  /** Surrenders for a while, then serves, and keeps up what is to be kept up. */
  start(): void {
    void this.#surrenderFirst().then(() => this.server.serve());
    this.#every(150, () => this.handOver.step());
    this.#every(400, () => this.surrender.sweep());
    if (this.#world.doesRepair) this.#every(1_500, () => this.repair.round());
  }

  async #surrenderFirst(): Promise<void> {
    for (let sweep = 0; sweep < 2; sweep++) {
      const result = await settled(this.surrender.sweep());
      if (result?.kept === 0) return;
      await new Promise<void>((resolve) => this.process.setTimeout(resolve, 100));
    }
  }

  #every(periodMs: number, step: () => Promise<unknown>): void {
    const again = (): void => {
      void settled(step()).then(() => this.process.setTimeout(again, periodMs));
    };
    this.process.setTimeout(again, this.#world.random.between(0, periodMs));
  }
}

/** What came of it; undefined when it failed as things do between brokers. */
async function settled<Value>(promise: Promise<Value>): Promise<Value | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof ReplicationError) return undefined;
    throw error;
  }
}
