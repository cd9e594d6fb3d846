import type { ClusterCommand, ClusterState } from "@mon/cluster";
import { SimProcess, VirtualLoop } from "@mon/raft/testing";
import { blockMs, blockStart, type Fragment, fragmentFromSamples, Kind, type Partition } from "@mon/store";
import {
  Coordinator,
  type CoordinatorOptions,
  Copier,
  type Peer,
  ReplicaServer,
  RingBook,
  type Rings,
  TokenBucket,
  UnionReader,
} from "../src/index.ts";
import { SimStore } from "./sim/sim-store.ts";

/** An instant in the middle of nowhere. */
export const atMs = 1_767_225_600_000;

/** A report of one sample. */
export function report(hostId: string, timestampMs: number, value = 1): Fragment {
  const sample = { name: "v", labels: [], kind: Kind.gauge, value, flags: 0 };
  return fragmentFromSamples(hostId, timestampMs, [sample]);
}

/** The partition that a fragment is part of. */
export function partitionOf({ hostId, timestampMs }: Fragment): Partition {
  return { hostId, blockStartMs: blockStart(hostId, timestampMs) };
}

const facts = {
  incarnation: "1",
  agentAddress: "",
  peerAddress: "",
  version: "0.1.0",
  state: "active" as const,
  sinceMs: 0,
};

/** A ring of these members, under an epoch. */
export function ringsOf(ids: string, epoch = 1, replicationFactor = 2): Rings {
  const members = [...ids].map((id) => ({ id, weight: 1, zone: "" }));
  const parameters = {
    vnodes: 20,
    hash: "crc32-fmix32",
    seed: 0,
    shardBucketMs: blockMs,
    replicationFactor,
  };
  const known = new Map(members.map((member) => [member.id, { ...facts, ...member, nodeId: member.id }]));
  return { members: known, ring: { epoch, members, parameters }, change: undefined, past: [] };
}

/** A change from one ring to another, of which nothing is done yet. */
export function changing(from: Rings, to: string, wanted: Partial<ClusterState["change"]> = {}): Rings {
  const ring = ringsOf(to, from.ring.epoch + 1, from.ring.parameters.replicationFactor).ring;
  const change = {
    ring,
    wish: { kind: "add" as const, nodeId: [...to].at(-1)! },
    sinceMs: 0,
    undrained: from.ring.members.map(({ id }) => id),
    uncopied: ring.members.map(({ id }) => id),
    copied: new Map(),
    ...wanted,
  };
  return { ...from, change };
}

/** One broker of a {@link Bench}. */
export interface BenchBroker {
  readonly clock: SimProcess;
  readonly store: SimStore;
  readonly book: RingBook;
  readonly server: ReplicaServer;
  readonly coordinator: Coordinator;
  readonly reader: UnionReader;
  readonly copier: Copier;
  readonly proposed: ClusterCommand[];
}

/** Brokers that reach each other at once, in virtual time. */
export class Bench {
  readonly loop: VirtualLoop = new VirtualLoop();
  readonly brokers: Map<string, BenchBroker> = new Map();
  /** Members that others think are not there. */
  readonly suspects: Set<string> = new Set();
  /** Stands in for what a member answers; absent, it answers itself. */
  readonly instead: Map<string, Partial<Peer>> = new Map();
  /** Calls as "from>to name". */
  readonly calls: string[] = [];

  constructor(
    ids: string,
    rings: Rings,
    options: CoordinatorOptions & {
      syncMs?: () => number;
      bytesPerSecond?: number;
      standInsMax?: number;
    } = {},
  ) {
    for (const nodeId of ids) {
      const clock = new SimProcess(nodeId, 1, this.loop);
      const store = new SimStore(options.syncMs ?? (() => 1));
      store.process = clock;
      const book = new RingBook(rings, options.standInsMax);
      const server = new ReplicaServer({ store, book, clock });
      server.serve();
      const peers = (to: string): Peer => this.#peer(nodeId, to);
      const isLive = (to: string): boolean => !this.suspects.has(to);
      const throttle = new TokenBucket(options.bytesPerSecond ?? 1e9, clock.now());
      this.brokers.set(nodeId, {
        clock,
        store,
        book,
        server,
        coordinator: new Coordinator({ book, peers, isLive, clock }, options),
        reader: new UnionReader({ book, peers, clock }),
        copier: new Copier({ store, book, peers, clock, throttle }, { batchBytesMax: 100 }),
        proposed: [],
      });
    }
  }

  broker(nodeId: string): BenchBroker {
    return this.brokers.get(nodeId)!;
  }

  /** Lets time pass until a promise has settled. @throws when it has not by then */
  async settle<Value>(promise: Promise<Value>, withinMs = 60_000): Promise<Value> {
    let isSettled = false;
    const end = (): void => {
      isSettled = true;
    };
    promise.then(end, end);
    await turn();
    if (!isSettled) await this.loop.run(this.loop.now + withinMs, () => !isSettled);
    if (!isSettled) throw new Error(`expected it to settle in ${withinMs} ms`);
    return promise;
  }

  /** Lets time pass. */
  async advance(byMs: number): Promise<void> {
    await turn();
    await this.loop.run(this.loop.now + byMs, () => true);
  }

  #peer(from: string, to: string): Peer {
    const own = this.broker(to).server;
    const instead = this.instead.get(to) ?? {};
    const names = ["write", "read", "partitions", "manifest", "fetch", "receipt", "give"] as const;
    const entries = names.map((name) => [
      name,
      (request: never) => {
        this.calls.push(`${from}>${to} ${name}`);
        return (instead[name] ?? own[name].bind(own))(request);
      },
    ]);
    // Each entry has the name and the shape of the method that it stands for.
    return Object.fromEntries(entries) as Peer;
  }
}

/** All that a reader gives of a host, as "instant offset=value", and what is missing. */
export async function readAll(
  reader: UnionReader,
  hostId: string,
  startMs: number,
  endMs: number,
): Promise<{ values: Record<number, number>; missing: string[] }> {
  const values: Record<number, number> = {};
  const missing: string[] = [];
  for await (const slice of reader.read({ hostId, startMs, endMs })) {
    missing.push(...slice.missing);
    for (const { timestampsMs, values: column } of slice.columns) {
      for (const [i, timestampMs] of timestampsMs.entries()) values[timestampMs - startMs] = column[i]!;
    }
  }
  return { values, missing };
}

/** Lets all settle that can without time passing. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Never answers. */
export function silence(): Promise<never> {
  return new Promise(() => {});
}
