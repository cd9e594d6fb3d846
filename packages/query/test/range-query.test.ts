import { fragmentFromSamples, MemoryStore, type Series, type SeriesColumn, StoreError } from "@mon/store";
import { describe, expect, it } from "vitest";
import { queryRange, type SampleSource } from "../src/index.ts";
import { answerOf } from "./answer.ts";
import { SlicedSource, type StoredSeries, stale, valuesOf } from "./sliced-source.ts";

function stored(hostId: string, name: string, samples: number, labels: Series["labels"] = []): StoredSeries {
  return {
    hostId,
    series: { name, labels, kind: 1 },
    timestampsMs: Array.from({ length: samples }, (_, index) => index),
    values: Float64Array.from({ length: samples }, (_, index) => index),
  };
}

const range = { startMs: 0, endMs: 999, stepMs: 0 };

describe("a request", () => {
  const source = new SlicedSource([]);

  it.each([
    ["endMs", { startMs: 2, endMs: 1, stepMs: 1 }, "expected endMs ≥ startMs 2, got 1"],
    ["startMs", { startMs: 0.5, endMs: 1, stepMs: 1 }, "expected startMs to be a whole number, got 0.5"],
    ["stepMs", { startMs: 0, endMs: 1, stepMs: -1 }, "expected stepMs ≥ 0, got -1"],
    [
      "stepMs",
      { startMs: 0, endMs: 11_000, stepMs: 1 },
      "expected stepMs to give at most 11000 values a series, got 1, giving 11001",
    ],
    [
      "stepMs",
      { startMs: 0, endMs: 1, stepMs: 0, aggregation: "avg" as const },
      "expected stepMs to be at least 1 for avg, got 0",
    ],
    [
      "aggregation",
      { startMs: 0, endMs: 1, stepMs: 1, aggregation: "median" as "avg" },
      "expected aggregation to be one of avg, min, max, sum, count, last, first, rate, increase, got median",
    ],
    [
      "matchers",
      { ...range, matchers: new Array(65).fill({ label: "a", type: "=", value: "" }) },
      "expected matchers to be at most 64, got 65",
    ],
    [
      "matchers",
      { ...range, name: "up", matchers: new Array(65).fill({ label: "a", type: "=", value: "" }) },
      "expected matchers to be at most 64, got 65",
    ],
  ])("is refused at once, naming %s", (field, request, message) => {
    expect(() => queryRange(source, request)).toThrow(
      expect.objectContaining({ name: "QueryError", code: "QUERY_INVALID", field, message }),
    );
  });

  it("is refused with the store's error as cause when a regular expression is bad", () => {
    const request = { ...range, matchers: [{ label: "a", type: "=~" as const, value: "(" }] };
    expect(() => queryRange(source, request)).toThrow(
      expect.objectContaining({ code: "QUERY_INVALID", field: "matchers", cause: expect.any(StoreError) }),
    );
  });

  it("may ask for exactly 11,000 values a series", async () => {
    const { summary } = await answerOf(source, { startMs: 0, endMs: 10_999, stepMs: 1 });
    expect(summary).toEqual({ series: 0, samplesRead: 0, partial: false, missing: [], conflicts: 0 });
  });

  it("is refused with a RangeError for a limit out of range", () => {
    expect(() => queryRange(source, range, { seriesPerPass: 0 })).toThrow(
      new RangeError("expected seriesPerPass to be a whole number of at least 1, got 0"),
    );
  });
});

describe("an answer", () => {
  it("holds the hosts and series that match", async () => {
    const source = new SlicedSource(
      ["a", "b", "c"].flatMap((host) => [stored(host, "up", 1), stored(host, "load", 1)]),
    );
    const request = { ...range, name: "up", hostIds: ["c", "a", "b"] };
    const matchers = [{ label: "__host__", type: "!=" as const, value: "b" }];
    const { points } = await answerOf(source, { ...request, matchers });
    expect([...points.keys()]).toEqual(["a/up", "c/up"]);
  });

  it("reads a host with many series in passes, each series once", async () => {
    const names = Array.from({ length: 7 }, (_, index) => `m${index}`);
    const source = new SlicedSource(names.map((name) => stored("a", name, 10)));
    const { points, summary } = await answerOf(source, range, { seriesPerPass: 3 });
    expect(source.reads.length).toBe(3);
    expect([...points.keys()].sort()).toEqual(names.map((name) => `a/${name}`));
    expect(summary).toMatchObject({ series: 7, samplesRead: 70 });
  });

  it("reads back as far as the first window or look-back reaches, and no further", async () => {
    const source = new SlicedSource([stored("a", "m", 1)]);
    await answerOf(source, { startMs: 1_000_000, endMs: 1_000_150, stepMs: 100, aggregation: "sum" });
    await answerOf(source, { startMs: 1_000_000, endMs: 1_000_150, stepMs: 100 });
    expect(source.reads).toMatchObject([
      { startMs: 999_901, endMs: 1_000_100 },
      { startMs: 700_001, endMs: 1_000_100 },
    ]);
  });

  it("counts the series' names and labels in the size of a batch", async () => {
    const labels = [{ name: "path", value: "x".repeat(1_000) }];
    const source = new SlicedSource(["a", "b", "c", "d"].map((name) => stored("a", name, 1, labels)));
    const { batches } = await answerOf(source, range, { batchBytesMax: 2_100 });
    expect(batches.map((batch) => batch.length)).toEqual([2, 2]);
  });

  it("holds back no more values than allowed before it hands them out", async () => {
    const source = new SlicedSource(
      [stored("a", "m", 1_000)],
      Array.from({ length: 100 }, (_, index) => index * 10),
    );
    const answer = queryRange(source, range, { bufferedValuesMax: 50 });
    let slicesRead = 0;
    source.beforeSlice = () => slicesRead++;
    const sizes: number[] = [];
    for await (const batch of answer) {
      sizes.push(batch[0]!.values.length);
      expect(slicesRead).toBeLessThanOrEqual(sizes.length * 6);
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(60);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(50);
  });

  it("keeps instants of a slice within 32 bits of each other", async () => {
    const source = new SlicedSource([{ ...stored("a", "m", 3), timestampsMs: [0, 2 ** 32 - 1, 2 ** 32] }]);
    const { batches } = await answerOf(source, { ...range, endMs: 2 ** 33 });
    const slices = batches.flat().map(({ timestampsMs }) => [...timestampsMs]);
    expect(slices.flat()).toEqual([0, 2 ** 32 - 1, 2 ** 32]);
    for (const slice of slices) expect(slice.at(-1)! - slice[0]!).toBeLessThan(2 ** 32);
  });

  it("carries the marks of samples as stored, and none when there are none", async () => {
    const marked = { ...stored("a", "marked", 40), flags: new Array(40).fill(0).with(25, 1) };
    const source = new SlicedSource([marked, stored("a", "plain", 40)], [9, 19, 29]);
    const { batches } = await answerOf(source, range);
    const [first, second] = batches.flat();
    expect([...first!.flags!]).toEqual(marked.flags);
    expect(second).not.toHaveProperty("flags");
  });

  it("can be handed to another thread without a copy", async () => {
    const { batches } = await answerOf(new SlicedSource([stored("a", "m", 10)]), range, {
      batchBytesMax: 80,
    });
    for (const slice of batches.flat()) {
      expect(slice.values.buffer.byteLength).toBe(slice.values.byteLength);
      expect(structuredClone(slice)).toEqual(slice);
    }
  });

  it("says what is missing, each reason once and at most 100 of them", async () => {
    const source = new SlicedSource(
      [stored("a", "m", 300)],
      Array.from({ length: 300 }, (_, index) => index),
    );
    source.missing = ["block 7 is damaged"];
    expect((await answerOf(source, range)).summary).toMatchObject({
      partial: true,
      missing: ["block 7 is damaged"],
    });
    let slices = 0;
    source.beforeSlice = () => {
      source.missing = [`block ${slices++} is damaged`];
    };
    const { missing } = (await answerOf(source, range)).summary;
    expect(missing.length).toBe(101);
    expect(missing.at(-1)).toBe("and more");
  });
});

describe("a query under way", () => {
  it("fails with QUERY_TOO_LARGE before it reads more samples than allowed", async () => {
    const source = new SlicedSource([stored("a", "m", 100)], [49]);
    await expect(answerOf(source, range, { samplesMax: 99 })).rejects.toMatchObject({
      code: "QUERY_TOO_LARGE",
      message: expect.stringContaining("at most 99 samples"),
    });
    expect(source.openReads).toBe(0);
    expect((await answerOf(source, range, { samplesMax: 100 })).summary.samplesRead).toBe(100);
  });

  it("ends with an AbortError that carries the signal's reason when it is cancelled", async () => {
    const source = new SlicedSource([stored("a", "m", 100)], [9, 19, 29]);
    const controller = new AbortController();
    source.beforeSlice = () => {
      if (source.reads.length === 1) controller.abort("enough");
    };
    const error = await answerOf(source, range, { signal: controller.signal }).catch((cause) => cause);
    expect(error).toMatchObject({ name: "AbortError", code: "QUERY_CANCELLED", cause: "enough" });
    expect(source.openReads).toBe(0);
  });

  it("ends so too when it is the store that notices", async () => {
    const source = new SlicedSource([stored("a", "m", 100)]);
    const controller = new AbortController();
    source.beforeSlice = () => {
      controller.abort("enough");
      controller.signal.throwIfAborted();
    };
    await expect(answerOf(source, range, { signal: controller.signal })).rejects.toMatchObject({
      code: "QUERY_CANCELLED",
      cause: "enough",
    });
  });

  it("does not read when it was cancelled before", async () => {
    const source = new SlicedSource([stored("a", "m", 1)]);
    await expect(answerOf(source, range, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "QUERY_CANCELLED",
    });
    expect(source.reads).toEqual([]);
  });

  it("lets an error of the store pass as it is", async () => {
    const source = new SlicedSource([stored("a", "m", 1)]);
    const failure = new StoreError("STORE_UNAVAILABLE", "expected a medium that works, got EIO");
    source.beforeSlice = () => {
      throw failure;
    };
    await expect(answerOf(source, range)).rejects.toBe(failure);
  });

  it("lets go of the store when its consumer stops early", async () => {
    const source = new SlicedSource([stored("a", "m", 100)], [9, 19, 29]);
    for await (const _ of queryRange(source, range, { bufferedValuesMax: 1 })) break;
    expect(source.openReads).toBe(0);
  });

  it("frees the memory of a slice once it has evaluated all of its columns", async () => {
    const buffers: ArrayBuffer[] = [];
    const names = ["a", "b"];
    const source: SampleSource = {
      async *series() {
        yield { hostId: "h", series: names.map((name) => ({ name, labels: [], kind: 1 })) };
      },
      async *read({ startMs, endMs }) {
        for (let slice = 0; slice < 2; slice++) {
          expect(buffers.every(({ detached }) => detached)).toBe(true);
          // Both columns in one piece of memory.
          const buffer = new ArrayBuffer(2 * 20 * 20);
          buffers.push(buffer);
          const columns = names.map((name, index): SeriesColumn => {
            const timestampsMs = new Float64Array(buffer, 160 * index, 20);
            timestampsMs.set(Array.from({ length: 20 }, (_, i) => 20 * slice + i));
            const values = new Float64Array(buffer, 320 + 160 * index, 20).fill(slice + index);
            const flags = new Uint32Array(buffer, 640 + 80 * index, 20);
            return { series: { name, labels: [], kind: 1 }, timestampsMs, values, flags };
          });
          yield { startMs, endMs, columns, conflicts: 0, missing: [] };
        }
      },
    };
    const request = { startMs: 0, endMs: 40, stepMs: 20, aggregation: "sum" as const };
    const { points } = await answerOf(source, request);
    // The first window has one sample, the second one of the second slice besides those of the first.
    expect([...points.values()]).toEqual([
      [
        [0, 0],
        [20, 1],
        [40, 19],
      ],
      [
        [0, 1],
        [20, 21],
        [40, 38],
      ],
    ]);
    expect(buffers.map(({ detached }) => detached)).toEqual([true, true]);
  });

  it("breathes every 16,384 samples read, more often as values are handed out, and between hosts without samples", async () => {
    let breaths = 0;
    const breathe = async () => {
      breaths++;
    };
    const cutsMs = Array.from({ length: 200 }, (_, index) => index * 1_000);
    await answerOf(
      new SlicedSource([stored("a", "m", 200_000)], cutsMs),
      { ...range, endMs: 199_999 },
      { breathe },
    );
    // 200,000 samples, each read and handed out.
    const breathsOfSamples = breaths;
    expect(breathsOfSamples).toBeGreaterThan(200_000 / 8_192);
    expect(breathsOfSamples).toBeLessThanOrEqual(200_000 / 4_096 + 200_000 / 16_384);
    const empty = Array.from({ length: 100 }, (_, index) => stored(`h${index}`, "m", 0));
    await answerOf(new SlicedSource(empty), range, { breathe });
    // A read counts as 1,000 samples.
    expect(breaths - breathsOfSamples).toBe(Math.floor(100_000 / 17_000));
  });
});

describe("over a store in memory", () => {
  const seriesOf = (value: number) => ({ name: "up", labels: [], kind: 1 as const, value, flags: 0 });

  it("joins blocks and keeps stale markers", async () => {
    await using store = new MemoryStore();
    await store.open();
    const marker = valuesOf([stale])[0]!;
    const hourMs = 3_600_000;
    await store.write(
      Array.from({ length: 300 }, (_, minute) =>
        fragmentFromSamples("web-1", minute * 60_000, [seriesOf(minute === 200 ? marker : minute)]),
      ),
    );
    const { points, summary } = await answerOf(store, { startMs: 0, endMs: 5 * hourMs, stepMs: 5 * 60_000 });
    const instants = points.get("web-1/up")!.map(([t]) => t / 60_000);
    // At minute 200 the series has ended, and begins again at 201.
    expect(instants).toEqual(
      Array.from({ length: 61 }, (_, index) => index * 5).filter((minute) => minute !== 200),
    );
    expect(summary).toMatchObject({ series: 1, samplesRead: 300, conflicts: 0 });
  });

  it("counts where fragments disagree", async () => {
    await using store = new MemoryStore();
    await store.open();
    await store.write([1, 2].map((value) => fragmentFromSamples("web-1", 0, [seriesOf(value)])));
    const { points, summary } = await answerOf(store, range);
    expect(points.get("web-1/up")).toEqual([[0, 2]]);
    expect(summary.conflicts).toBe(1);
  });
});
