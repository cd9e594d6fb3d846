import { expect, it } from "vitest";
import { Topology } from "../src/index.ts";
import { atMs, Bench, changing, report, ringsOf, silence } from "./support.ts";

const rings = ringsOf("abcd", 1, 3);
const fragment = report("web-1", atMs);
const [first, second, third, fourth] = new Topology(rings).forWrites.candidates("web-1", atMs, 2) as [
  string,
  string,
  string,
  string,
];

it("R21: a fragment goes to the first live members of its preference list, and is acknowledged by a majority", async () => {
  const bench = new Bench("abcd", rings);
  bench.suspects.add(second);
  bench.instead.set(third, { write: silence });
  const [fate] = await bench.settle(bench.broker("a").coordinator.write([fragment]));
  expect(fate).toEqual({ status: "stored", durability: "fsync", copies: 2 });
  const held = [...bench.brokers].filter(([, { store }]) => store.has(fragment)).map(([id]) => id);
  expect(held).toEqual([first, fourth].sort());
  expect(bench.loop.now).toBeLessThan(5);
});

it("R21: with two copies both are waited for", async () => {
  const two = ringsOf("abc", 1, 2);
  const bench = new Bench("abc", two);
  const [, owner] = new Topology(two).forWrites.owners("web-1", atMs);
  bench.instead.set(owner!, { write: silence });
  const [fate] = await bench.settle(bench.broker("a").coordinator.write([fragment]));
  expect(fate).toMatchObject({ status: "retry" });
  expect(bench.loop.now).toBeGreaterThanOrEqual(5_000);
});

it("R21: with too few live members nothing is sent, and the writer is asked to come again", async () => {
  const bench = new Bench("abcd", rings);
  for (const nodeId of [first, second]) bench.suspects.add(nodeId);
  const [fate] = await bench.settle(bench.broker("a").coordinator.write([fragment]));
  expect(fate).toEqual({
    status: "retry",
    reason: "expected 3 live members, got fewer",
    retryDelayMs: 1_000,
  });
  expect(bench.calls).toEqual([]);
});

it("R21: what arrives is stored and never sent on, whoever owns it", async () => {
  const bench = new Bench("abcd", rings);
  const stranger = bench.broker(fourth);
  const reply = await bench.settle(stranger.server.write({ epoch: 1, fragments: [fragment] }));
  expect(reply).toMatchObject({ status: "ok", value: [{ status: "stored" }] });
  expect([stranger.store.has(fragment), bench.calls]).toEqual([true, []]);
});

it("a member's refusals are told, and what all refuse is rejected", async () => {
  const bench = new Bench("abcd", rings);
  const rejected = { status: "rejected", reason: "bad" } as const;
  for (const nodeId of "abcd") {
    bench.instead.set(nodeId, { write: async () => ({ status: "ok", epoch: 1, value: [rejected] }) });
  }
  expect(await bench.settle(bench.broker("a").coordinator.write([fragment]))).toEqual([rejected]);
  const part = { status: "stored", durability: "process", copies: 1, refusedSamples: [1] } as const;
  bench.instead.set(first, { write: async () => ({ status: "ok", epoch: 1, value: [part] }) });
  const whole = { status: "stored", durability: "fsync", copies: 1 } as const;
  bench.instead.set(second, { write: async () => ({ status: "ok", epoch: 1, value: [whole] }) });
  const [fate] = await bench.settle(bench.broker("a").coordinator.write([fragment]));
  expect(fate).toMatchObject({ status: "stored", durability: "process", copies: 2, refusedSamples: [1] });
});

it("R22: a coordinator on an old epoch learns the newer one, and counts under that alone", async () => {
  const bench = new Bench("abcd", rings);
  const newer = changing(rings, "abc");
  for (const nodeId of "bcd") bench.broker(nodeId).book.follow(newer);
  const [fate] = await bench.settle(bench.broker("a").coordinator.write([fragment]));
  expect(fate).toMatchObject({ status: "stored" });
  expect(bench.broker("a").book.epoch).toBe(2);
  await bench.advance(10);
  const owners = new Topology(newer).forWrites.owners("web-1", atMs);
  for (const nodeId of owners) expect(bench.broker(nodeId).store.has(fragment)).toBe(true);
});

it("R22: a round that one member finds too old is repeated, whatever another says", async () => {
  const bench = new Bench("abcd", rings);
  const newer = ringsOf("abcd", 2, 3);
  for (const nodeId of "abcd") if (nodeId !== first) bench.broker(nodeId).book.follow(newer);
  const busy = { status: "unavailable", epoch: 2, reason: "busy", retryDelayMs: 1 } as const;
  bench.instead.set(third, { write: async () => busy });
  const [fate] = await bench.settle(bench.broker(first).coordinator.write([fragment]));
  expect(fate).toMatchObject({ status: "stored", copies: 2 });
});

it("R22: a write that waits while the epoch rises is not taken under the old one", async () => {
  const bench = new Bench("ab", ringsOf("ab"));
  const { server, book, store } = bench.broker("a");
  const write = server.write({ epoch: 1, fragments: [fragment] });
  book.follow(ringsOf("ab", 2));
  expect(await bench.settle(write)).toMatchObject({ status: "wrongEpoch", epoch: 2 });
  await bench.advance(10);
  expect(store.has(fragment)).toBe(false);
});

it("R22: an epoch that is ever newer ends in a retry", async () => {
  const bench = new Bench("abcd", rings);
  let epoch = 1;
  for (const nodeId of "abcd") {
    bench.instead.set(nodeId, {
      write: async () => {
        epoch++;
        return { status: "wrongEpoch", epoch, rings: ringsOf("abcd", epoch, 3) };
      },
    });
  }
  const [fate] = await bench.settle(bench.broker("a").coordinator.write([fragment]));
  expect(fate).toMatchObject({ status: "retry" });
  expect(bench.calls.length).toBeLessThanOrEqual(9);
});

it("R22: a broker that is behind catches up before it takes a write, and refuses what it cannot reach", async () => {
  const bench = new Bench("ab", ringsOf("ab"));
  const { server, book } = bench.broker("b");
  bench.loop.schedule(500, () => book.follow(ringsOf("ab", 2)));
  const reached = await bench.settle(server.write({ epoch: 2, fragments: [fragment] }));
  expect(reached).toMatchObject({ status: "ok", epoch: 2 });
  expect(await bench.settle(server.write({ epoch: 9, fragments: [fragment] }))).toMatchObject({
    status: "unavailable",
    epoch: 2,
  });
  expect(await bench.settle(server.read({ epoch: 1, hostId: "web-1", startMs: 0, endMs: 1 }))).toMatchObject({
    status: "wrongEpoch",
    epoch: 2,
    rings: { ring: { epoch: 2 } },
  });
});

it("a peer that is slow fills its own budget, and holds up nobody else", async () => {
  const slow = third;
  const bench = new Bench("abcd", rings, { peerBytesMax: 100 });
  bench.instead.set(slow, { write: silence });
  const beganMs = bench.loop.now;
  for (let i = 0; i < 50; i++) {
    const [fate] = await bench.settle(bench.broker("a").coordinator.write([report("web-1", atMs + i, i)]));
    expect(fate).toMatchObject({ status: "stored", copies: 2 });
  }
  expect(bench.loop.now - beganMs).toBeLessThan(200);
  // 100 bytes are a few of these reports; the others were not even sent there.
  expect(bench.calls.filter((call) => call === `a>${slow} write`).length).toBeLessThan(10);
});
