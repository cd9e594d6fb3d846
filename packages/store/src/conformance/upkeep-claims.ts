import { expect, it } from "vitest";
import { blockMs, blockStart } from "../block.ts";
import type { Fragment } from "../fragment.ts";
import { Kind } from "../sample.ts";
import type { Partition } from "../store.ts";
import {
  collect,
  contentsOf,
  doubleClasses,
  everything,
  gauge,
  readPoints,
  report,
  type Subject,
  sampleOfBits,
  seriesKeys,
  t0,
} from "./subject.ts";

/** Trimming, packing, moving, closing. */
export function upkeepClaims(subject: Subject): void {
  it("trims whole blocks, and series and hosts whose last sample is older", async () => {
    const { store } = subject;
    const start = blockStart("h", t0);
    await subject.write(report("h", start, gauge("old", 1), gauge("both", 1)));
    await subject.write(report("h", start + blockMs, gauge("both", 2)));
    await subject.write(report("gone", blockStart("gone", t0), gauge("a", 1)));
    const before = Math.max(start, blockStart("gone", t0)) + blockMs;
    const trimmed = await store.trim(before);
    expect(trimmed).toMatchObject({ beforeMs: before, hostsRemoved: 1 });
    expect(await seriesKeys(store, {})).toEqual({ h: ["both"] });
    expect(await readPoints(store, { hostId: "h", ...everything })).toEqual({
      both: [[start + blockMs, 2, 0]],
    });
    expect(await readPoints(store, { hostId: "gone", ...everything })).toEqual({});
    expect(await store.latest(["gone"])).toEqual([]);
  });

  it("does not trim a block that ends after the cut", async () => {
    const start = blockStart("h", t0);
    await subject.write(report("h", start, gauge("a", 1)));
    await subject.store.trim(start + blockMs - 1);
    expect(await readPoints(subject.store, { hostId: "h", ...everything })).toEqual({ a: [[start, 1, 0]] });
  });

  it("reads, lists and answers the same after packing, late fragments included", async () => {
    const { store } = subject;
    const start = blockStart("h", t0);
    for (let i = 0; i < 300; i++) {
      await subject.write(
        report("h", start + i * 40_000, gauge("a", i), gauge("b", i / 3, { x: String(i % 3) })),
      );
    }
    await subject.write(
      ...doubleClasses.map((bits, i) => report("h", start + i, sampleOfBits("bits", bits, i))),
    );
    await subject.write(report("h", start, gauge("a", -1)), report("h", start, gauge("a", 1)));
    const before = await contentsOf(store, ["h"]);
    const packed = await store.pack(start + 10 * blockMs);
    for (const count of Object.values(packed)) expect(count).toBeGreaterThanOrEqual(0);
    expect(await contentsOf(store, ["h"])).toEqual(before);
    await subject.write(report("h", start + 1_234, gauge("late", 1)), report("h", start, gauge("a", 5)));
    const withLate = await contentsOf(store, ["h"]);
    expect((await readPoints(store, { hostId: "h", ...everything })).late).toEqual([[start + 1_234, 1, 0]]);
    await store.pack(start + 20 * blockMs);
    expect(await contentsOf(store, ["h"])).toEqual(withLate);
  });

  it("packs while it is written to and read, and loses nothing", async () => {
    const { store } = subject;
    const start = blockStart("h", t0);
    const fragments = Array.from({ length: 200 }, (_, i) => report("h", start + i * 50_000, gauge("a", i)));
    await Promise.all([
      ...fragments.flatMap((fragment, i) => [
        subject.write(fragment),
        ...(i % 40 === 0 ? [store.pack(start + 20 * blockMs)] : []),
        ...(i % 50 === 0 ? [readPoints(store, { hostId: "h", ...everything })] : []),
      ]),
    ]);
    expect((await readPoints(store, { hostId: "h", ...everything })).a).toEqual(
      fragments.map(({ timestampMs }, i) => [timestampMs, i, 0]),
    );
  });

  it("moves partitions to another store, whole and idempotently", async () => {
    const { store } = subject;
    const fragments = [0, 1, blockMs, blockMs * 2].flatMap((offset) => [
      report("h", t0 + offset, gauge("a", offset)),
      report("h", t0 + offset, gauge("b", offset)),
      report("g", t0 + offset, gauge("a", offset)),
    ]);
    await subject.write(...fragments);
    const target = await subject.open();
    const partitions: Partition[] = await collect(store.partitions());
    expect(partitions).toHaveLength(6);
    for (const partition of [...partitions, ...partitions]) {
      const exported = await collect(store.exportPartition(partition));
      const receipt = await target.importPartition(partition, store.exportPartition(partition));
      expect(receipt).toEqual({ fragments: exported.length, durability: target.durability });
    }
    for (const hostId of ["g", "h"]) {
      expect(await readPoints(target, { hostId, ...everything })).toEqual(
        await readPoints(store, { hostId, ...everything }),
      );
    }
    expect(await target.latest(["g", "h"])).toEqual(await store.latest(["g", "h"]));
  });

  it("moves packed partitions to another store, and to one that has some of it already, to the bit", async () => {
    const { store } = subject;
    const fragments = doubleClasses.flatMap((bits, i) => [
      report("h", t0 + 7 * i, sampleOfBits("a", bits, i), gauge("b", i)),
      report("h", t0 + 7 * i, { ...gauge("c", i, { x: "1" }), kind: Kind.counter }),
    ]);
    await subject.write(...fragments);
    await store.pack(t0 + 5 * blockMs);
    const target = await subject.open();
    await target.write(fragments.filter((_, i) => i % 3 === 0));
    for (const partition of await collect(store.partitions())) {
      for await (const fragment of store.exportPartition(partition)) {
        expect(fragment.hostId).toBe(partition.hostId);
        expect(blockStart(fragment.hostId, fragment.timestampMs)).toBe(partition.blockStartMs);
      }
      await target.importPartition(partition, store.exportPartition(partition));
    }
    expect(await contentsOf(target, ["h"])).toEqual(await contentsOf(store, ["h"]));
  });

  it("names each partition that has data once, packed or not, and none that has none", async () => {
    const { store } = subject;
    await subject.write(report("h", t0, gauge("a", 1)), report("h", t0 + 3 * blockMs, gauge("a", 1)));
    await store.pack(t0 + 2 * blockMs);
    await subject.write(report("h", t0 + 1, gauge("a", 2)), report("g", t0, gauge("a", 1)));
    const named = (await collect(store.partitions())).map(
      ({ hostId, blockStartMs }) => `${hostId} ${blockStartMs}`,
    );
    const expected = [
      `g ${blockStart("g", t0)}`,
      `h ${blockStart("h", t0)}`,
      `h ${blockStart("h", t0 + 3 * blockMs)}`,
    ];
    expect(named.sort()).toEqual(expected.sort());
    expect(await collect(store.exportPartition({ hostId: "h", blockStartMs: 0 }))).toEqual([]);
    await store.trim(t0 + 10 * blockMs);
    expect(await collect(store.partitions())).toEqual([]);
  });

  it("refuses to import a fragment of another partition", async () => {
    async function* fragments(): AsyncIterable<Fragment> {
      yield report("h", t0 + blockMs, gauge("a", 1));
    }
    const partition = { hostId: "h", blockStartMs: blockStart("h", t0) };
    await expect(subject.store.importPartition(partition, fragments())).rejects.toMatchObject({
      code: "STORE_FRAGMENT_INVALID",
    });
  });

  it("refuses to import a fragment that is not canonical", async () => {
    const good = report("h", t0, gauge("a", 1));
    async function* fragments(): AsyncIterable<Fragment> {
      yield good;
      yield { ...good, timestampMs: t0 + 1, bytes: good.bytes.slice(1) };
    }
    const partition = { hostId: "h", blockStartMs: blockStart("h", t0) };
    await expect(subject.store.importPartition(partition, fragments())).rejects.toMatchObject({
      code: "STORE_FRAGMENT_INVALID",
    });
  });

  it("closes twice, and refuses what comes after by code", async () => {
    const { store } = subject;
    await store.close();
    await store.close();
    const refused = { code: "STORE_NOT_OPEN" };
    await expect(store.write([report("h", t0, gauge("a", 1))])).rejects.toMatchObject(refused);
    await expect(store.latest(["h"])).rejects.toMatchObject(refused);
    await expect(store.pack(t0)).rejects.toMatchObject(refused);
    await expect(collect(store.read({ hostId: "h", ...everything }))).rejects.toMatchObject(refused);
  });

  if (!subject.canReopen) return;

  it("has everything again after it was closed and opened", async () => {
    await subject.write(report("h", t0, gauge("a", 1, { x: "1" })), report("h", t0 + blockMs, gauge("b", 2)));
    await subject.write(report("g", t0, { ...gauge("a", 3), kind: Kind.counter }));
    await subject.store.setMetadata("g", { os: "linux" });
    const before = await contentsOf(subject.store, ["g", "h"]);
    await subject.reopen();
    expect(await contentsOf(subject.store, ["g", "h"])).toEqual(before);
    await subject.store.pack(t0 + 2 * blockMs);
    await subject.reopen();
    expect(await contentsOf(subject.store, ["g", "h"])).toEqual(before);
  });

  it("does not bring back what was trimmed when it is opened again", async () => {
    const start = blockStart("h", t0);
    await subject.write(report("h", start, gauge("old", 1)), report("h", start + blockMs, gauge("new", 1)));
    await subject.store.pack(start + blockMs);
    await subject.store.trim(start + blockMs);
    const before = await contentsOf(subject.store, ["h"]);
    await subject.reopen();
    expect(await contentsOf(subject.store, ["h"])).toEqual(before);
    expect(await seriesKeys(subject.store, {})).toEqual({ h: ["new"] });
  });
}
