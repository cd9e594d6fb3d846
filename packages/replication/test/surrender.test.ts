import type { ClusterCommand } from "@mon/cluster";
import { blockMs, blockStart } from "@mon/store";
import { expect, it } from "vitest";
import { Surrender, Topology } from "../src/index.ts";
import { atMs, Bench, changing, partitionOf, report, ringsOf, silence } from "./support.ts";

const hostId = "web-1";
const rings = ringsOf("abcd");
const fragment = report(hostId, atMs);
const [first, second, stranger] = new Topology(rings).forWrites.candidates(hostId, atMs, 2) as [
  string,
  string,
  string,
];

function surrenderOf(bench: Bench, nodeId: string, retentionMs?: number): Surrender {
  const { book, server, copier, clock, proposed, store } = bench.broker(nodeId);
  const propose = async (command: ClusterCommand): Promise<void> => void proposed.push(command);
  const deps = { nodeId, book, server, copier, clock, store, propose, clusterTimeMs: () => atMs };
  return new Surrender(deps, retentionMs === undefined ? {} : { retentionMs });
}

it("R25: what a member holds for others is given to all its owners, and removed after their receipts", async () => {
  const bench = new Bench("abcd", rings);
  await bench.settle(bench.broker(stranger).store.write([fragment]));
  const sweep = surrenderOf(bench, stranger).sweep();
  await bench.advance(9_000);
  // Reads that asked the owners before they had it may still ask here.
  for (const { store } of [first, second, stranger].map((id) => bench.broker(id))) {
    expect(store.has(fragment)).toBe(true);
  }
  expect(await bench.settle(sweep)).toEqual({ partitions: 1, fragments: 1, kept: 0, reasons: [] });
  expect(bench.broker(stranger).store.has(fragment)).toBe(false);
});

it("R25: what an owner does not acknowledge is kept", async () => {
  const bench = new Bench("abcd", rings);
  await bench.settle(bench.broker(stranger).store.write([fragment]));
  bench.instead.set(second, { receipt: silence });
  const result = await bench.settle(surrenderOf(bench, stranger).sweep());
  expect(result).toEqual({
    partitions: 0,
    fragments: 0,
    kept: 1,
    reasons: ["expected a reply in 5000 ms, got none"],
  });
  const some = { held: 0, sumHigh: 0, sumLow: 0, lacking: [] };
  bench.instead.set(second, { receipt: async () => ({ status: "ok", epoch: 1, value: some }) });
  expect(await bench.settle(surrenderOf(bench, stranger).sweep())).toMatchObject({ fragments: 0, kept: 1 });
  expect(bench.broker(stranger).store.has(fragment)).toBe(true);
});

it("R24: what arrives after the manifest was made outlives the removal", async () => {
  const bench = new Bench("abcd", rings);
  const { store } = bench.broker(stranger);
  await bench.settle(store.write([fragment]));
  const late = report(hostId, atMs + 1, 2);
  const sweep = surrenderOf(bench, stranger).sweep();
  await bench.advance(5_000);
  await bench.settle(store.write([late]));
  expect(await bench.settle(sweep)).toMatchObject({ fragments: 1, kept: 1 });
  expect([store.has(fragment), store.has(late)]).toEqual([false, true]);
});

it("R25: nothing is removed when the ring has changed since the receipts, or while one is pending", async () => {
  const bench = new Bench("abcd", rings);
  const { store, book } = bench.broker(stranger);
  await bench.settle(store.write([fragment]));
  const sweep = surrenderOf(bench, stranger).sweep();
  await bench.advance(5_000);
  book.follow(changing(rings, "abc"));
  expect(await bench.settle(sweep)).toMatchObject({ fragments: 0, kept: 1 });
  bench.calls.length = 0;
  expect(await bench.settle(surrenderOf(bench, stranger).sweep())).toMatchObject({ fragments: 0 });
  expect([store.has(fragment), bench.calls]).toEqual([true, []]);
});

it("R25: a past ring is cleared when nothing is left that only it would look for", async () => {
  const past = [{ ring: ringsOf("abcde", 1).ring, uncleared: ["e", "a"] }];
  const bench = new Bench("abcde", { ...ringsOf("abcd", 2), past });
  await bench.settle(bench.broker("e").store.write([fragment]));
  bench.instead.set(first, { receipt: silence });
  await bench.settle(surrenderOf(bench, "e").sweep());
  expect(bench.broker("e").proposed).toEqual([]);
  bench.instead.clear();
  await bench.settle(surrenderOf(bench, "e").sweep());
  expect(bench.broker("e").proposed).toMatchObject([{ kind: "cleared", epoch: 1, nodeId: "e" }]);
});

it("R25: a broker that has yet to surrender is given to and copied from, but takes no writes and answers no reads", async () => {
  const bench = new Bench("ab", ringsOf("ab"));
  const { book, clock, store } = bench.broker("a");
  const { ReplicaServer } = await import("../src/index.ts");
  const server = new ReplicaServer({ book, clock, store });
  const partition = partitionOf(fragment);
  expect(await bench.settle(server.write({ epoch: 1, fragments: [fragment] }))).toMatchObject({
    status: "unavailable",
  });
  expect(await bench.settle(server.read({ epoch: 1, hostId, startMs: 0, endMs: 1 }))).toMatchObject({
    status: "unavailable",
  });
  const given = await bench.settle(server.give({ epoch: 1, partition, fragments: [fragment] }));
  expect(given).toMatchObject({
    status: "ok",
    value: { held: 1, sumHigh: fragment.idHigh, sumLow: fragment.idLow },
  });
  expect(await bench.settle(server.manifest({ epoch: 1, partition }))).toMatchObject({
    value: [{ idLow: fragment.idLow }],
  });
  server.serve();
  expect(await bench.settle(server.write({ epoch: 1, fragments: [fragment] }))).toMatchObject({
    status: "ok",
  });
});

it("R26: what is past retention is left to the store", async () => {
  const bench = new Bench("abcd", rings);
  const old = report(hostId, blockStart(hostId, atMs) - 10 * blockMs);
  const holder = [..."abcd"].find(
    (id) => !new Topology(rings).inForce.owners(hostId, old.timestampMs).includes(id),
  )!;
  await bench.settle(bench.broker(holder).store.write([old]));
  expect(await bench.settle(surrenderOf(bench, holder, 5 * blockMs).sweep())).toMatchObject({
    fragments: 0,
    kept: 0,
  });
  expect(bench.calls).toEqual([]);
});
