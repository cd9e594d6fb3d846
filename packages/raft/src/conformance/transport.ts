import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RaftError } from "../errors.ts";
import type { Message, SnapshotMessage } from "../message.ts";
import type { Identity } from "../stable-store.ts";
import type { Transport, TransportHandler } from "../transport.ts";

/** How the suite gets its transports. */
export interface TransportFixture {
  /** Makes transports of nodes a, b and c that can reach each other once they are started. */
  create(): Promise<Readonly<Record<"a" | "b" | "c", Transport>>>;
  /** Takes away what `create` set up. The transports are stopped before. */
  destroy?(): Promise<void>;
}

/** A handler that remembers what it got, and lets a test wait for it. */
class Recorder implements TransportHandler {
  readonly identity: Identity;
  readonly received: { peer: Identity; message: Message }[] = [];
  readonly lost: string[] = [];
  readonly snapshots: { message: SnapshotMessage; bytes: Uint8Array }[] = [];
  refusal: RaftError | undefined;
  #watchers: (() => void)[] = [];

  constructor(nodeId: string) {
    this.identity = { nodeId, clusterId: "conformance", incarnation: nodeId.charCodeAt(0) };
  }

  receive(peer: Identity, messages: readonly Message[]): void {
    this.#refuse();
    this.received.push(...messages.map((message) => ({ peer, message })));
    this.#changed();
  }

  async receiveSnapshot(
    _: Identity,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.#refuse();
    const read: Uint8Array[] = [];
    for await (const chunk of chunks) {
      read.push(new Uint8Array(chunk));
    }
    this.snapshots.push({ message, bytes: new Uint8Array(Buffer.concat(read)) });
    this.#changed();
  }

  unreachable(to: string): void {
    this.lost.push(to);
    this.#changed();
  }

  /** Resolves when something holds, checked whenever something comes. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  #refuse(): void {
    if (this.refusal !== undefined) {
      throw this.refusal;
    }
  }

  #changed(): void {
    for (const watcher of this.#watchers.splice(0)) {
      watcher();
    }
  }
}

/** Registers the tests that every {@link Transport} must pass, over links that work. */
export function transportConformance(name: string, fixture: TransportFixture): void {
  describe(`${name} is a transport that`, () => {
    let transports: Readonly<Record<"a" | "b" | "c", Transport>>;
    let handlers: Record<"a" | "b" | "c", Recorder>;

    beforeEach(async () => {
      transports = await fixture.create();
      handlers = { a: new Recorder("a"), b: new Recorder("b"), c: new Recorder("c") };
      for (const id of ["a", "b", "c"] as const) {
        await transports[id].start(handlers[id]);
      }
    });

    afterEach(async () => {
      for (const id of ["a", "b", "c"] as const) {
        await transports[id].stop();
      }
      await fixture.destroy?.();
    });

    it("brings every kind of message as it was sent, and says who sent it", async () => {
      const messages = samples("a", "b");
      transports.a.send("b", messages);
      await handlers.b.until(() => handlers.b.received.length >= messages.length);
      expect(handlers.b.received.map(({ message }) => message)).toEqual(messages);
      expect(handlers.b.received[0]!.peer).toEqual(handlers.a.identity);
      expect(handlers.c.received).toEqual([]);
    });

    it("keeps the order of messages to one peer while the link works", async () => {
      for (let requestId = 0; requestId < 200; requestId++) {
        transports.a.send("b", [{ type: "readIndex", from: "a", to: "b", term: 1, requestId }]);
      }
      await handlers.b.until(() => handlers.b.received.length >= 200);
      expect(handlers.b.received.map(({ message }) => (message as { requestId: number }).requestId)).toEqual(
        Array.from({ length: 200 }, (_, i) => i),
      );
    });

    it("carries messages both ways and to several peers", async () => {
      transports.a.send("b", [{ type: "timeoutNow", from: "a", to: "b", term: 1 }]);
      transports.b.send("a", [{ type: "timeoutNow", from: "b", to: "a", term: 2 }]);
      transports.a.send("c", [{ type: "timeoutNow", from: "a", to: "c", term: 3 }]);
      await Promise.all(
        Object.values(handlers).map((handler) => handler.until(() => handler.received.length >= 1)),
      );
      expect(handlers.a.received[0]!.message.term).toBe(2);
      expect(handlers.b.received[0]!.message.term).toBe(1);
      expect(handlers.c.received[0]!.message.term).toBe(3);
    });

    it("carries entries of a megabyte", async () => {
      const data = new Uint8Array(1 << 20).fill(7);
      const entry = { index: 1, term: 1, type: "command", data, timestampMs: 0 } as const;
      const rest = { session: 1, prevIndex: 0, prevTerm: 0, commit: 0 };
      transports.a.send("b", [{ type: "append", from: "a", to: "b", term: 1, entries: [entry], ...rest }]);
      await handlers.b.until(() => handlers.b.received.length === 1);
      expect(handlers.b.received[0]!.message).toMatchObject({ entries: [{ data }] });
    });

    it("says that a peer which stopped is unreachable, and reaches it again when it is back", async () => {
      await transports.b.stop();
      transports.a.send("b", [{ type: "timeoutNow", from: "a", to: "b", term: 1 }]);
      await handlers.a.until(() => handlers.a.lost.includes("b"));
      expect(handlers.b.received).toEqual([]);
    });

    it("says that a peer which is not known is unreachable", async () => {
      transports.a.send("nobody", [{ type: "timeoutNow", from: "a", to: "nobody", term: 1 }]);
      await handlers.a.until(() => handlers.a.lost.includes("nobody"));
    });

    it("survives a handler that refuses", async () => {
      handlers.b.refusal = new RaftError("RAFT_WRONG_CLUSTER", "expected another cluster");
      transports.a.send("b", [{ type: "timeoutNow", from: "a", to: "b", term: 1 }]);
      await handlers.a.until(() => handlers.a.lost.includes("b"));
      transports.c.send("a", [{ type: "timeoutNow", from: "c", to: "a", term: 1 }]);
      await handlers.a.until(() => handlers.a.received.length === 1);
    });

    it("brings a snapshot whole", async () => {
      const bytes = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 31) % 253);
      const message = snapshotMessage("a", "b");
      await transports.a.sendSnapshot("b", message, chunked(bytes), new AbortController().signal);
      expect(handlers.b.snapshots).toEqual([{ message, bytes }]);
    });

    it("rejects when a snapshot is refused, does not arrive or is given up", async () => {
      const never = new AbortController().signal;
      handlers.b.refusal = new RaftError("RAFT_BUSY", "expected one snapshot at a time");
      const message = snapshotMessage("a", "b");
      await expect(
        transports.a.sendSnapshot("b", message, chunked(new Uint8Array(9)), never),
      ).rejects.toThrow();
      const toNobody = snapshotMessage("a", "nobody");
      await expect(
        transports.a.sendSnapshot("nobody", toNobody, chunked(new Uint8Array(9)), never),
      ).rejects.toThrow();
      const signal = AbortSignal.abort();
      const toC = snapshotMessage("a", "c");
      await expect(transports.a.sendSnapshot("c", toC, chunked(new Uint8Array(9)), signal)).rejects.toThrow();
      expect(handlers.c.snapshots).toEqual([]);
    });

    it("passes on that reading the snapshot failed, and the receiver does not take half of it for all", async () => {
      const broken = async function* (): AsyncIterable<Uint8Array> {
        yield new Uint8Array(100_000);
        throw new RaftError("RAFT_SNAPSHOT_CORRUPT", "expected another checksum");
      };
      const { signal } = new AbortController();
      await expect(
        transports.a.sendSnapshot("b", snapshotMessage("a", "b"), broken(), signal),
      ).rejects.toThrow();
      expect(handlers.b.snapshots).toEqual([]);
    });

    it("is silent after it stopped, and can be stopped twice", async () => {
      await transports.b.stop();
      await transports.b.stop();
      expect(() => transports.b.send("a", samples("b", "a"))).not.toThrow();
      transports.c.send("a", [{ type: "timeoutNow", from: "c", to: "a", term: 1 }]);
      await handlers.a.until(() => handlers.a.received.length >= 1);
      expect(handlers.a.received.length).toBe(1);
    });
  });
}

function snapshotMessage(from: string, to: string): SnapshotMessage {
  const conf = { voters: ["a", "b", "c"], learners: [], votersOutgoing: [], learnersNext: [] };
  const snapshot = { index: 9, term: 3, conf, confIndex: 1, sizeBytes: 700_000, crc32: 5 };
  return { type: "snapshot", from, to, term: 4, session: 2, snapshot };
}

async function* chunked(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) {
    yield bytes.subarray(at, at + 64 * 1024);
  }
}

/** One message of each kind, and of each shape that a kind has. */
function samples(from: string, to: string): Message[] {
  const head = { from, to, term: Number.MAX_SAFE_INTEGER };
  const data = new Uint8Array([0, 255, 7]);
  const entry = { index: 2, term: 2, data, timestampMs: 1_700_000_000_123 };
  const asked = { lastIndex: 7, lastTerm: 3 };
  return [
    { type: "vote", ...head, ...asked, transfer: true, newcomer: false },
    { type: "preVote", ...head, ...asked, transfer: false, newcomer: true },
    { type: "voteResponse", ...head, granted: true },
    { type: "preVoteResponse", ...head, granted: false },
    {
      type: "append",
      ...head,
      session: 3,
      prevIndex: 1,
      prevTerm: 1,
      entries: [
        { ...entry, type: "command" },
        { ...entry, index: 3, type: "noop", data: new Uint8Array(0), timestampMs: 0 },
        { ...entry, index: 4, type: "config" },
      ],
      commit: 1,
    },
    { type: "append", ...head, session: 3, prevIndex: 0, prevTerm: 0, entries: [], commit: 0 },
    { type: "appendResponse", ...head, session: 3, index: 9 },
    { type: "appendResponse", ...head, session: 3, index: 9, hint: { index: 0, term: 0 } },
    { type: "heartbeat", ...head, session: 3, commit: { index: 4, term: 2 }, readSequence: 8 },
    { type: "heartbeatResponse", ...head, session: 3, readSequence: 8 },
    { type: "timeoutNow", ...head },
    { type: "propose", ...head, requestId: 5, proposals: [{ data, timestampMs: 1 }] },
    {
      type: "proposeChange",
      ...head,
      requestId: 6,
      change: {
        steps: [
          { kind: "addVoter", id: "d" },
          { kind: "addLearner", id: "e" },
          { kind: "remove", id: "f" },
        ],
        timestampMs: 1,
      },
    },
    { type: "proposeResponse", ...head, requestId: 5, outcome: { index: 9, term: 2 } },
    { type: "proposeResponse", ...head, requestId: 5, outcome: { refused: "RAFT_OVERLOADED" } },
    { type: "readIndex", ...head, requestId: 7 },
    { type: "readIndexResponse", ...head, requestId: 7, index: 9 },
    { type: "transferLeadership", ...head, target: "c" },
    { type: "stateHash", ...head, index: 9, hash: "abc" },
    { type: "diverged", ...head, index: 9, hash: "abd" },
    { type: "snapshotRequest", ...head, index: 9 },
  ];
}
