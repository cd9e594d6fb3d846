import { expect, it } from "vitest";
import { blockMs, blockStart } from "../block.ts";
import type { Fragment } from "../fragment.ts";
import { Layout } from "../layout.ts";
import { murmur3 } from "../murmur3.ts";
import { sliceSamplesMax } from "../store.ts";
import { collect, everything, gauge, readPoints, report, type Subject, t0, writeTo } from "./subject.ts";

/** Host ids that begin each other, differ in one character, or sort unlike their bytes. */
const similarIds = [
  "a",
  "a.b",
  "a-1",
  "a_1",
  "a.b.c",
  "A",
  "ab",
  "a1",
  "a.",
  "a-",
  "0",
  "00",
  "a--",
  `a${"b".repeat(127)}`,
  `a${"b".repeat(126)}`,
];

/** What is read, and of which host and range. */
export function readClaims(subject: Subject): void {
  it("includes both ends of a range and nothing beyond", async () => {
    await subject.write(...[0, 1, 2, 3, 4].map((i) => report("h", t0 + i, gauge("a", i))));
    const points = await readPoints(subject.store, { hostId: "h", startMs: t0 + 1, endMs: t0 + 3 });
    expect(points.a!.map(([, value]) => value)).toEqual([1, 2, 3]);
  });

  it("includes both ends of a range wherever they lie in blocks, before packing and after", async () => {
    const start = blockStart("h", t0);
    const offsets = [-1, 0, 1, blockMs / 2, blockMs - 1, blockMs, blockMs + 1, 2 * blockMs, 2 * blockMs + 5];
    const instants = offsets.map((offset) => start + offset);
    await subject.write(...instants.map((instant, i) => report("h", instant, gauge("a", i))));
    for (const isPacked of [false, true]) {
      if (isPacked) await subject.store.pack(start + 10 * blockMs);
      for (const startMs of [...instants, start + 2]) {
        for (const endMs of [...instants, start + 2 * blockMs - 1]) {
          const points = await readPoints(subject.store, { hostId: "h", startMs, endMs });
          const expected = instants.filter((instant) => instant >= startMs && instant <= endMs);
          expect(points.a?.map(([instant]) => instant) ?? []).toEqual(expected);
        }
      }
    }
  });

  it("answers in order of time across blocks, whatever the order of writing", async () => {
    const instants = [0, blockMs * 3 + 7, blockMs - 1, blockMs, blockMs * 30, 5].map((offset) => t0 + offset);
    for (const instant of instants) await subject.write(report("h", instant, gauge("a", instant - t0)));
    const points = await readPoints(subject.store, { hostId: "h", ...everything });
    expect(points.a!.map(([instant]) => instant)).toEqual([...instants].sort((a, b) => a - b));
  });

  it("keeps instants apart whatever their magnitude and sign, before packing and after", async () => {
    const magnitudes = [0, 1, 127, 128, 255, 256, 65_535, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 40 + 1, 2 ** 52];
    const instants = [...magnitudes.slice(1).map((instant) => -instant), ...magnitudes].sort((a, b) => a - b);
    await subject.write(...instants.map((instant) => report("h", instant, gauge("a", instant))));
    for (const isPacked of [false, true]) {
      if (isPacked) await subject.store.pack(t0);
      const all = { hostId: "h", startMs: -8.64e15, endMs: 8.64e15 };
      const points = await readPoints(subject.store, all);
      expect(points.a!.map(([instant]) => instant)).toEqual(instants);
      expect(points.a!.map(([, value]) => value)).toEqual(instants);
      const around = await readPoints(subject.store, { hostId: "h", startMs: -1, endMs: 1 });
      expect(around.a!.map(([instant]) => instant)).toEqual([-1, 0, 1]);
    }
  });

  it("reads only the series that are wanted", async () => {
    await subject.write(report("h", t0, gauge("a", 1), gauge("b", 2, { x: "1" }), gauge("b", 3, { x: "2" })));
    const points = await readPoints(subject.store, {
      hostId: "h",
      ...everything,
      wants: (series) => series.name === "b",
    });
    expect(Object.keys(points).sort()).toEqual(['b{x="1"}', 'b{x="2"}']);
  });

  it("never shows a host the data of another with a similar name", async () => {
    const { store } = subject;
    await subject.write(...similarIds.map((hostId, i) => report(hostId, t0, gauge("m", i))));
    for (const isPacked of [false, true]) {
      if (isPacked) await store.pack(t0 + 2 * blockMs);
      for (const [i, hostId] of similarIds.entries()) {
        expect(await readPoints(store, { hostId, ...everything })).toEqual({ m: [[t0, i, 0]] });
        expect((await store.latest([hostId]))[0]!.samples[0]!.value).toBe(i);
        expect((await collect(store.series({ hostIds: [hostId] }))).map((host) => host.hostId)).toEqual([
          hostId,
        ]);
      }
    }
    expect(await readPoints(store, { hostId: "b", ...everything })).toEqual({});
    expect((await store.hosts({ limit: 100 })).map(({ hostId }) => hostId)).toEqual([...similarIds].sort());
  });

  it("never trims or moves the data of a host with another that has a similar name", async () => {
    const { store } = subject;
    const later = t0 + 4 * blockMs;
    await subject.write(
      ...similarIds.map((hostId, i) => report(hostId, i % 2 === 0 ? t0 : later, gauge("m", i))),
    );
    const target = await subject.open();
    const blockStartMs = blockStart("a", t0);
    await target.importPartition(
      { hostId: "a", blockStartMs },
      store.exportPartition({ hostId: "a", blockStartMs }),
    );
    expect((await target.hosts({ limit: 100 })).map(({ hostId }) => hostId)).toEqual(["a"]);
    await store.trim(t0 + 2 * blockMs);
    for (const [i, hostId] of similarIds.entries()) {
      const expected = i % 2 === 0 ? {} : { m: [[later, i, 0]] };
      expect(await readPoints(store, { hostId, ...everything })).toEqual(expected);
    }
  });

  it("ends a read whose signal aborts, with the signal's reason", async () => {
    await subject.write(report("h", t0, gauge("a", 1)), report("h", t0 + blockMs, gauge("a", 1)));
    const reason = new Error("enough");
    const read = collect(
      subject.store.read({ hostId: "h", ...everything, signal: AbortSignal.abort(reason) }),
    );
    await expect(read).rejects.toBe(reason);
  });

  it("lets a reader stop early, and goes on", async () => {
    const hours = Array.from({ length: 50 }, (_, i) => report("h", t0 + i * blockMs, gauge("a", i)));
    await subject.write(...hours);
    for await (const slice of subject.store.read({ hostId: "h", ...everything })) {
      expect(slice.columns).toHaveLength(1);
      break;
    }
    await subject.write(report("h", t0 + 1, gauge("a", 1)));
    expect((await readPoints(subject.store, { hostId: "h", ...everything })).a).toHaveLength(51);
  });

  it("reads a month in slices of bounded size, before packing and after", async () => {
    const { store } = subject;
    await writeMany(store, t0, 2 * 24 * 30, blockMs / 2, 200);
    expect(await countSamples(store)).toBe(2 * 24 * 30 * 200);
    await store.pack(t0 + 31 * 24 * blockMs);
    expect(await countSamples(store)).toBe(2 * 24 * 30 * 200);
  }, 60_000);

  it("reads a crowded hour in slices of bounded size, before packing and after", async () => {
    const { store } = subject;
    await writeMany(store, blockStart("h", t0), 3_600, 1_000, 80);
    expect(await countSamples(store)).toBe(3_600 * 80);
    await store.pack(t0 + 3 * blockMs);
    expect(await countSamples(store)).toBe(3_600 * 80);
  }, 60_000);
}

/** Writes so many reports of host h, one each step from an instant on, of so many series each. */
async function writeMany(
  store: Subject["store"],
  startMs: number,
  reports: number,
  stepMs: number,
  series: number,
): Promise<void> {
  const samples = Array.from({ length: series }, (_, i) => gauge(`m_${1_000 + i}`, 1));
  const model = report("h", t0, ...samples);
  const firstValue = new Layout(model.bytes).valueOffsets[0]!;
  for (let begin = 0; begin < reports; begin += 500) {
    const fragments = Array.from({ length: Math.min(500, reports - begin) }, (_, i): Fragment => {
      const bytes = model.bytes.slice();
      new DataView(bytes.buffer).setFloat64(firstValue, begin + i + 1, true);
      const id = murmur3(bytes);
      return {
        hostId: "h",
        timestampMs: startMs + (begin + i) * stepMs,
        idHigh: id.high,
        idLow: id.low,
        bytes,
      };
    });
    await writeTo(store, fragments);
  }
}

/** Reads all of host h, slice by slice, and holds none. */
async function countSamples(store: Subject["store"]): Promise<number> {
  let samples = 0;
  let slices = 0;
  for await (const { columns } of store.read({ hostId: "h", ...everything })) {
    const inSlice = columns.reduce((sum, column) => sum + column.timestampsMs.length, 0);
    const inLastInstant = columns.length;
    expect(inSlice).toBeLessThanOrEqual(sliceSamplesMax + inLastInstant);
    samples += inSlice;
    slices++;
  }
  expect(slices).toBeGreaterThan(Math.floor(samples / (sliceSamplesMax + 10_000)));
  return samples;
}
