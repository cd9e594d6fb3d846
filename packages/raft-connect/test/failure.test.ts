import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { createServer, type Socket } from "node:net";
import { RaftError } from "@mon/raft";
import { describe, expect, it } from "vitest";
import {
  type Addresses,
  append,
  HandClock,
  heartbeat,
  openSite,
  portOf,
  Relay,
  readIndex,
  type Site,
  startSite,
} from "./support.ts";

/** Sends until a message arrives, as a node does, and says how often that took. */
async function reach(from: Site, to: Site): Promise<void> {
  const [{ nodeId: sender }, { nodeId: receiver }] = [from.handler.identity, to.handler.identity];
  const before = to.handler.received.length;
  const lostBefore = from.handler.lost.length;
  from.transport.send(receiver, [readIndex(sender, receiver, 0)]);
  const arrived = to.handler.until(() => to.handler.received.length > before);
  const lost = from.handler.until(() => from.handler.lost.length > lostBefore);
  await Promise.race([arrived, lost]);
  if (to.handler.received.length === before) await reach(from, to);
}

function numbersOf({ handler }: Site): number[] {
  return handler.received.flatMap((message) => (message.type === "readIndex" ? [message.requestId] : []));
}

describe("a connection that breaks", () => {
  it("in the middle of a stream is told, and made anew for the next message", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    await reach(a, b);
    for (const socket of b.sockets) socket.destroy();
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.errors.at(-1)).toMatchObject({ code: "RAFT_UNREACHABLE", peer: "b" });
    await reach(a, b);
    expect(b.sockets.size).toBe(1);
  });

  it("again and again is waited for longer and longer, up to a bound", async () => {
    const clock = new HandClock();
    let attempts = 0;
    const closing = createServer((socket) => {
      attempts++;
      socket.destroy();
    });
    closing.listen(0, "127.0.0.1");
    await once(closing, "listening");
    const addresses: Addresses = new Map([["b", `http://127.0.0.1:${portOf(closing)}`]]);
    await using a = await startSite("a", addresses, { clock, deps: { random: { next: () => 0.999 } } });
    a.transport.send("b", [readIndex("a", "b", 0)]);
    await a.handler.until(() => a.handler.lost.length === 1);
    for (const [failures, waitMs] of [50, 100, 200, 400, 800, 999, 999].entries()) {
      a.transport.send("b", [readIndex("a", "b", failures)]);
      clock.advance(waitMs - 1);
      await new Promise((resolve) => setImmediate(resolve));
      expect(attempts).toBe(failures + 1);
      clock.advance(1);
      await a.handler.until(() => a.handler.lost.length === failures + 2);
      expect(attempts).toBe(failures + 2);
    }
    closing.close();
    await once(closing, "close");
  });

  it("takes its queue with it, and what comes meanwhile goes with the next", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await openSite("b", addresses);
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await a.handler.until(() => a.handler.lost.length > 0);
    expect(a.errors).toMatchObject([{ code: "RAFT_STOPPED", peer: "b" }]);
    await b.transport.start(b.handler);
    a.transport.send("b", [readIndex("a", "b", 2)]);
    await b.handler.until(() => b.handler.received.length > 0);
    expect(numbersOf(b)).toEqual([2]);
    expect(a.transport.links()).toMatchObject([{ nodeId: "b", isOpen: true, lostMessages: 1 }]);
  });
});

describe("a peer that is silent", () => {
  it("from the beginning is given up when the time to connect is over", async () => {
    const clock = new HandClock();
    const accepted: Socket[] = [];
    const silent = createServer((socket) => accepted.push(socket.on("error", () => {})));
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const addresses: Addresses = new Map([["b", `http://127.0.0.1:${portOf(silent)}`]]);
    await using a = await startSite("a", addresses, { clock });
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await once(silent, "connection");
    expect(a.handler.lost).toEqual([]);
    clock.advance(5_000);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.errors).toMatchObject([{ code: "RAFT_UNREACHABLE", peer: "b" }]);
    for (const socket of accepted) socket.destroy();
    silent.close();
    await once(silent, "close");
  });

  it("from one moment on is given up by both sides when it does not answer a ping (R31)", async () => {
    const clock = new HandClock();
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses, { clock });
    await using b = await startSite("b", addresses, { clock });
    await using relay = await Relay.open(addresses, "b");
    await reach(a, b);
    const [socket] = b.sockets;
    // `once` would fail with the error that the socket is destroyed with.
    const closed = new Promise((resolve) => socket!.once("close", resolve));
    relay.freeze();
    clock.advance(20_000);
    expect(a.handler.lost).toEqual([]);
    clock.advance(10_000);
    await a.handler.until(() => a.handler.lost.includes("b"));
    await closed;
  });

  it("holds no more than the bound in memory, and gets the newest heartbeat when it is back", async () => {
    const addresses: Addresses = new Map();
    const options = { maxQueuedBytes: 4 << 20, maxMessageBytes: 2 << 20 };
    await using a = await startSite("a", addresses, { options });
    await using b = await startSite("b", addresses, { options });
    await using relay = await Relay.open(addresses, "b");
    await reach(a, b);
    relay.freeze();
    let queuedBytesMax = 0;
    for (let round = 1; round <= 100; round++) {
      a.transport.send("b", [append("a", "b", round, 1 << 20), heartbeat("a", "b", round)]);
      queuedBytesMax = Math.max(queuedBytesMax, a.transport.links()[0]!.queuedBytes);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(queuedBytesMax).toBeGreaterThan(2 << 20);
    expect(queuedBytesMax).toBeLessThanOrEqual(4 << 20);
    expect(a.transport.links()[0]!.lostMessages).toBeGreaterThan(50);
    expect(a.handler.lost).toContain("b");
    relay.thaw();
    await b.handler.until(() =>
      b.handler.received.some((message) => message.type === "heartbeat" && message.readSequence === 100),
    );
  });
});

describe("a peer that is foreign", () => {
  it("by its cluster is refused on both sides, and its messages never arrive", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses, { clusterId: "other" });
    await using b = await startSite("b", addresses);
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.errors).toMatchObject([
      { code: "RAFT_WRONG_CLUSTER", peer: "b", message: "b: expected cluster test, got other" },
    ]);
    expect(b.errors).toMatchObject([{ code: "RAFT_WRONG_CLUSTER", peer: "a" }]);
    expect(b.handler.received).toEqual([]);
  });

  it("by its incarnation is refused when the node says so, and waited for before it is tried again", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses, { incarnation: 9 });
    await using b = await startSite("b", addresses);
    b.handler.refusal = new RaftError("RAFT_WRONG_INCARNATION", "expected a in incarnation 7, got 9");
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.errors).toMatchObject([{ code: "RAFT_WRONG_INCARNATION", peer: "b" }]);
  });

  it("because it is another node than was meant is refused", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using c = await startSite("c", addresses);
    addresses.set("b", addresses.get("c")!);
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.errors).toMatchObject([{ code: "RAFT_WRONG_NODE", peer: "b" }]);
    expect(c.handler.received).toEqual([]);
  });

  it("and speaks no protocol of ours gets an answer, and harms nobody", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    const stranger = connectHttp2(addresses.get("b")!).on("error", () => {});
    const statuses: unknown[] = [];
    for (const path of ["/", "/mon.v1.RaftService/Exchange", "/mon.v1.RaftService/Nothing"]) {
      const stream = stranger.request({ ":path": path, ":method": "POST" }).on("error", () => {});
      stream.end("nonsense");
      const [headers] = await once(stream.resume(), "response");
      statuses.push(headers[":status"]);
    }
    expect(statuses).toEqual([404, 415, 404]);
    stranger.destroy();
    await reach(a, b);
  });
});

describe("a message that is too large", () => {
  it("is not sent, and told with its size; those beside it arrive", async () => {
    const addresses: Addresses = new Map();
    const options = { maxMessageBytes: 64 * 1024 };
    await using a = await startSite("a", addresses, { options });
    await using b = await startSite("b", addresses, { options });
    a.transport.send("b", [append("a", "b", 1, 100_000), readIndex("a", "b", 1)]);
    await b.handler.until(() => b.handler.received.length > 0);
    expect(numbersOf(b)).toEqual([1]);
    await a.handler.until(() => a.handler.lost.length > 0);
    expect(a.errors).toMatchObject([
      {
        code: "RAFT_PROPOSAL_TOO_LARGE",
        peer: "b",
        message: "expected a message to b of at most 65536 bytes, got 100125",
      },
    ]);
  });

  it("for the receiver alone ends the stream", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses, {
      options: { maxMessageBytes: 64 * 1024, maxBatchBytes: 64 * 1024 },
    });
    a.transport.send("b", [append("a", "b", 1, 1 << 20)]);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(b.handler.received).toEqual([]);
    await reach(a, b);
  });
});

describe("a peer that moved", () => {
  it("is reached where it is now", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using before = await startSite("b", addresses);
    await reach(a, before);
    await using after = await startSite("b", addresses);
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await after.handler.until(() => numbersOf(after).includes(1));
    expect(numbersOf(before)).toEqual([0]);
    expect(a.transport.links()).toMatchObject([{ nodeId: "b", isOpen: true, lostMessages: 0 }]);
  });

  it("to where nobody knows is lost", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    await reach(a, b);
    addresses.delete("b");
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.transport.links()).toEqual([]);
  });
});

describe("connections to a node", () => {
  it("have windows of several megabytes, for a stream and for the whole", async () => {
    const addresses: Addresses = new Map();
    await using b = await startSite("b", addresses);
    const states: (number | undefined)[] = [];
    b.server.on("session", ({ state }) => states.push(state.effectiveLocalWindowSize));
    const session = connectHttp2(addresses.get("b")!);
    const [settings] = await once(session, "remoteSettings");
    expect(settings).toMatchObject({ initialWindowSize: 2 << 20, maxConcurrentStreams: 16 });
    expect(states).toEqual([4 << 20]);
    session.destroy();
  });

  it("that get old are asked to go, and their messages go by the next in order", async () => {
    const clock = new HandClock();
    const addresses: Addresses = new Map();
    const options = { pingIntervalMs: 2 ** 31 - 1, sessionAgeMs: 60_000, linkIdleMs: 2 ** 31 - 1 };
    await using a = await startSite("a", addresses, { clock, options });
    await using b = await startSite("b", addresses, { clock, options });
    await reach(a, b);
    const first = [...b.sockets];
    const closed = once(first[0]!, "close");
    a.transport.send("b", [readIndex("a", "b", 1)]);
    clock.advance(54_000);
    a.transport.send("b", [readIndex("a", "b", 2)]);
    await closed;
    a.transport.send("b", [readIndex("a", "b", 3)]);
    await b.handler.until(() => numbersOf(b).includes(3));
    expect(numbersOf(b)).toEqual([0, 1, 2, 3]);
    expect(a.handler.lost).toEqual([]);
    expect(b.sockets).not.toContain(first[0]);
  });

  it("without a stream are closed", async () => {
    const clock = new HandClock();
    const addresses: Addresses = new Map();
    await using b = await startSite("b", addresses, { clock });
    const idle = connectHttp2(addresses.get("b")!);
    await once(idle, "remoteSettings");
    clock.advance(10_000);
    await once(idle, "close");
    expect(b.transport.links()).toEqual([]);
  });

  it("are given up by the sender when there is nothing to send for long", async () => {
    const clock = new HandClock();
    const addresses: Addresses = new Map();
    const options = { pingIntervalMs: 2 ** 31 - 1 };
    await using a = await startSite("a", addresses, { clock, options });
    await using b = await startSite("b", addresses, { clock, options });
    await reach(a, b);
    const [socket] = b.sockets;
    const closed = once(socket!, "close");
    clock.advance(60_000);
    await closed;
    expect(a.handler.lost).toEqual([]);
    await reach(a, b);
  });

  it("are one for each peer: a newer stream of the same peer ends the older", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using twin = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    await reach(a, b);
    await reach(twin, b);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.errors.at(-1)).toMatchObject({ code: "RAFT_UNREACHABLE", peer: "b" });
  });

  it("are as many as there may be calls, and no more", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using c = await startSite("c", addresses);
    await using b = await startSite("b", addresses, { options: { maxInboundCalls: 1 } });
    await reach(a, b);
    c.transport.send("b", [readIndex("c", "b", 1)]);
    await c.handler.until(() => c.handler.lost.includes("b"));
    expect(c.errors).toMatchObject([{ code: "RAFT_OVERLOADED", peer: "b" }]);
  });
});

describe("stop", () => {
  it("sends what is queued first: a leader's last words", async () => {
    const addresses: Addresses = new Map();
    const a = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    a.transport.send("b", [append("a", "b", 1, 3 << 20), readIndex("a", "b", 1)]);
    await a.transport.stop();
    expect(b.handler.received.length).toBe(2);
    await a.close();
  });

  it("does not wait for a peer that reads nothing longer than it may", async () => {
    const clock = new HandClock();
    const addresses: Addresses = new Map();
    const a = await startSite("a", addresses, { clock });
    await using b = await startSite("b", addresses, { clock });
    await using relay = await Relay.open(addresses, "b");
    await reach(a, b);
    relay.freeze();
    a.transport.send("b", [append("a", "b", 1, 8 << 20)]);
    const stopped = a.transport.stop();
    clock.advance(500);
    await stopped;
    expect(a.handler.lost).toEqual([]);
    await a.close();
  });

  it("before start is the end of it", async () => {
    const addresses: Addresses = new Map();
    const a = await startSite("a", addresses);
    await a.transport.stop();
    await expect(a.transport.start(a.handler)).rejects.toMatchObject({ code: "RAFT_STOPPED" });
    await a.close();
  });
});
