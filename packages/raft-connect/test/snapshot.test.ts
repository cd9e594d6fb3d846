import { once } from "node:events";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { RaftService } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { encodeBatch } from "../src/batch.ts";
import { type Addresses, HandClock, heartbeat, snapshotMessage, startSite } from "./support.ts";

const MiB = 1 << 20;
const never = new AbortController().signal;

async function* chunksOf(count: number, bytes: number): AsyncGenerator<Uint8Array> {
  for (let number = 0; number < count; number++) yield new Uint8Array(bytes).fill(number);
}

describe("a snapshot", () => {
  it("of 50 MB holds no heartbeat up, though its receiver stops in the middle until 100 have come", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    const order: string[] = [];
    const beat = (number: number) => a.transport.send("b", [heartbeat("a", "b", number)]);
    let received = 0;
    // Each heartbeat that arrives lets the next go.
    b.handler.onReceive = () => {
      received++;
      order.push("heartbeat");
      if (received < 100) beat(received + 1);
    };
    let bytes = 0;
    b.handler.takeSnapshot = async (_, chunks) => {
      for await (const chunk of chunks) {
        bytes += chunk.byteLength;
        if (bytes !== 25 * MiB) continue;
        beat(1);
        await b.handler.until(() => received === 100);
        order.push("the rest of the snapshot");
      }
    };
    const message = snapshotMessage("a", "b", 50 * MiB);
    await a.transport.sendSnapshot("b", message, chunksOf(50, MiB), never);
    expect(bytes).toBe(50 * MiB);
    expect(order).toEqual([...Array.from({ length: 100 }, () => "heartbeat"), "the rest of the snapshot"]);
    expect(a.handler.lost).toEqual([]);
  });

  it("travels on a connection of its own, which is closed after it", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    a.transport.send("b", [heartbeat("a", "b", 1)]);
    await b.handler.until(() => b.handler.received.length > 0);
    let socketsMax = 0;
    let closed: Promise<unknown> | undefined;
    b.handler.takeSnapshot = async (_, chunks) => {
      for await (const _chunk of chunks) socketsMax = Math.max(socketsMax, b.sockets.size);
      closed = once([...b.sockets].at(-1)!, "close");
    };
    await a.transport.sendSnapshot("b", snapshotMessage("a", "b", 3), chunksOf(1, 3), never);
    await closed;
    expect(socketsMax).toBe(2);
    expect(b.sockets.size).toBe(1);
  });

  it("that breaks off is not whole for the receiver, and its source is let go", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    const failed = Promise.withResolvers<unknown>();
    let isReleased = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(MiB);
      } finally {
        isReleased = true;
      }
    }
    b.handler.takeSnapshot = async (_, chunks) => {
      let bytes = 0;
      try {
        for await (const chunk of chunks) {
          bytes += chunk.byteLength;
          if (bytes === 8 * MiB) for (const socket of b.sockets) socket.destroy();
        }
      } catch (error) {
        failed.resolve(error);
        throw error;
      }
    };
    const sent = a.transport.sendSnapshot("b", snapshotMessage("a", "b", 50 * MiB), source(), never);
    await expect(sent).rejects.toMatchObject({ code: "RAFT_UNREACHABLE" });
    await failed.promise;
    await new Promise((resolve) => setImmediate(resolve));
    expect(isReleased).toBe(true);
  });

  it("is given up by its signal, with the signal's reason", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    const abort = new AbortController();
    const reason = new Error("given up");
    b.handler.takeSnapshot = async (_, chunks) => {
      for await (const _chunk of chunks) abort.abort(reason);
    };
    const sent = a.transport.sendSnapshot(
      "b",
      snapshotMessage("a", "b", 50),
      chunksOf(50, MiB),
      abort.signal,
    );
    await expect(sent).rejects.toBe(reason);
  });

  it("that is taken before its end was read is taken, and its source let go", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses);
    b.handler.takeSnapshot = async () => {};
    const released = Promise.withResolvers<void>();
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(MiB);
      } finally {
        released.resolve();
      }
    }
    await a.transport.sendSnapshot("b", snapshotMessage("a", "b", 50 * MiB), source(), never);
    await released.promise;
  });

  it("whose sender says nothing for long is given up, and the next is taken", async () => {
    const clock = new HandClock();
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses, { clock, options: { pingIntervalMs: 2 ** 31 - 1 } });
    const waiting = Promise.withResolvers<void>();
    async function* stalled(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(3);
      waiting.resolve();
      await new Promise(() => {});
    }
    let first = true;
    b.handler.takeSnapshot = async (_, chunks) => {
      for await (const _chunk of chunks) {
        if (!first) continue;
        first = false;
        void waiting.promise.then(() => setImmediate(() => clock.advance(30_000)));
      }
    };
    const sent = a.transport.sendSnapshot("b", snapshotMessage("a", "b", 9), stalled(), never);
    await expect(sent).rejects.toMatchObject({ code: "RAFT_TIMEOUT" });
    await a.transport.sendSnapshot("b", snapshotMessage("a", "b", 3), chunksOf(1, 3), never);
  });

  const header = {
    sender: { nodeId: "a", clusterId: "test", incarnation: 7n },
    receiverNodeId: "b",
    format: 1,
    message: encodeBatch([snapshotMessage("a", "b", 3)]),
  };
  const chunk = { offset: 0n, data: new Uint8Array(3), crc32: 0xff41d912 };
  const end = { case: "end", value: { sizeBytes: 3n } } as const;

  it.each([
    ["nothing", [], "RAFT_MALFORMED"],
    ["no header", [end], "RAFT_MALFORMED"],
    [
      "no end",
      [
        { case: "header", value: header },
        { case: "chunk", value: chunk },
      ],
      "RAFT_MALFORMED",
    ],
    ["an end too early", [{ case: "header", value: header }, end], "RAFT_SNAPSHOT_CORRUPT"],
    [
      "a wrong checksum",
      [{ case: "header", value: header }, { case: "chunk", value: { ...chunk, crc32: 1 } }, end],
      "RAFT_SNAPSHOT_CORRUPT",
    ],
    [
      "a gap",
      [{ case: "header", value: header }, { case: "chunk", value: { ...chunk, offset: 1n } }, end],
      "RAFT_SNAPSHOT_CORRUPT",
    ],
    [
      "another message",
      [{ case: "header", value: { ...header, message: encodeBatch([heartbeat("a", "b", 1)]) } }, end],
      "RAFT_MALFORMED",
    ],
    [
      "another cluster",
      [{ case: "header", value: { ...header, sender: { ...header.sender, clusterId: "other" } } }, end],
      "RAFT_WRONG_CLUSTER",
    ],
    ["another format", [{ case: "header", value: { ...header, format: 2 } }, end], "RAFT_MALFORMED"],
    [
      "itself for a sender",
      [{ case: "header", value: { ...header, sender: { ...header.sender, nodeId: "b" } } }, end],
      "RAFT_WRONG_NODE",
    ],
    [
      "an incarnation that is none",
      [{ case: "header", value: { ...header, sender: { ...header.sender, incarnation: 0n } } }, end],
      "RAFT_MALFORMED",
    ],
  ] as const)("with %s is refused", async (_, parts, code) => {
    const addresses: Addresses = new Map();
    await using b = await startSite("b", addresses);
    const client = createClient(RaftService, createGrpcTransport({ baseUrl: addresses.get("b")! }));
    async function* requests() {
      for (const part of parts) yield { part };
    }
    const refusal = await client.installSnapshot(requests()).then(
      () => undefined,
      (error) => error.metadata.get("mon-raft-code"),
    );
    expect(refusal).toBe(code);
    expect(b.errors).toMatchObject([{ code }]);
  });

  it("that is sound passes the same door", async () => {
    const addresses: Addresses = new Map();
    await using _b = await startSite("b", addresses);
    const client = createClient(RaftService, createGrpcTransport({ baseUrl: addresses.get("b")! }));
    async function* requests() {
      yield { part: { case: "header", value: header } } as const;
      yield { part: { case: "chunk", value: chunk } } as const;
      yield { part: end };
    }
    await client.installSnapshot(requests());
  });
});
