import { BlockDecoder } from "@mon/level-store";
import type { ColumnSlice, Fragment, MetricStore } from "@mon/store";
import { expect, it } from "vitest";
import { decodeBlock, KnownSeries } from "../src/block-decoding.ts";
import type { StoredBlock } from "../src/decode-messages.ts";
import { countDecompressions, failWorkers, killWorkers, mendWorkers } from "./builtins.ts";
import { collect, readAll, report } from "./contents.ts";
import { openStore, t0, temporaryDirectory } from "./directory.ts";

const hourMs = 3_600_000;
const hours = 3;
const metrics = Array.from({ length: 20 }, (_, i) => `metric_${i}`);

/** A store with some hours of a host in chunks that are too large to be decoded by who reads, and what it holds. */
async function storeWithHours(decoder: BlockDecoder): Promise<{ store: MetricStore; points: string[] }> {
  const store = await openStore(await temporaryDirectory(), { decoder });
  const points: string[] = [];
  for (let i = 0; i < hours * 360; i++) {
    const timestampMs = t0 + i * 10_000;
    // Values that do not compress.
    const values = Object.fromEntries(metrics.map((name, m) => [name, Math.sin(i * 20 + m)]));
    for (const [name, value] of Object.entries(values)) points.push(`${name} ${timestampMs} ${value}`);
    void store.write([report("h", timestampMs, values)]);
  }
  await store.write([report("other", t0, { a: 1 })]);
  await store.pack(t0 + 100 * hourMs);
  return { store, points: points.sort() };
}

const everything = { hostId: "h", startMs: t0, endMs: t0 + hours * hourMs };

it("decodes large blocks in another thread, to the same samples", async () => {
  await using decoder = new BlockDecoder();
  const { store, points } = await storeWithHours(decoder);
  const decompressions = countDecompressions();
  const read = await readAll(store, "h");
  expect(read).toEqual({ points, missing: [] });
  expect(decompressions()).toBe(0);
});

it("decodes what is small at once, without a thread", async () => {
  const store = await openStore(await temporaryDirectory(), { decoder: new BlockDecoder() });
  failWorkers();
  for (let i = 0; i < 20; i++) await store.write([report("h", t0 + i * 15_000, { a: i })]);
  expect((await readAll(store, "h")).points).toHaveLength(20);
});

it("gives one object for a series in all slices, so that readers need not compare names", async () => {
  await using decoder = new BlockDecoder();
  const { store } = await storeWithHours(decoder);
  const objects = new Set<unknown>();
  const slices = await collect(store.read({ ...everything, wants: ({ name }) => name < "metric_11" }));
  for (const { columns } of slices) for (const { series } of columns) objects.add(series);
  expect(slices.length).toBeGreaterThanOrEqual(hours);
  // metric_0, metric_1 and metric_10.
  expect(objects.size).toBe(3);
});

it("fails a read with a coded error when its thread cannot start or dies, and starts another for the next", async () => {
  await using decoder = new BlockDecoder();
  const { store, points } = await storeWithHours(decoder);
  failWorkers();
  await expect(readAll(store, "h")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  killWorkers();
  await expect(readAll(store, "h")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  mendWorkers();
  expect((await readAll(store, "h")).points).toEqual(points);
});

it("ends a read with the signal's reason while a block is decoded, and answers the next", async () => {
  await using decoder = new BlockDecoder();
  const { store, points } = await storeWithHours(decoder);
  const end = new AbortController();
  const read = collect<ColumnSlice>(
    store.read({
      ...everything,
      // It is asked when the thread has met the series, and waits for the answer.
      wants: () => {
        end.abort(new Error("no longer wanted"));
        return true;
      },
      signal: end.signal,
    }),
  );
  await expect(read).rejects.toThrow("no longer wanted");
  expect((await readAll(store, "h")).points).toEqual(points);
});

it("answers many reads at once, whose readers stop early or go on", async () => {
  await using decoder = new BlockDecoder({ threads: 2 });
  const { store, points } = await storeWithHours(decoder);
  const stopped = async (): Promise<void> => {
    for await (const { columns } of store.read(everything)) if (columns.length > 0) break;
  };
  const whole = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => (i % 2 === 0 ? stopped() : (await readAll(store, "h")).points)),
  );
  for (const read of whole) if (read !== undefined) expect(read).toEqual(points);
});

it("asks about a series of reports again while the answer is still to come, as for a block sent ahead", () => {
  const known = new KnownSeries();
  const first = decodeBlock(blockOf(report("h", t0, { a: 1, b: 2 })), known);
  const ahead = decodeBlock(blockOf(report("h", t0 + hourMs, { a: 3, b: 4 })), known);
  for (const decoding of [first, ahead]) {
    const { value } = decoding.next();
    expect(value).toMatchObject({ kind: "unknown", series: [{ name: "a" }, { name: "b" }] });
  }
  for (const decoding of [first, ahead]) {
    const { value } = decoding.next(Int32Array.of(0, -1));
    expect(value).toMatchObject({ kind: "stretch", stretch: { columnCount: 1, isLast: true } });
  }
});

/** A block of one report in memory. */
function blockOf({ timestampMs, bytes }: Fragment): StoredBlock {
  const slab = new Uint8Array(new SharedArrayBuffer(bytes.length));
  slab.set(bytes);
  return {
    records: { bytes: new Uint8Array(0), ends: new Uint32Array(0) },
    head: {
      timestampsMs: Float64Array.of(timestampMs),
      slabs: [slab],
      places: Uint32Array.of(0, 0, bytes.length),
    },
    range: { startMs: timestampMs, endMs: timestampMs },
    maxSliceSamples: 100,
  };
}

it("names a wrong option with the value it got", () => {
  expect(() => new BlockDecoder({ threads: 0 })).toThrow(
    "expected threads to be an integer from 1 to 64, got 0",
  );
  expect(() => new BlockDecoder({ inlineBytesMax: -1 })).toThrow(
    "inlineBytesMax to be an integer of at least 0, got -1",
  );
});
