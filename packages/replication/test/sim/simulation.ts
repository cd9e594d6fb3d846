import type { ClusterCommand, ClusterState } from "@mon/cluster";
import { plan } from "@mon/hashring";
import { SeededRandom, VirtualLoop } from "@mon/raft/testing";
import { blockMs, blockStart, fragmentFromSamples, Kind } from "@mon/store";
import { type ContentId, Placement } from "../../src/index.ts";
import { Ledger, type Sent } from "./ledger.ts";
import { SimBroker, type SimWorld } from "./sim-broker.ts";
import { SimNetwork } from "./sim-network.ts";
import { SimRaft } from "./sim-raft.ts";
import { nameOf, SimStore } from "./sim-store.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** Ends the faults, in milliseconds. Default 15,000. */
  readonly faultsMs?: number;
  /** What happens besides load and reads, in order. Default: drawn by the seed. */
  readonly script?: readonly ScriptedEvent[];
  /** Default 1,500: longer than a read waits. */
  readonly graceMs?: number;
  /** Default true. */
  readonly doesRepair?: boolean;
  /** Brokers that there are at first, "a" and so on. Default 3. */
  readonly members?: number;
  /** Default: 2 or 3, by the seed. */
  readonly replicationFactor?: number;
  /** Chance that a live member is thought not to be. Default 0.05. */
  readonly doubt?: number;
  /** Called before anything happens. */
  readonly prepare?: (simulation: Simulation) => void;
}

export interface ScriptedEvent {
  readonly atMs: number;
  run(simulation: Simulation): void;
}

/** What came of a run. */
export interface SimulationResult {
  /** Empty when all promises were kept. */
  readonly violations: readonly string[];
  readonly acked: number;
  readonly completeReads: number;
  readonly partialReads: number;
  readonly changes: number;
  readonly removed: number;
  readonly calls: ReadonlyMap<string, number>;
}

const epochMs = 1_767_225_600_000;
const hostIds = ["web-1", "web-2", "db-1", "db-2", "cache-1"];
const hours = 4;
const nodeIds = ["a", "b", "c", "d", "e"];

/** A cluster under load in virtual time: one seed, one run. */
export class Simulation implements SimWorld {
  readonly loop: VirtualLoop = new VirtualLoop();
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly raft: SimRaft;
  readonly ledger: Ledger = new Ledger();
  readonly stores: Map<string, SimStore> = new Map();
  readonly brokers: Map<string, SimBroker> = new Map();
  readonly graceMs: number;
  readonly doesRepair: boolean;
  readonly violations: string[] = [];
  /** How long a member's state machine is behind, in milliseconds, beyond the usual. */
  readonly lagMs: Map<string, number> = new Map();
  readonly #applied = new Map<string, number>();
  readonly #runs = new Map<string, number>();
  readonly #faultsMs: number;
  readonly #script: readonly ScriptedEvent[] | undefined;
  readonly #members: number;
  readonly #copies: number;
  #doubt: number;
  #doubted = new Set<string>();
  #value = 0;
  #isLoaded = true;
  #completeReads = 0;
  #partialReads = 0;
  #removed = 0;
  #changes = 0;
  /** Members that will not come back. */
  readonly #dead = new Set<string>();

  constructor(options: SimulationOptions) {
    this.random = new SeededRandom(options.seed);
    this.graceMs = options.graceMs ?? 1_500;
    this.doesRepair = options.doesRepair ?? true;
    this.#faultsMs = options.faultsMs ?? 15_000;
    this.#script = options.script;
    this.#doubt = options.doubt ?? 0.05;
    this.#members = options.members ?? 3;
    this.#copies = options.replicationFactor ?? this.random.pick([2, 2, 3]);
    this.network = new SimNetwork(this.loop, this.random.stream("network"), (id) => this.brokers.get(id));
    this.raft = new SimRaft(this.loop, this.random.stream("raft"), (index) => this.#deliver(index));
    this.raft.onApplied = (before, after, command) => this.#onApplied(before, after, command);
  }

  clusterTimeMs(): number {
    return Math.floor(epochMs + this.loop.now);
  }

  isLive(from: string, to: string): boolean {
    if (from === to) return true;
    const isUp = this.isUp(to) && !this.network.cuts.has(`${from}>${to}`);
    return isUp && !this.#doubted.has(`${from}>${to}`);
  }

  isUp(nodeId: string): boolean {
    return this.brokers.get(nodeId)?.process.state === "running";
  }

  /** A command of an operator, or of the leader; what the cluster refuses is let be. */
  order(command: Command): void {
    try {
      this.raft.apply({ ...command, atMs: this.clusterTimeMs() } as ClusterCommand);
    } catch (error) {
      if ((error as Error).name !== "ClusterRefusal") throw error;
    }
  }

  /** Adds a broker with an empty disk, and gives it a share. */
  join(nodeId: string): void {
    if (this.stores.has(nodeId)) return;
    const random = this.random.stream(`disk ${nodeId}`);
    const store = new SimStore(
      () => random.between(1, 12),
      (hostId, ids) => this.#onRemoved(nodeId, hostId, ids),
    );
    this.stores.set(nodeId, store);
    this.boot(nodeId);
    const member = facts(nodeId);
    if (this.raft.state.clusterId === "") {
      const wanted = { ...parameters, replicationFactor: this.#copies };
      this.order({ kind: "form", clusterId: "c", scope: "local", member, parameters: wanted });
    } else {
      this.order({ kind: "join", clusterId: "c", member });
      this.order({ kind: "activate", nodeId });
    }
  }

  boot(nodeId: string): void {
    const run = (this.#runs.get(nodeId) ?? 0) + 1;
    this.#runs.set(nodeId, run);
    const index = this.#applied.get(nodeId) ?? 0;
    const broker = new SimBroker(this, nodeId, run, this.stores.get(nodeId)!, index);
    this.brokers.set(nodeId, broker);
    this.loop.schedule(
      this.random.between(5, 100),
      () => {
        this.#apply(nodeId, this.raft.index);
        this.order({ kind: "markUp", nodeId, incarnation: nodeId });
        broker.start();
      },
      broker.process,
    );
  }

  crash(nodeId: string): void {
    this.brokers.get(nodeId)?.process.kill();
  }

  /** Kills a broker, and starts it again after a while. */
  restart(nodeId: string, afterMs: number): void {
    if (!this.isUp(nodeId) || this.#dead.has(nodeId)) return;
    this.crash(nodeId);
    if (afterMs > 1_500) this.loop.schedule(1_000, () => this.#markDown(nodeId));
    this.loop.schedule(afterMs, () => this.boot(nodeId));
  }

  pause(nodeId: string, forMs: number): void {
    const broker = this.brokers.get(nodeId);
    if (broker?.process.state !== "running") return;
    broker.process.pause();
    this.loop.schedule(forMs, () => broker.process.resume());
  }

  cut(from: string, to: string, forMs: number): void {
    this.network.cuts.add(`${from}>${to}`);
    this.loop.schedule(forMs, () => this.network.cuts.delete(`${from}>${to}`));
  }

  /** Kills a broker for good; it is removed, and forgotten when its share is handed over. */
  bury(nodeId: string): void {
    this.#dead.add(nodeId);
    this.crash(nodeId);
    this.loop.schedule(500, () => this.#bury(nodeId));
  }

  #bury(nodeId: string): void {
    const member = this.raft.state.members.get(nodeId);
    if (member === undefined) return;
    if (member.state === "active") this.order({ kind: "markDown", nodeId });
    const isWanted = this.raft.state.change?.wish.kind === "remove";
    if (member.state === "left" || !isWanted) this.order({ kind: "remove", nodeId });
    this.loop.schedule(500, () => this.#bury(nodeId));
  }

  #markDown(nodeId: string): void {
    if (!this.isUp(nodeId)) this.order({ kind: "markDown", nodeId });
  }

  async run(): Promise<SimulationResult> {
    this.join("a");
    for (let i = 1; i < this.#members; i++) this.loop.schedule(300 * i, () => this.join(nodeIds[i]!));
    this.#load();
    this.#read();
    this.#redoubt();
    for (const { atMs, run } of this.#script ?? this.#draw()) this.loop.schedule(atMs, () => run(this));
    const goesOn = (): boolean => this.violations.length === 0;
    if (!(await this.loop.run(this.#faultsMs, goesOn))) await this.#settle(goesOn);
    if (goesOn()) await this.#compareAll(goesOn);
    return {
      violations: this.violations,
      acked: [...this.ledger.acked()].length,
      completeReads: this.#completeReads,
      partialReads: this.#partialReads,
      changes: this.#changes,
      removed: this.#removed,
      calls: this.network.counts,
    };
  }

  /** Faults by the seed. */
  #draw(): ScriptedEvent[] {
    const random = this.random.stream("faults");
    this.network.weather = {
      loss: random.pick([0, 0.005, 0.03]),
      delayMsMin: 1,
      delayMsMax: random.pick([5, 40]),
    };
    this.raft.loss = random.pick([0, 0.1]);
    const events: ScriptedEvent[] = [
      { atMs: random.between(1_500, 5_000), run: (s) => s.join("d") },
      { atMs: random.between(1_500, 9_000), run: (s) => s.join("e") },
    ];
    const leaver = random.pick(["a", "b", "c"]);
    const leave = random.between(4_000, 9_000);
    events.push({ atMs: leave, run: (s) => s.order({ kind: "leave", nodeId: leaver }) });
    if (random.chance(0.4)) events.push({ atMs: leave + random.between(20, 300), run: (s) => s.abort() });
    for (let at = 700; at < this.#faultsMs - 500; at += random.exponential(700)) {
      events.push({ atMs: at, run: drawFault(random) });
    }
    return events;
  }

  abort(): void {
    const { change } = this.raft.state;
    if (change !== undefined) this.order({ kind: "abort", epoch: change.ring.epoch, reason: "called off" });
  }

  #load(): void {
    if (!this.#isLoaded) return;
    this.loop.schedule(35, () => this.#load());
    const random = this.random;
    const hostId = random.pick(hostIds);
    const value = this.#value++;
    // Instants lie in closed hours, and no two reports share one.
    const baseMs = blockStart(hostId, epochMs) - (1 + random.below(hours)) * blockMs;
    const sample = { name: "v", labels: [], kind: Kind.gauge, value, flags: 0 };
    const sent = this.ledger.add(fragmentFromSamples(hostId, baseMs + value, [sample]), value);
    void this.#send(sent, 4);
  }

  async #send(sent: Sent, tries: number): Promise<void> {
    const running = [...this.brokers].filter(([id, { server }]) => this.isUp(id) && server.isServing);
    if (running.length === 0) return;
    const [, broker] = this.random.pick(running);
    const [fate] = await broker.coordinator.write([sent.fragment]);
    if (broker.process.state === "dead") return;
    if (fate!.status === "stored") sent.ackedAtMs ??= this.loop.now;
    else if (tries > 1) this.loop.schedule(150, () => void this.#send(sent, tries - 1));
  }

  #read(): void {
    if (!this.#isLoaded) return;
    this.loop.schedule(120, () => this.#read());
    const running = [...this.brokers].filter(([id, { server }]) => this.isUp(id) && server.isServing);
    if (running.length > 0) void this.check(this.random.pick(running)[1], this.random.pick(hostIds), false);
  }

  /** Reads a host, and compares with what was acknowledged before. */
  async check(broker: SimBroker, hostId: string, mustBeComplete: boolean): Promise<void> {
    const beganMs = this.loop.now;
    const before = [...this.ledger.of(hostId).values()].filter(({ ackedAtMs }) => ackedAtMs !== undefined);
    const seen = new Map<number, number>();
    const missing: string[] = [];
    const endMs = blockStart(hostId, epochMs) - 1;
    for await (const slice of broker.reader.read({ hostId, startMs: endMs + 1 - hours * blockMs, endMs })) {
      missing.push(...slice.missing);
      for (const { timestampsMs, values } of slice.columns) {
        for (const [index, timestampMs] of timestampsMs.entries()) {
          if (seen.has(timestampMs)) this.violations.push(`${hostId} ${timestampMs} is doubled`);
          seen.set(timestampMs, values[index]!);
        }
      }
    }
    for (const [timestampMs, value] of seen) {
      if (this.ledger.of(hostId).get(timestampMs)?.value !== value) {
        this.violations.push(`${hostId} ${timestampMs} was never sent`);
      }
    }
    if (missing.length > 0) {
      this.#partialReads++;
      if (mustBeComplete) this.violations.push(`a calm read of ${hostId} is partial: ${missing.join("; ")}`);
      return;
    }
    this.#completeReads++;
    for (const { fragment, ackedAtMs } of before) {
      if (seen.has(fragment.timestampMs)) continue;
      const holders = [...this.stores].filter(([, store]) => store.has(fragment)).map(([id]) => id);
      this.violations.push(
        `at ${Math.round(this.loop.now)} a complete read by ${broker.process.name} from ${Math.round(beganMs)} lacks ` +
          `${hostId} ${fragment.timestampMs}, acknowledged at ${Math.round(ackedAtMs!)}, held by ${holders}`,
      );
      return;
    }
  }

  /** Heals everything, and waits until nothing is left to be done. */
  async #settle(goesOn: () => boolean): Promise<void> {
    this.#isLoaded = false;
    this.#doubt = 0;
    this.#doubted.clear();
    this.network.weather = { loss: 0, delayMsMin: 1, delayMsMax: 5 };
    this.raft.loss = 0;
    this.lagMs.clear();
    this.network.onCall = () => {};
    const untilMs = this.loop.now + 40_000;
    while (goesOn() && this.loop.now < untilMs) {
      await this.loop.run(this.loop.now + 1_000, goesOn);
      this.network.cuts.clear();
      for (const [nodeId, { process }] of this.brokers) {
        if (process.state === "paused") process.resume();
        if (process.state === "dead" && !this.#dead.has(nodeId)) this.boot(nodeId);
      }
      const { change, past, wishes } = this.raft.state;
      if (change === undefined && past.length === 0 && wishes.length === 0 && this.#misplaced() === undefined)
        return;
    }
    if (!goesOn()) return;
    const { change, past } = this.raft.state;
    const waits =
      change === undefined ? "no change" : `${change.undrained} to drain, ${change.uncopied} to copy`;
    const uncleared = past.map((old) => `${old.ring.epoch}: ${old.uncleared}`).join("; ");
    this.violations.push(
      `did not settle: ${waits}; uncleared ${uncleared}; ${this.#misplaced() ?? "all in place"}`,
    );
  }

  /** A fragment that is not exactly where it belongs, if there is one. */
  #misplaced(): string | undefined {
    const { inForce } = [...this.brokers.values()].find(({ process }) => this.isUp(process.id))!.book
      .topology;
    for (const { fragment, ackedAtMs } of this.ledger.all()) {
      const owners = inForce.owners(fragment.hostId, fragment.timestampMs).sort().join();
      const holders = [...this.stores].filter(([id, store]) => !this.#dead.has(id) && store.has(fragment));
      const names = holders
        .map(([id]) => id)
        .sort()
        .join();
      const isRight = names === owners || (ackedAtMs === undefined && names === "");
      if (!isRight) return `${nameOf(fragment.hostId, fragment)} is held by ${names}, owned by ${owners}`;
    }
    return undefined;
  }

  /** Every broker answers everything, and the same. */
  async #compareAll(goesOn: () => boolean): Promise<void> {
    const reads: Promise<void>[] = [];
    for (const { id } of this.raft.state.ring.members) {
      for (const hostId of hostIds) reads.push(this.check(this.brokers.get(id)!, hostId, true));
    }
    await this.loop.run(this.loop.now + 2_000, goesOn);
    await Promise.all(goesOn() ? reads : []);
  }

  #redoubt(): void {
    this.loop.schedule(200, () => this.#redoubt());
    this.#doubted = new Set();
    for (const from of this.brokers.keys()) {
      for (const to of this.brokers.keys()) {
        if (this.random.chance(this.#doubt)) this.#doubted.add(`${from}>${to}`);
      }
    }
  }

  #deliver(index: number): void {
    for (const nodeId of this.brokers.keys()) {
      const delayMs = this.random.between(1, 40) + (this.lagMs.get(nodeId) ?? 0);
      this.loop.schedule(
        delayMs,
        () => this.#apply(nodeId, index),
        () => this.brokers.get(nodeId)?.process,
      );
    }
  }

  #apply(nodeId: string, index: number): void {
    if (index <= (this.#applied.get(nodeId) ?? 0)) return;
    this.#applied.set(nodeId, index);
    this.brokers.get(nodeId)!.book.follow(this.raft.states[index]!);
  }

  #onApplied(before: ClusterState, after: ClusterState, command: ClusterCommand): void {
    if (command.kind !== "copied" || before.change === undefined) return;
    if (after.ring.epoch !== before.change.ring.epoch) return;
    this.#changes++;
    this.#checkCommit(before);
  }

  /** What was acknowledged before is where the new one has it, in enough copies (R24). */
  #checkCommit({ ring, change }: ClusterState): void {
    const [old, next] = [new Placement(ring), new Placement(change!.ring)];
    const moves = plan(old.ring, next.ring);
    const sinceMs = change!.sinceMs - epochMs;
    for (const { fragment, ackedAtMs } of this.ledger.acked()) {
      if (ackedAtMs! > sinceMs) continue;
      const { hostId, timestampMs } = fragment;
      const holds = (id: string): boolean => this.stores.get(id)!.has(fragment);
      const position = old.ring.positionOfBucket(hostId, blockStart(hostId, timestampMs));
      if (!moves.some(({ start, end }) => start <= position && position <= end)) continue;
      const holders = next.owners(hostId, timestampMs).filter(holds);
      if (holders.length >= next.quorum) continue;
      this.violations.push(
        `epoch ${change!.ring.epoch} holds ${hostId} ${timestampMs} at ${holders.length} owners only`,
      );
      return;
    }
  }

  /** What is removed is on the disk of a majority of its owners, as the remover knows them. */
  #onRemoved(nodeId: string, hostId: string, ids: readonly ContentId[]): void {
    this.#removed += ids.length;
    const { inForce } = this.brokers.get(nodeId)!.book.topology;
    for (const { timestampMs } of ids) {
      const sent = this.ledger.of(hostId).get(timestampMs);
      if (sent?.ackedAtMs === undefined) continue;
      const owners = inForce.owners(hostId, timestampMs);
      if (owners.filter((id) => this.stores.get(id)!.has(sent.fragment)).length >= inForce.quorum) continue;
      this.violations.push(`${nodeId} removed ${hostId} ${timestampMs}, which its owners ${owners} lack`);
    }
  }
}

type Command = ClusterCommand extends infer One
  ? One extends ClusterCommand
    ? Omit<One, "atMs">
    : never
  : never;

function drawFault(random: SeededRandom): (simulation: Simulation) => void {
  const nodeId = random.pick(nodeIds);
  const other = random.pick(nodeIds);
  const forMs = random.between(50, 2_500);
  const kind = random.pick(["restart", "restart", "pause", "oneWay", "twoWay", "lag", "reweigh"] as const);
  switch (kind) {
    case "restart":
      return (s) => s.restart(nodeId, forMs);
    case "pause":
      return (s) => s.pause(nodeId, forMs);
    case "oneWay":
      return (s) => s.cut(nodeId, other, forMs);
    case "twoWay":
      return (s) => {
        s.cut(nodeId, other, forMs);
        s.cut(other, nodeId, forMs);
      };
    case "lag":
      return (s) => s.lagMs.set(nodeId, random.pick([0, 1_000, 3_000]));
    case "reweigh":
      return (s) => {
        if (!s.stores.has(nodeId)) return;
        s.order({ kind: "update", member: { ...facts(nodeId), weight: random.pick([0.5, 1, 2]) } });
        s.order({ kind: "activate", nodeId });
      };
    default:
      return kind satisfies never;
  }
}

const parameters = {
  vnodes: 20,
  hash: "crc32-fmix32",
  seed: 0,
  shardBucketMs: blockMs,
};

function facts(nodeId: string) {
  const address = `${nodeId}:1`;
  const fixed = { agentAddress: address, peerAddress: address, zone: "", weight: 1, version: "0.1.0" };
  return { nodeId, incarnation: nodeId, ...fixed };
}

/** Runs a seed. */
export function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options);
  options.prepare?.(simulation);
  return simulation.run();
}
