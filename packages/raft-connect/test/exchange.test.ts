import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type ExchangeRequestSchema, type ExchangeResponse, RaftService } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { encodeBatch } from "../src/batch.ts";
import { type Addresses, HandClock, readIndex, snapshotMessage, startSite } from "./support.ts";

type Request = MessageInitShape<typeof ExchangeRequestSchema>;

const sender = { nodeId: "a", clusterId: "test", incarnation: 7n };
const opening: Request = {
  sender,
  content: { case: "opening", value: { receiverNodeId: "b", format: 1 } },
};
const batch: Request = {
  sender,
  content: { case: "batch", value: encodeBatch([readIndex("a", "b", 1)]) },
};

/** Speaks to b, and gives all that it answers. */
async function exchange(addresses: Addresses, requests: AsyncIterable<Request>): Promise<ExchangeResponse[]> {
  const client = createClient(RaftService, createGrpcTransport({ baseUrl: addresses.get("b")! }));
  const answers: ExchangeResponse[] = [];
  for await (const answer of client.exchange(requests)) answers.push(answer);
  return answers;
}

describe("a stream of messages", () => {
  it.each<[string, Request[], string]>([
    ["nothing", [], "RAFT_MALFORMED"],
    ["no opening", [batch], "RAFT_MALFORMED"],
    ["two openings", [opening, opening], "RAFT_MALFORMED"],
    ["nobody for a sender", [opening, { content: batch.content! }], "RAFT_MALFORMED"],
    ["another sender", [opening, { ...batch, sender: { ...sender, nodeId: "c" } }], "RAFT_WRONG_NODE"],
    [
      "another incarnation",
      [opening, { ...batch, sender: { ...sender, incarnation: 8n } }],
      "RAFT_WRONG_NODE",
    ],
    ["another cluster", [opening, { ...batch, sender: { ...sender, clusterId: "c" } }], "RAFT_WRONG_NODE"],
    [
      "bytes of no kind",
      [opening, { sender, content: { case: "batch", value: Uint8Array.of(99) } }],
      "RAFT_MALFORMED",
    ],
    [
      "a snapshot without its bytes",
      [opening, { sender, content: { case: "batch", value: encodeBatch([snapshotMessage("a", "b", 1)]) } }],
      "RAFT_MALFORMED",
    ],
    [
      "another format",
      [{ sender, content: { case: "opening", value: { receiverNodeId: "b", format: 2 } } }],
      "RAFT_MALFORMED",
    ],
  ])("with %s is refused", async (_, requests, code) => {
    const addresses: Addresses = new Map();
    await using b = await startSite("b", addresses);
    async function* all() {
      yield* requests;
    }
    const refusal = await exchange(addresses, all()).then(
      () => undefined,
      (error) => error.metadata.get("mon-raft-code"),
    );
    expect(refusal).toBe(code);
    expect(b.handler.received).toEqual([]);
    expect(b.errors).toMatchObject([{ code }]);
  });

  it("that is sound passes the same door", async () => {
    const addresses: Addresses = new Map();
    await using b = await startSite("b", addresses);
    async function* sound() {
      yield opening;
      yield batch;
    }
    const answers = await exchange(addresses, sound());
    expect(answers).toMatchObject([{ receiver: { nodeId: "b", clusterId: "test", incarnation: 7n } }]);
    expect(b.handler.received).toEqual([readIndex("a", "b", 1)]);
    expect(b.handler.peers).toEqual([{ nodeId: "a", clusterId: "test", incarnation: 7 }]);
  });

  it("that does not say who speaks is given up", async () => {
    const clock = new HandClock();
    const addresses: Addresses = new Map();
    const options = { sessionIdleMs: 2 ** 31 - 1, pingIntervalMs: 2 ** 31 - 1 };
    await using b = await startSite("b", addresses, { clock, options });
    async function* silent(): AsyncGenerator<Request> {
      await new Promise(() => {});
    }
    const refusal = exchange(addresses, silent()).then(
      () => undefined,
      (error) => error.metadata.get("mon-raft-code"),
    );
    // Headers come in a turn that nothing tells of; time passes until they were seen.
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    for (await turn(); b.errors.length === 0; await turn()) clock.advance(1_000);
    expect(await refusal).toBe("RAFT_TIMEOUT");
  });
});
