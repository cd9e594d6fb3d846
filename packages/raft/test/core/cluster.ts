import { expect } from "vitest";
import {
  bootstrapBatch,
  type ConfChangeStep,
  type Entry,
  type LogBatch,
  type Message,
  type NodeId,
  RawNode,
  type RawNodeOptionsInput,
  type Ready,
  type SnapshotMeta,
  type Status,
} from "../../src/index.ts";
import { LogImage } from "../../src/testing.ts";

/** mulberry32: small, seeded, good enough to draw timeouts. */
export function seeded(seed: number): { next(): number } {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 15), z | 1);
      z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
      return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

export type Options = Partial<Omit<RawNodeOptionsInput, "id">>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

export function text(data: Uint8Array): string {
  return decoder.decode(data);
}

/** An entry of a log that a test makes up. */
export function entry(index: number, term: number, data = ""): Entry {
  return { index, term, type: "command", data: bytes(data), timestampMs: 0 };
}

/** A node with its disk and a state machine that remembers what it applied. */
export class TestNode {
  readonly id: NodeId;
  readonly options: Options;
  disk: LogImage = new LogImage();
  snapshot: SnapshotMeta | undefined;
  /** What the state machine holds: the commands applied, in order. */
  commands: string[] = [];
  raw!: RawNode;
  /** An append that was handed out and is not durable yet. */
  writing: LogBatch | undefined;
  /** Whether appends wait for {@link finishWrite}. */
  slowDisk: boolean = false;
  /** Whether committed entries are left alone. */
  slowFsm: boolean = false;
  applying: Ready["apply"];
  readStates: { requestId: number; index: number }[] = [];
  outcomes: Ready["outcomes"][number][] = [];
  /** Every ready that was seen, for scripts. */
  onReady: ((ready: Ready) => void) | undefined;

  /** Commands by the index of the snapshot that holds them; those of a cluster are equal. */
  readonly #snapshots: Map<number, readonly string[]>;

  constructor(id: NodeId, options: Options, snapshots: Map<number, readonly string[]>) {
    this.id = id;
    this.options = options;
    this.#snapshots = snapshots;
  }

  /** Starts over from the disk. What was being written is lost. */
  start(): void {
    this.writing = undefined;
    this.applying = undefined;
    this.commands = [...(this.#snapshots.get(this.snapshot?.index ?? 0) ?? [])];
    let seed = 0;
    for (const character of this.id) {
      seed = seed * 31 + character.charCodeAt(0);
    }
    this.raw = new RawNode(
      { id: this.id, random: seeded(seed), ...this.options },
      { log: this.disk.state(), snapshot: this.snapshot, applied: this.snapshot?.index ?? 0 },
    );
  }

  get status(): Status {
    return this.raw.status();
  }

  /** Terms of the log on disk, from its first entry on. */
  get terms(): number[] {
    return this.disk.entries.map(({ term }) => term);
  }

  /** Does what the node wants until it wants nothing. */
  process(send: (message: Message) => void): boolean {
    let worked = false;
    for (let ready = this.raw.ready(); ready !== undefined; ready = this.raw.ready()) {
      worked = true;
      this.onReady?.(ready);
      for (const message of ready.messages) {
        send(message);
      }
      this.readStates.push(...ready.readStates);
      this.outcomes.push(...ready.outcomes);
      for (const { id, from, to, maxBytes } of ready.fetches) {
        this.raw.fetched(id, from <= this.disk.base.index ? [] : this.disk.read(from, to, maxBytes));
      }
      if (ready.append !== undefined) {
        this.writing = ready.append;
        if (!this.slowDisk) {
          this.finishWrite();
        }
      }
      if (ready.apply !== undefined) {
        this.applying = ready.apply;
        if (!this.slowFsm) {
          this.finishApply();
        }
      }
    }
    return worked;
  }

  finishWrite(): void {
    const batch = this.writing;
    this.writing = undefined;
    if (batch !== undefined) {
      this.disk.append(batch);
      this.raw.appended();
    }
  }

  finishApply(): void {
    const apply = this.applying;
    this.applying = undefined;
    if (apply === undefined) {
      return;
    }
    if (apply.snapshot !== undefined) {
      this.commands = [...this.#snapshots.get(apply.index)!];
    } else {
      for (const { type, data } of apply.entries) {
        if (type === "command") {
          this.commands.push(text(data));
        }
      }
    }
    this.raw.applied(apply.index);
  }

  /** Takes a snapshot of what is applied and compacts. */
  takeSnapshot(): SnapshotMeta {
    const point = this.raw.snapshotPoint(this.status.applied);
    this.snapshot = { ...point, sizeBytes: 0, crc32: 0 };
    this.#snapshots.set(point.index, [...this.commands]);
    const base = this.raw.snapshotSaved(this.snapshot);
    if (base !== undefined) {
      this.disk.compact(base);
    }
    return this.snapshot;
  }
}

/** Nodes and the messages between them, delivered when a test says so. Nothing happens by itself. */
export class Cluster {
  readonly nodes: Map<NodeId, TestNode> = new Map();
  /** Messages under way, oldest first. */
  network: Message[] = [];
  /** Whether a message gets onto the network. */
  passes: (message: Message) => boolean = () => true;
  readonly options: Options;
  readonly #snapshots = new Map<number, readonly string[]>();

  constructor(voters: readonly NodeId[], options: Options = {}, learners: readonly NodeId[] = []) {
    this.options = options;
    for (const id of [...voters, ...learners]) {
      this.addNode(id, bootstrapBatch(voters, learners));
    }
  }

  /** Adds a node, with an empty log unless told otherwise. */
  addNode(id: NodeId, bootstrap?: LogBatch, options: Options = {}): TestNode {
    const node = new TestNode(id, { ...this.options, ...options }, this.#snapshots);
    if (bootstrap !== undefined) {
      node.disk.append(bootstrap);
    }
    this.nodes.set(id, node);
    node.start();
    node.process((message) => this.#send(message));
    return node;
  }

  get(id: NodeId): TestNode {
    return this.nodes.get(id)!;
  }

  /** The node that leads the highest term. */
  get leader(): TestNode | undefined {
    let best: TestNode | undefined;
    for (const node of this.nodes.values()) {
      if (node.status.role === "leader" && (best === undefined || node.status.term > best.status.term)) {
        best = node;
      }
    }
    return best;
  }

  /** Lets every node work, delivers nothing. */
  process(): boolean {
    let worked = false;
    for (const node of this.nodes.values()) {
      worked = node.process((message) => this.#send(message)) || worked;
    }
    return worked;
  }

  /** Delivers what is under way, once. */
  deliver(): void {
    const messages = this.network;
    this.network = [];
    for (const message of messages) {
      this.deliverOne(message);
    }
  }

  deliverOne(message: Message): void {
    const node = this.nodes.get(message.to);
    if (node === undefined || !this.passes(message)) {
      this.lose(message);
      return;
    }
    if (message.type === "snapshot") {
      const sender = this.get(message.from);
      if (node.snapshot === undefined || node.snapshot.index < message.snapshot.index) {
        node.snapshot = message.snapshot;
      }
      sender.raw.reportSnapshot(message.to, true);
    }
    node.raw.step(message);
  }

  /** Loses a message; whoever sends a snapshot is owed word of it. */
  lose(message: Message): void {
    if (message.type === "snapshot") {
      this.get(message.from).raw.reportSnapshot(message.to, false);
    }
  }

  /** Works and delivers until nothing is left to do. */
  settle(limit = 10_000): void {
    for (let round = 0; ; round++) {
      expect(round, "rounds until quiet").toBeLessThan(limit);
      const worked = this.process();
      if (!worked && this.network.length === 0) {
        return;
      }
      this.deliver();
    }
  }

  /** Lets time pass on some nodes, all of them by default, settling after each tick. */
  tick(count: number, ids: Iterable<NodeId> = this.nodes.keys()): void {
    const ticking = [...ids];
    for (let i = 0; i < count; i++) {
      for (const id of ticking) {
        this.get(id).raw.tick();
      }
      this.settle();
    }
  }

  /** Has a node elected, waiting out the lease of whoever led. */
  elect(id: NodeId): TestNode {
    const node = this.get(id);
    const transfer = node.raw.status().leaderId;
    if (transfer !== undefined && transfer !== id && this.nodes.get(transfer)?.status.role === "leader") {
      this.get(transfer).raw.transferLeadership(id);
    } else {
      node.raw.campaign();
    }
    this.settle();
    expect(node.status.role).toBe("leader");
    return node;
  }

  propose(id: NodeId, ...commands: string[]): void {
    this.get(id).raw.propose(commands.map((command) => ({ data: bytes(command), timestampMs: 1 })));
  }

  change(id: NodeId, ...steps: [ConfChangeStep["kind"], NodeId][]): void {
    this.get(id).raw.proposeConfChange({
      steps: steps.map(([kind, to]) => ({ kind, id: to })),
      timestampMs: 1,
    });
  }

  /** Cuts all links between groups of nodes; nodes that are not named are alone. */
  partition(...groups: NodeId[][]): void {
    this.passes = ({ from, to }) => groups.some((group) => group.includes(from) && group.includes(to));
  }

  heal(): void {
    this.passes = () => true;
  }

  /** Stops a node, losing what was not durable, and starts it from its disk. */
  restart(id: NodeId): TestNode {
    const node = this.get(id);
    node.start();
    return node;
  }

  #send(message: Message): void {
    this.network.push(message);
  }
}
