import { blockMs, blockStart, fragmentFromSamples, Kind, MemoryStore } from "@mon/store";
import { expect, it } from "vitest";
import { partitionChecksum, Repair } from "../src/index.ts";
import { atMs, Bench, partitionOf, report, ringsOf } from "./support.ts";

const hostId = "web-1";
const startMs = blockStart(hostId, atMs) - 5 * blockMs;
const rings = ringsOf("ab");

function repairOf(bench: Bench, nodeId: string, retentionMs?: number): Repair {
  const { book, copier, store } = bench.broker(nodeId);
  const deps = { nodeId, store, book, copier, clusterTimeMs: () => atMs };
  return new Repair(deps, { pageSize: 2, ...(retentionMs === undefined ? {} : { retentionMs }) });
}

it("R26: owners that differ get what they lack from each other, and compare equal then", async () => {
  const bench = new Bench("ab", rings);
  const fragments = Array.from({ length: 20 }, (_, i) => report(hostId, startMs + (i % 5) * blockMs + i, i));
  const [a, b] = [bench.broker("a").store, bench.broker("b").store];
  await bench.settle(a.write(fragments.slice(0, 12)));
  await bench.settle(b.write(fragments.slice(8)));
  expect(await bench.settle(repairOf(bench, "a").round())).toMatchObject({ differed: 5, fragments: 8 });
  expect(await bench.settle(repairOf(bench, "b").round())).toMatchObject({ fragments: 8, absent: [] });
  expect(a.names).toEqual(b.names);
  const again = await bench.settle(repairOf(bench, "a").round());
  expect(again).toEqual({ compared: 5, differed: 0, fragments: 0, bytes: 0, absent: [] });
});

it("R26: what is still written to is not compared, and nothing past retention rises from the dead", async () => {
  const bench = new Bench("ab", rings);
  const fragments = [report(hostId, startMs), report(hostId, startMs + 3 * blockMs), report(hostId, atMs)];
  await bench.settle(bench.broker("a").store.write(fragments));
  const result = await bench.settle(repairOf(bench, "b", 4 * blockMs).round());
  expect(result).toMatchObject({ compared: 1, fragments: 1 });
  const held = fragments.map((fragment) => bench.broker("b").store.has(fragment));
  expect(held).toEqual([false, true, false]);
});

it("R26: a member that does not answer is named, and the others are compared with", async () => {
  const bench = new Bench("abc", ringsOf("abc", 1, 3));
  await bench.settle(bench.broker("b").store.write([report(hostId, startMs)]));
  bench.instead.set("a", { partitions: () => Promise.reject(new Error("no route")) });
  const result = await bench.settle(repairOf(bench, "c").round());
  expect(result).toMatchObject({ fragments: 1, absent: ["a: no route"] });
});

it("R26: a checksum is of what readers see, however it is packed", async () => {
  const sample = (name: string, value: number, flags = 0) => ({
    name,
    labels: [],
    kind: Kind.gauge,
    value,
    flags,
  });
  const checksum = async (...fragments: ReturnType<typeof report>[]): Promise<string> => {
    await using store = new MemoryStore();
    await store.open();
    await store.write(fragments);
    return partitionChecksum(store, partitionOf(fragments[0]!));
  };
  const both = await checksum(fragmentFromSamples(hostId, startMs, [sample("v", 1), sample("w", 2)]));
  const apart = await checksum(
    fragmentFromSamples(hostId, startMs, [sample("w", 2)]),
    fragmentFromSamples(hostId, startMs, [sample("v", 1)]),
  );
  expect(apart).toBe(both);
  // A value that loses at its instant is not seen.
  const folded = await checksum(
    fragmentFromSamples(hostId, startMs, [sample("w", 2)]),
    fragmentFromSamples(hostId, startMs, [sample("v", 1)]),
    fragmentFromSamples(hostId, startMs, [sample("v", 0.5)]),
  );
  expect(folded).toBe(both);
  const others = [
    fragmentFromSamples(hostId, startMs, [sample("v", 2), sample("w", 1)]),
    fragmentFromSamples(hostId, startMs, [sample("v", 1), sample("w", 2, 1)]),
    fragmentFromSamples(hostId, startMs + 1, [sample("v", 1), sample("w", 2)]),
  ];
  const checksums = await Promise.all(others.map((fragment) => checksum(fragment)));
  expect(new Set([both, ...checksums]).size).toBe(4);
});
