import { blockMs, blockStart } from "@mon/store";
import { expect, it } from "vitest";
import { type Rings, Topology } from "../src/index.ts";
import { atMs, Bench, changing, readAll, report, ringsOf, silence } from "./support.ts";

const rings = ringsOf("abcd");
const hostId = "web-1";
const startMs = blockStart(hostId, atMs);
const endMs = startMs + blockMs - 1;

it("R23: what different members hold is folded, each instant once", async () => {
  const bench = new Bench("abcd", rings);
  const { server: a } = bench.broker("a");
  const { server: b } = bench.broker("b");
  await bench.settle(
    a.write({ epoch: 1, fragments: [report(hostId, startMs, 1), report(hostId, startMs + 1, 2)] }),
  );
  await bench.settle(
    b.write({ epoch: 1, fragments: [report(hostId, startMs + 1, 5), report(hostId, startMs + 2, 3)] }),
  );
  const { values, missing } = await bench.settle(readAll(bench.broker("c").reader, hostId, startMs, endMs));
  expect([values, missing]).toEqual([{ 0: 1, 1: 5, 2: 3 }, []]);
});

it("R23: one member of two that acknowledge may be missing; of two the answer says who", async () => {
  const bench = new Bench("abcd", rings);
  await bench.settle(bench.broker("a").coordinator.write([report(hostId, startMs)]));
  bench.instead.set("a", { read: silence });
  const whole = await bench.settle(readAll(bench.broker("c").reader, hostId, startMs, endMs));
  expect(whole).toEqual({ values: { 0: 1 }, missing: [] });
  bench.instead.set("b", { read: () => Promise.reject(new Error("no route")) });
  const { missing } = await bench.settle(readAll(bench.broker("c").reader, hostId, startMs, endMs));
  expect(missing.sort()).toEqual(["a: expected a reply in 5000 ms, got none", "b: no route"]);
});

it("R23: a member that has lost something counts as missing", async () => {
  const bench = new Bench("abc", ringsOf("abc", 1, 1));
  const damaged = { columns: [], conflicts: 0, missing: ["table 7 is torn"] };
  bench.instead.set("a", { read: async () => ({ status: "ok", epoch: 1, value: damaged }) });
  const { missing } = await bench.settle(readAll(bench.broker("c").reader, hostId, startMs, endMs));
  expect(missing).toEqual(["a: table 7 is torn"]);
});

it("R23: while a ring is pending, and until past ones are cleared, old holders are asked, and newcomers do not count for them", async () => {
  const before = ringsOf("a", 1, 1);
  const bench = new Bench("ab", before);
  await bench.settle(bench.broker("a").coordinator.write([report(hostId, startMs)]));
  const pending = changing(before, "b");
  const committed: Rings = {
    ...ringsOf("b", 2, 1),
    past: [{ ring: before.ring, uncleared: ["a"] }],
  };
  for (const state of [pending, committed]) {
    for (const { book } of bench.brokers.values()) book.follow(state);
    bench.instead.delete("a");
    const whole = await bench.settle(readAll(bench.broker("b").reader, hostId, startMs, endMs));
    expect(whole).toEqual({ values: { 0: 1 }, missing: [] });
    bench.instead.set("a", { read: silence });
    const { missing } = await bench.settle(readAll(bench.broker("b").reader, hostId, startMs, endMs));
    expect(missing).toHaveLength(1);
  }
});

it("R23: the smallest majority of the epochs decides how many may be missing", () => {
  const quorumOf = (now: number, before: number): number => {
    const past = [{ ring: ringsOf("abcde", 1, before).ring, uncleared: ["a"] }];
    return new Topology({ ...ringsOf("abcde", 2, now), past }).holders(hostId, startMs).quorum;
  };
  expect([quorumOf(3, 3), quorumOf(3, 1), quorumOf(1, 3), quorumOf(5, 3)]).toEqual([2, 1, 1, 2]);
});

it("R22: a reader on an old epoch learns the newer one, and reads again", async () => {
  const bench = new Bench("abcd", rings);
  const newer = ringsOf("abcd", 2);
  for (const nodeId of "bcd") bench.broker(nodeId).book.follow(newer);
  await bench.settle(bench.broker("b").coordinator.write([report(hostId, startMs)]));
  const { values, missing } = await bench.settle(readAll(bench.broker("a").reader, hostId, startMs, endMs));
  expect([values, missing, bench.broker("a").book.epoch]).toEqual([{ 0: 1 }, [], 2]);
});

it("reads many buckets in order, a few ahead, and stops when its reader does", async () => {
  const bench = new Bench("abcd", rings);
  const fragments = Array.from({ length: 10 }, (_, i) => report(hostId, startMs + i * blockMs, i));
  await bench.settle(bench.broker("a").coordinator.write(fragments));
  bench.calls.length = 0;
  const { values } = await bench.settle(
    readAll(bench.broker("a").reader, hostId, startMs, startMs + 10 * blockMs),
  );
  expect(Object.values(values)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  bench.calls.length = 0;
  const firstOnly = async (): Promise<number> => {
    const { reader } = bench.broker("a");
    for await (const slice of reader.read({ hostId, startMs, endMs: startMs + 10 * blockMs }))
      return slice.startMs;
    return Number.NaN;
  };
  expect(await bench.settle(firstOnly())).toBe(startMs);
  expect(bench.calls.length).toBeLessThanOrEqual(4 * 4);
});

it("passes matchers on, and applies what cannot be passed on itself", async () => {
  const bench = new Bench("abcd", rings);
  await bench.settle(bench.broker("a").coordinator.write([report(hostId, startMs)]));
  const { reader } = bench.broker("a");
  const count = async (request: object): Promise<number> => {
    let columns = 0;
    for await (const slice of reader.read({ hostId, startMs, endMs, ...request }))
      columns += slice.columns.length;
    return columns;
  };
  const matchers = (value: string) => ({ matchers: [{ label: "__name__", type: "=" as const, value }] });
  expect(await bench.settle(count(matchers("v")))).toBe(1);
  expect(await bench.settle(count(matchers("w")))).toBe(0);
  expect(await bench.settle(count({ wants: () => false }))).toBe(0);
});
