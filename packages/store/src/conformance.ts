/**
 * What every {@link MetricStore} must do, as a Vitest suite. Call {@link storeConformance} in a test file of the store.
 *
 * @packageDocumentation
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blockMs, blockStart } from "./block.ts";
import { type Fragment, fragmentFromSamples } from "./fragment.ts";
import { Kind, type Sample, SampleFlag, seriesKey } from "./sample.ts";
import type { HostSeries, MetricStore, Partition, ReadRequest, SeriesSelector } from "./store.ts";

/** How the suite gets its stores. */
export interface StoreFixture {
  /** Opens a new store that holds nothing and takes samples of any time. */
  create(): Promise<MetricStore>;
  /** Closes a store and opens it again over what it held; absent when it holds nothing once closed. */
  reopen?(store: MetricStore): Promise<MetricStore>;
}

/** An instant to count from: 2026-01-01T00:00:00Z. */
const t0 = 1_767_225_600_000;

/** A sample of no labels, for short tests. */
function gauge(name: string, value: number, labels: Record<string, string> = {}, flags = 0): Sample {
  return {
    name,
    value,
    labels: Object.entries(labels).map(([label, text]) => ({ name: label, value: text })),
    kind: Kind.gauge,
    flags,
  };
}

function report(hostId: string, timestampMs: number, ...samples: Sample[]): Fragment {
  return fragmentFromSamples(hostId, timestampMs, samples);
}

/** A sample whose value has the given bits. */
function sampleOfBits(bits: bigint, flags: number): Sample {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  const sample = gauge("m", view.getFloat64(0), {}, flags);
  return Number.isNaN(sample.value)
    ? { ...sample, nan: { high: view.getUint32(0), low: view.getUint32(4) } }
    : sample;
}

/** Points of a read, by series key: [timestampMs, value, flags]. */
type Points = Record<string, [number, number, number][]>;

async function readPoints(store: MetricStore, request: ReadRequest): Promise<Points> {
  const points: Points = {};
  let after = Number.NEGATIVE_INFINITY;
  for await (const slice of store.read(request)) {
    expect(slice.startMs).toBeGreaterThan(after);
    expect(slice.endMs).toBeGreaterThanOrEqual(slice.startMs);
    after = slice.endMs;
    for (const { series, timestampsMs, values, flags } of slice.columns) {
      const rows = points[seriesKey(series)] ?? [];
      points[seriesKey(series)] = rows;
      for (const [i, timestampMs] of timestampsMs.entries()) {
        expect(timestampMs).toBeGreaterThanOrEqual(slice.startMs);
        expect(timestampMs).toBeLessThanOrEqual(slice.endMs);
        rows.push([timestampMs, values[i]!, flags[i]!]);
      }
    }
  }
  return points;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

async function seriesKeys(store: MetricStore, selector: SeriesSelector): Promise<Record<string, string[]>> {
  const found: HostSeries[] = await collect(store.series(selector));
  return Object.fromEntries(found.map(({ hostId, series }) => [hostId, series.map(seriesKey)]));
}

const everything = { startMs: 0, endMs: t0 * 2 };

/** Defines the suite for one store. */
export function storeConformance(name: string, fixture: StoreFixture): void {
  describe(`${name} keeps the contract of MetricStore`, () => {
    let store: MetricStore;

    beforeEach(async () => {
      store = await fixture.create();
    });

    afterEach(async () => {
      await store.close();
    });

    /** Writes fragments and demands that each is stored at the durability that the store names. */
    async function write(...fragments: Fragment[]): Promise<void> {
      const fates = await store.write(fragments);
      expect(fates).toHaveLength(fragments.length);
      for (const fate of fates)
        expect(fate).toMatchObject({ status: "stored", durability: store.durability });
    }

    it("gives back what was written", async () => {
      await write(report("web-1", t0, gauge("a", 1.5), gauge("b", -0, { x: "1" }), gauge("c", 0)));
      expect(await readPoints(store, { hostId: "web-1", ...everything })).toEqual({
        a: [[t0, 1.5, 0]],
        'b{x="1"}': [[t0, -0, 0]],
        c: [[t0, 0, 0]],
      });
    });

    it("gives back every double to the bit, NaN payloads and flags included", async () => {
      const bits = [
        0x7ff0000000000002n,
        0x7ff8000000000001n,
        0xfff8000000000000n,
        0x0000000000000001n,
        0x8000000000000000n,
        0x7fefffffffffffffn,
        0x7ff0000000000000n,
        0xfff0000000000000n,
        0x3ff0000000000001n,
      ];
      const samples = bits.map((pattern, i) => sampleOfBits(pattern, i));
      await write(...samples.map((sample, i) => report("h", t0 + i, sample)));
      const columns = (await collect(store.read({ hostId: "h", ...everything }))).flatMap(
        (slice) => slice.columns,
      );
      const read = columns.flatMap((column) =>
        [...column.timestampsMs.keys()].map((i) => column.values.subarray(i, i + 1)),
      );
      expect(read.map((value) => new BigUint64Array(value.slice().buffer)[0])).toEqual(bits);
      expect(columns.flatMap((column) => [...column.flags])).toEqual(bits.map((_, i) => i));
    });

    it("keeps all fragments of one instant, and folds them series by series (R4)", async () => {
      await Promise.all([
        write(report("h", t0, gauge("a", 1), gauge("b", 5))),
        write(report("h", t0, gauge("a", 2), gauge("c", 7))),
        write(report("h", t0, gauge("d", 8))),
      ]);
      expect(await readPoints(store, { hostId: "h", ...everything })).toEqual({
        a: [[t0, 2, 0]],
        b: [[t0, 5, 0]],
        c: [[t0, 7, 0]],
        d: [[t0, 8, 0]],
      });
    });

    it("counts an instant at which fragments disagree as a conflict, and one at which they agree as none", async () => {
      await write(
        report("h", t0, gauge("a", 1), gauge("b", 5)),
        report("h", t0, gauge("a", 2), gauge("b", 5)),
      );
      const conflicts = async (): Promise<number> => {
        const slices = await collect(store.read({ hostId: "h", ...everything }));
        return slices.reduce((sum, slice) => sum + slice.conflicts, 0);
      };
      expect(await conflicts()).toBe(1);
      await write(report("h", t0, gauge("a", 3), gauge("c", 5)));
      expect(await conflicts()).toBe(1);
    });

    it("does not change when a fragment is written again", async () => {
      const fragment = report("h", t0, gauge("a", 1));
      await write(fragment, fragment);
      await write(fragment);
      expect(await readPoints(store, { hostId: "h", ...everything })).toEqual({ a: [[t0, 1, 0]] });
      const [partition] = await collect(store.partitions());
      expect(await collect(store.exportPartition(partition!))).toHaveLength(1);
    });

    it("does not keep the bytes that it was given", async () => {
      const fragment = report("h", t0, gauge("a", 1));
      await write(fragment);
      fragment.bytes.fill(0xff);
      expect(await readPoints(store, { hostId: "h", ...everything })).toEqual({ a: [[t0, 1, 0]] });
      expect((await store.latest(["h"]))[0]!.samples[0]!.value).toBe(1);
    });

    it("includes both ends of a range and nothing beyond", async () => {
      await write(...[0, 1, 2, 3, 4].map((i) => report("h", t0 + i, gauge("a", i))));
      const points = await readPoints(store, { hostId: "h", startMs: t0 + 1, endMs: t0 + 3 });
      expect(points.a!.map(([, value]) => value)).toEqual([1, 2, 3]);
    });

    it("answers in order of time across blocks, whatever the order of writing", async () => {
      const instants = [0, blockMs * 3 + 7, blockMs - 1, blockMs, blockMs * 30, 5].map(
        (offset) => t0 + offset,
      );
      for (const instant of instants) await write(report("h", instant, gauge("a", instant - t0)));
      const points = await readPoints(store, { hostId: "h", ...everything });
      expect(points.a!.map(([instant]) => instant)).toEqual([...instants].sort((a, b) => a - b));
    });

    it("keeps instants apart whatever their magnitude", async () => {
      const instants = [0, 1, 255, 256, 65_535, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 40 + 1];
      await write(...instants.map((instant) => report("h", instant, gauge("a", instant))));
      const points = await readPoints(store, { hostId: "h", startMs: 0, endMs: 2 ** 41 });
      expect(points.a!.map(([instant]) => instant)).toEqual(instants);
    });

    it("reads only the series that are wanted", async () => {
      await write(report("h", t0, gauge("a", 1), gauge("b", 2, { x: "1" }), gauge("b", 3, { x: "2" })));
      const points = await readPoints(store, {
        hostId: "h",
        ...everything,
        wants: (series) => series.name === "b",
      });
      expect(Object.keys(points).sort()).toEqual(['b{x="1"}', 'b{x="2"}']);
    });

    it("never shows a host the data of another with a similar name", async () => {
      const ids = ["a", "a.b", "a-1", "a_1", "a.b.c", "A", "ab", "a1", "0", "a--", `a${"b".repeat(127)}`];
      await write(...ids.map((hostId, i) => report(hostId, t0, gauge("m", i))));
      for (const [i, hostId] of ids.entries()) {
        expect(await readPoints(store, { hostId, ...everything })).toEqual({ m: [[t0, i, 0]] });
        expect((await store.latest([hostId]))[0]!.samples[0]!.value).toBe(i);
      }
      expect(await readPoints(store, { hostId: "b", ...everything })).toEqual({});
    });

    it("ends a read whose signal aborts, with the signal's reason", async () => {
      await write(report("h", t0, gauge("a", 1)), report("h", t0 + blockMs, gauge("a", 1)));
      const reason = new Error("enough");
      const read = collect(store.read({ hostId: "h", ...everything, signal: AbortSignal.abort(reason) }));
      await expect(read).rejects.toBe(reason);
    });

    it("lists series by host, and by matchers on host, name and labels", async () => {
      await write(
        report("db-1", t0, gauge("cpu", 1, { mode: "user" }), gauge("mem", 1)),
        report("web-1", t0, gauge("cpu", 1, { mode: "user" }), gauge("cpu", 1, { mode: "idle" })),
        report("web-2", t0, gauge("cpu", 1, { mode: "system" })),
      );
      expect(await seriesKeys(store, {})).toEqual({
        "db-1": ['cpu{mode="user"}', "mem"],
        "web-1": ['cpu{mode="idle"}', 'cpu{mode="user"}'],
        "web-2": ['cpu{mode="system"}'],
      });
      expect(await seriesKeys(store, { hostIds: ["web-2", "no-such-host"] })).toEqual({
        "web-2": ['cpu{mode="system"}'],
      });
      expect(
        await seriesKeys(store, {
          matchers: [
            { label: "__host__", type: "=~", value: "web-.*" },
            { label: "mode", type: "!=", value: "idle" },
          ],
        }),
      ).toEqual({ "web-1": ['cpu{mode="user"}'], "web-2": ['cpu{mode="system"}'] });
      expect(
        await seriesKeys(store, { matchers: [{ label: "__name__", type: "!~", value: "c.u" }] }),
      ).toEqual({
        "db-1": ["mem"],
      });
      expect(await seriesKeys(store, { matchers: [{ label: "mode", type: "=", value: "" }] })).toEqual({
        "db-1": ["mem"],
      });
    });

    it("refuses a matcher whose expression is none, by code", async () => {
      const listed = collect(store.series({ matchers: [{ label: "a", type: "=~", value: "(" }] }));
      await expect(listed).rejects.toMatchObject({ code: "STORE_MATCHER_INVALID" });
    });

    it("gives a series the smallest of the kinds that it came with (R4)", async () => {
      await write(report("h", t0, { ...gauge("a", 1), kind: Kind.counter }));
      await write(report("h", t0 + 1, gauge("a", 1)));
      await write(report("h", t0 + 2, { ...gauge("a", 1), kind: Kind.counter }));
      expect((await collect(store.series({})))[0]!.series).toEqual([
        { name: "a", labels: [], kind: Kind.gauge },
      ]);
      expect((await store.latest(["h"]))[0]!.samples[0]!.kind).toBe(Kind.gauge);
    });

    it("knows the last value of each series, which never goes back (R19)", async () => {
      await write(report("h", t0 + 10, gauge("a", 10), gauge("b", 1)));
      await write(report("h", t0, gauge("a", 0), gauge("old", 7)));
      await write(report("h", t0 + 10, gauge("a", 11), gauge("b", 0)));
      await write(report("h", t0 + 20, gauge("c", 0)));
      const [latest] = await store.latest(["no-such-host", "h"]);
      expect(latest!.lastSeenMs).toBe(t0 + 20);
      expect(latest!.samples.map(({ name, value, timestampMs }) => [name, value, timestampMs - t0])).toEqual([
        ["a", 11, 10],
        ["b", 1, 10],
        ["c", 0, 20],
        ["old", 7, 0],
      ]);
    });

    it("knows the last value of each series when programs of a host send many kinds of reports", async () => {
      for (let round = 0; round < 3; round++) {
        for (let program = 0; program < 40; program++) {
          await write(
            report("h", t0 + round, gauge("shared", round), gauge(`own_${program}`, round * 100 + program)),
          );
        }
      }
      const [latest] = await store.latest(["h"]);
      expect(latest!.samples).toHaveLength(41);
      for (const { name, value, timestampMs } of latest!.samples) {
        expect(timestampMs).toBe(t0 + 2);
        expect(value).toBe(name === "shared" ? 2 : 200 + Number(name.slice(4)));
      }
    });

    it("keeps the marks of samples", async () => {
      await write(report("h", t0, gauge("a", 1e9, {}, SampleFlag.outlier)));
      expect((await readPoints(store, { hostId: "h", ...everything })).a).toEqual([
        [t0, 1e9, SampleFlag.outlier],
      ]);
      expect((await store.latest(["h"]))[0]!.samples[0]!.flags).toBe(SampleFlag.outlier);
    });

    it("lists hosts by id, page by page and by prefix", async () => {
      const ids = Array.from({ length: 25 }, (_, i) => `h-${String(i).padStart(2, "0")}`);
      await write(
        ...ids.map((hostId, i) => report(hostId, t0 + i, gauge("a", 1))),
        report("g", t0, gauge("a", 1)),
      );
      const first = await store.hosts({ limit: 10 });
      expect(first.map((host) => host.hostId)).toEqual(["g", ...ids.slice(0, 9)]);
      const second = await store.hosts({ limit: 100, after: first.at(-1)!.hostId });
      expect(second.map((host) => host.hostId)).toEqual(ids.slice(9));
      const prefixed = await store.hosts({ limit: 100, prefix: "h-1", after: "h-14" });
      expect(prefixed).toEqual(
        ids.slice(15, 20).map((hostId, i) => ({ hostId, lastSeenMs: t0 + 15 + i, series: 1, metadata: {} })),
      );
    });

    it("lists metrics with their labels", async () => {
      await write(
        report("h", t0, gauge("cpu", 1, { mode: "user" }), gauge("cpu", 1, { cpu: "0", mode: "user" })),
      );
      await write(report("g", t0, { ...gauge("up_total", 1), kind: Kind.counter }));
      expect(await store.metrics({})).toEqual([
        { name: "cpu", kind: Kind.gauge, series: 2, labelNames: ["cpu", "mode"] },
        { name: "up_total", kind: Kind.counter, series: 1, labelNames: [] },
      ]);
      expect((await store.metrics({ hostIds: ["g"] })).map((metric) => metric.name)).toEqual(["up_total"]);
    });

    it("keeps what is known of a host besides its data", async () => {
      await store.setMetadata("new", { agent_version: "1.0.0", os: "linux" });
      await store.setMetadata("new", { agent_version: "1.1.0" });
      expect(await store.hosts({ limit: 10 })).toEqual([
        { hostId: "new", lastSeenMs: 0, series: 0, metadata: { agent_version: "1.1.0", os: "linux" } },
      ]);
      expect(await store.latest(["new"])).toEqual([]);
    });

    it("trims whole blocks, and series and hosts whose last sample is older", async () => {
      const start = blockStart("h", t0);
      await write(report("h", start, gauge("old", 1), gauge("both", 1)));
      await write(report("h", start + blockMs, gauge("both", 2)));
      await write(report("gone", blockStart("gone", t0), gauge("a", 1)));
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
      await write(report("h", start, gauge("a", 1)));
      await store.trim(start + blockMs - 1);
      expect(await readPoints(store, { hostId: "h", ...everything })).toEqual({ a: [[start, 1, 0]] });
    });

    it("moves partitions to another store, whole and idempotently", async () => {
      const fragments = [0, 1, blockMs, blockMs * 2].flatMap((offset) => [
        report("h", t0 + offset, gauge("a", offset)),
        report("h", t0 + offset, gauge("b", offset)),
        report("g", t0 + offset, gauge("a", offset)),
      ]);
      await write(...fragments);
      await using target = await fixture.create();
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

    it("refuses to import a fragment of another partition", async () => {
      async function* fragments(): AsyncIterable<Fragment> {
        yield report("h", t0 + blockMs, gauge("a", 1));
      }
      const imported = store.importPartition({ hostId: "h", blockStartMs: blockStart("h", t0) }, fragments());
      await expect(imported).rejects.toMatchObject({ code: "STORE_FRAGMENT_INVALID" });
    });

    it("rejects a fragment that is not canonical and stores the rest", async () => {
      const good = report("h", t0, gauge("a", 1));
      const fates = await store.write([
        good,
        { ...good, timestampMs: t0 + 1, bytes: new Uint8Array([0x1a, 0x05, 0x0a]) },
      ]);
      expect(fates.map((fate) => fate.status)).toEqual(["stored", "rejected"]);
      expect(await readPoints(store, { hostId: "h", ...everything })).toEqual({ a: [[t0, 1, 0]] });
    });

    it("rejects a fragment that was cut short, even of a series that it knows, and changes nothing for it", async () => {
      const good = report("h", t0, gauge("a", 1), gauge("b", 1, { x: "1" }));
      await write(good);
      const between = report("h", t0, gauge("a", 1)).bytes.length;
      for (let length = 1; length < good.bytes.length; length++) {
        if (length === between) continue;
        const cut = { ...good, timestampMs: t0 + length, bytes: good.bytes.slice(0, length) };
        const fates = await store.write([cut, { ...cut, hostId: "g" }]);
        expect(fates.map((fate) => fate.status)).toEqual(["rejected", "rejected"]);
      }
      expect(await store.hosts({ limit: 10 })).toEqual([
        { hostId: "h", lastSeenMs: t0, series: 2, metadata: {} },
      ]);
      expect(await readPoints(store, { hostId: "h", ...everything })).toEqual({
        a: [[t0, 1, 0]],
        'b{x="1"}': [[t0, 1, 0]],
      });
      expect((await store.latest(["h"]))[0]!.samples.map(({ timestampMs }) => timestampMs)).toEqual([t0, t0]);
    });

    it("refuses to import a fragment that is not canonical", async () => {
      const good = report("h", t0, gauge("a", 1));
      async function* fragments(): AsyncIterable<Fragment> {
        yield good;
        yield { ...good, timestampMs: t0 + 1, bytes: good.bytes.slice(1) };
      }
      const partition = { hostId: "h", blockStartMs: blockStart("h", t0) };
      await expect(store.importPartition(partition, fragments())).rejects.toMatchObject({
        code: "STORE_FRAGMENT_INVALID",
      });
    });

    it("counts its hosts and series", async () => {
      await write(report("h", t0, gauge("a", 1), gauge("b", 1)), report("g", t0, gauge("a", 1)));
      expect(await store.stats()).toMatchObject({ hosts: 2, series: 3, damage: [] });
    });

    it("closes twice, and refuses what comes after by code", async () => {
      await store.close();
      await store.close();
      await expect(store.write([report("h", t0, gauge("a", 1))])).rejects.toMatchObject({
        code: "STORE_NOT_OPEN",
      });
      await expect(store.latest(["h"])).rejects.toMatchObject({ code: "STORE_NOT_OPEN" });
    });

    const reopen = fixture.reopen;
    if (reopen === undefined) return;

    it("has everything again after it was closed and opened", async () => {
      await write(report("h", t0, gauge("a", 1, { x: "1" })), report("h", t0 + blockMs, gauge("b", 2)));
      await write(report("g", t0, { ...gauge("a", 3), kind: Kind.counter }));
      await store.setMetadata("g", { os: "linux" });
      const before = await snapshot(store);
      store = await reopen(store);
      expect(await snapshot(store)).toEqual(before);
    });
  });
}

/** All that a store says of itself and of hosts g and h. */
async function snapshot(store: MetricStore): Promise<unknown> {
  return {
    hosts: await store.hosts({ limit: 100 }),
    metrics: await store.metrics({}),
    series: await collect(store.series({})),
    latest: await store.latest(["g", "h"]),
    g: await readPoints(store, { hostId: "g", ...everything }),
    h: await readPoints(store, { hostId: "h", ...everything }),
  };
}
