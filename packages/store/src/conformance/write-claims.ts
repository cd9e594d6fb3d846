import { expect, it } from "vitest";
import { blockMs } from "../block.ts";
import { compareSamples, valueBits } from "../fold.ts";
import type { Fragment } from "../fragment.ts";
import { type Sample, SampleFlag } from "../sample.ts";
import {
  collect,
  doubleClasses,
  everything,
  gauge,
  readBits,
  readPoints,
  report,
  type Subject,
  sampleOfBits,
  t0,
} from "./subject.ts";

/** What becomes of what is written. */
export function writeClaims(subject: Subject): void {
  it("gives back what was written", async () => {
    await subject.write(report("web-1", t0, gauge("a", 1.5), gauge("b", -0, { x: "1" }), gauge("c", 0)));
    expect(await readPoints(subject.store, { hostId: "web-1", ...everything })).toEqual({
      a: [[t0, 1.5, 0]],
      'b{x="1"}': [[t0, -0, 0]],
      c: [[t0, 0, 0]],
    });
  });

  it("gives back every double to the bit, NaN payloads and flags included", async () => {
    const samples = doubleClasses.map((bits, i) => sampleOfBits("m", bits, i));
    await subject.write(...samples.map((sample, i) => report("h", t0 + i, sample)));
    expect(await readBits(subject.store, { hostId: "h", ...everything })).toEqual({
      m: doubleClasses.map((bits, i) => [t0 + i, bits, i]),
    });
  });

  it("keeps all fragments of one instant, and folds them series by series (R4)", async () => {
    await Promise.all([
      subject.write(report("h", t0, gauge("a", 1), gauge("b", 5))),
      subject.write(report("h", t0, gauge("a", 2), gauge("c", 7))),
      subject.write(report("h", t0, gauge("d", 8))),
    ]);
    expect(await readPoints(subject.store, { hostId: "h", ...everything })).toEqual({
      a: [[t0, 2, 0]],
      b: [[t0, 5, 0]],
      c: [[t0, 7, 0]],
      d: [[t0, 8, 0]],
    });
  });

  it("keeps every one of a hundred disjoint fragments of one instant that are written at once", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `m_${String(i).padStart(2, "0")}`);
    await Promise.all(names.map((name, i) => subject.write(report("h", t0, gauge(name, i)))));
    const points = await readPoints(subject.store, { hostId: "h", ...everything });
    expect(points).toEqual(Object.fromEntries(names.map((name, i) => [name, [[t0, i, 0]]])));
    expect((await subject.store.latest(["h"]))[0]!.samples).toHaveLength(100);
  });

  it("folds any two doubles that disagree alike, whichever comes first and however long after (R4)", async () => {
    const rivals: [Sample, Sample][] = doubleClasses.flatMap((a, i) =>
      doubleClasses.slice(i).flatMap((b): [Sample, Sample][] => [
        [sampleOfBits("m", a), sampleOfBits("m", b)],
        [sampleOfBits("m", a, 7), sampleOfBits("m", b, 1)],
      ]),
    );
    // Of each pair once the first comes first and once the second, at instants of their own.
    await subject.write(
      ...rivals.flatMap(([a, b], i) => [report("h", t0 + 2 * i, a), report("h", t0 + 2 * i + 1, b)]),
    );
    await subject.write(
      ...rivals.flatMap(([a, b], i) => [report("h", t0 + 2 * i, b), report("h", t0 + 2 * i + 1, a)]),
    );
    const winners = rivals.flatMap(([a, b], i) => {
      const { flags, ...winner } = compareSamples(a, b) >= 0 ? a : b;
      const { high, low } = valueBits(winner);
      const bits = (BigInt(high) << 32n) | BigInt(low);
      return [0, 1].map((order) => [t0 + 2 * i + order, bits, flags]);
    });
    expect(await readBits(subject.store, { hostId: "h", ...everything })).toEqual({ m: winners });
  });

  it("counts an instant at which fragments disagree as a conflict, and one at which they agree as none", async () => {
    await subject.write(
      report("h", t0, gauge("a", 1), gauge("b", 5)),
      report("h", t0, gauge("a", 2), gauge("b", 5)),
    );
    const conflicts = async (): Promise<number> => {
      const slices = await collect(subject.store.read({ hostId: "h", ...everything }));
      return slices.reduce((sum, slice) => sum + slice.conflicts, 0);
    };
    expect(await conflicts()).toBe(1);
    await subject.write(report("h", t0, gauge("a", 3), gauge("c", 5)));
    expect(await conflicts()).toBe(1);
  });

  it("does not change when a fragment is written again", async () => {
    const fragment = report("h", t0, gauge("a", 1));
    await subject.write(fragment, fragment);
    await subject.write(fragment);
    expect(await readPoints(subject.store, { hostId: "h", ...everything })).toEqual({ a: [[t0, 1, 0]] });
    const [partition] = await collect(subject.store.partitions());
    expect(await collect(subject.store.exportPartition(partition!))).toHaveLength(1);
  });

  it("does not change when fragments are written again while they are being written", async () => {
    const fragments = Array.from({ length: 20 }, (_, i) => report("h", t0 + (i % 5), gauge(`m${i}`, i)));
    await Promise.all([...fragments, ...fragments, ...fragments].map((fragment) => subject.write(fragment)));
    const points = await readPoints(subject.store, { hostId: "h", ...everything });
    expect(points).toEqual(Object.fromEntries(fragments.map((_, i) => [`m${i}`, [[t0 + (i % 5), i, 0]]])));
  });

  it("does not keep the bytes that it was given", async () => {
    const fragments = [1, 2, 3].map((value) => report("h", t0 + value, gauge("a", value)));
    for (const fragment of fragments) {
      await subject.write(fragment);
      fragment.bytes.fill(0xff);
    }
    expect(await readPoints(subject.store, { hostId: "h", ...everything })).toEqual({
      a: [1, 2, 3].map((value) => [t0 + value, value, 0]),
    });
    expect((await subject.store.latest(["h"]))[0]!.samples[0]!.value).toBe(3);
  });

  it("keeps the marks of samples", async () => {
    const outlier = gauge("a", 1e9, { x: "1", y: "2" }, SampleFlag.outlier);
    await subject.write(report("h", t0, outlier, gauge("a", 1, { x: "1" })));
    expect(await readPoints(subject.store, { hostId: "h", ...everything })).toEqual({
      'a{x="1",y="2"}': [[t0, 1e9, SampleFlag.outlier]],
      'a{x="1"}': [[t0, 1, 0]],
    });
    const [latest] = await subject.store.latest(["h"]);
    expect(latest!.samples.map(({ value, flags }) => [value, flags])).toEqual([
      [1e9, SampleFlag.outlier],
      [1, 0],
    ]);
  });

  it("keeps marks that it does not know, all 32 bits of them", async () => {
    await subject.write(report("h", t0, gauge("a", 1, {}, 0xffffffff), gauge("b", 1, {}, 0x80000000)));
    expect(await readPoints(subject.store, { hostId: "h", ...everything })).toEqual({
      a: [[t0, 1, 0xffffffff]],
      b: [[t0, 1, 0x80000000]],
    });
  });

  it("keeps names and labels as they are, of any script and any length", async () => {
    const labels = [
      { x: "" },
      { x: 'a"b\\c\nd\0e' },
      { x: "\u{1f600}é\uffee\ufeff" },
      { x: "v".repeat(2_048), y: "," },
      { x: 'v",y="w' },
      { "name with spaces": "1" },
    ];
    const samples = labels.map((label, i) => gauge("m", i, label));
    await subject.write(report("h", t0, ...samples));
    const [found] = await collect(subject.store.series({}));
    const byLabels = new Set(samples.map(({ labels: expected }) => JSON.stringify(expected)));
    expect(new Set(found!.series.map((series) => JSON.stringify(series.labels)))).toEqual(byLabels);
    const columns = (await collect(subject.store.read({ hostId: "h", ...everything }))).flatMap(
      (slice) => slice.columns,
    );
    expect(new Set(columns.map(({ series }) => JSON.stringify(series.labels)))).toEqual(byLabels);
  });

  it("rejects a fragment that is not canonical and stores the rest", async () => {
    const good = report("h", t0, gauge("a", 1));
    const fates = await subject.store.write([
      good,
      { ...good, timestampMs: t0 + 1, bytes: new Uint8Array([0x1a, 0x05, 0x0a]) },
    ]);
    expect(fates.map((fate) => fate.status)).toEqual(["stored", "rejected"]);
    expect(fates[1]).not.toHaveProperty("refusedSamples");
    expect(await readPoints(subject.store, { hostId: "h", ...everything })).toEqual({ a: [[t0, 1, 0]] });
  });

  it("rejects a fragment that was cut short, even of a series that it knows, and changes nothing for it", async () => {
    const { store } = subject;
    const good = report("h", t0, gauge("a", 1), gauge("b", 1, { x: "1" }));
    await subject.write(good);
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

  it.each([Number.NaN, 0.5, t0 + 0.25, 8.64e15 + 1, -8.64e15 - 1, Number.POSITIVE_INFINITY])(
    "rejects a time that no calendar has, and stores the rest: %d",
    async (timestampMs) => {
      const good = report("h", t0, gauge("a", 1));
      const fates = await subject.store.write([{ ...good, timestampMs }, good]);
      expect(fates.map((fate) => fate.status)).toEqual(["rejected", "stored"]);
      expect(await subject.store.hosts({ limit: 10 })).toEqual([
        { hostId: "h", lastSeenMs: t0, series: 1, metadata: {} },
      ]);
    },
  );

  it("takes a write of nothing, and a fragment of no samples for what it is", async () => {
    expect(await subject.store.write([])).toEqual([]);
    const empty: Fragment = report("h", t0);
    await subject.store.write([empty, report("h", t0 + blockMs, gauge("a", 1))]);
    expect(await readPoints(subject.store, { hostId: "h", ...everything })).toEqual({
      a: [[t0 + blockMs, 1, 0]],
    });
  });
}
