import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Aggregation, aggregations, type RangeRequest } from "../src/index.ts";
import { answerOf } from "./answer.ts";
import { type OracleSample, oracle } from "./oracle.ts";
import { runs } from "./seed.ts";
import { keyOf, SlicedSource, type StoredSeries, stale, valuesOf } from "./sliced-source.ts";

const baseMs = 1_700_000_000_000;

/** Rising instants with gaps, from 0. */
const instants = fc
  .record({
    unitMs: fc.constantFrom(1, 1_000, 15_000, 60_000),
    gaps: fc.array(fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 9 })), {
      maxLength: 60,
      size: "max",
    }),
  })
  .map(({ unitMs, gaps }) => {
    let t = 0;
    return gaps.map((gap) => {
      t += gap * unitMs;
      return t;
    });
  });

const anyValue = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: -1e9, max: 1e9 }).map((thousandths) => thousandths / 1_000) },
  { weight: 5, arbitrary: fc.integer({ min: -5, max: 5 }) },
  { weight: 2, arbitrary: fc.constant(Number.NaN) },
  { weight: 2, arbitrary: fc.constant(stale) },
  { weight: 1, arbitrary: fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
);

/** What a counter does next: rises, stays, is reset, or ends for a while. */
const counterMove = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 100 }).map((by) => ({ by, reset: false })) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 20 }).map((by) => ({ by, reset: true })) },
  { weight: 1, arbitrary: fc.constant(stale) },
);

const values = fc.oneof(
  fc.array(anyValue, { minLength: 60, maxLength: 60 }),
  fc.array(counterMove, { minLength: 60, maxLength: 60 }).map((moves) => {
    let count = 0;
    return moves.map((move) => {
      if (move === stale) return stale;
      count = move.reset ? move.by : count + move.by;
      return count;
    });
  }),
);

/** A part of a span, evenly spread: `fc.double` favours numbers near 0. */
function share(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min: min * 1_000, max: max * 1_000 }).map((thousandths) => thousandths / 1_000);
}

const generatedSeries = fc.record({ hostId: fc.constantFrom("a", "b"), instants, values });

const generated = fc
  .record({
    series: fc.array(generatedSeries, { minLength: 1, maxLength: 4 }),
    cuts: fc.array(share(0, 1), { maxLength: 30, size: "max" }),
    aggregation: fc.constantFrom<Aggregation | undefined>(undefined, ...aggregations),
    from: share(-0.2, 0.6),
    length: share(0, 1.2),
    steps: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 80 })),
    gridMs: fc.constantFrom(1, 1_000, 15_000, 60_000),
    seriesPerPass: fc.integer({ min: 1, max: 3 }),
    bufferedValuesMax: fc.integer({ min: 1, max: 40 }),
    batchBytesMax: fc.integer({ min: 1, max: 400 }),
  })
  .map(({ series, cuts, aggregation, from, length, steps, gridMs, ...options }) => {
    const spanMs = Math.max(gridMs, ...series.map((one) => one.instants.at(-1) ?? 0));
    // On a grid that samples are often on too, so that they meet the edges of windows.
    const onGrid = (ms: number) => Math.round(ms / gridMs) * gridMs;
    const startMs = baseMs + onGrid(from * spanMs);
    const endMs = startMs + onGrid(length * spanMs);
    const request: RangeRequest = {
      startMs,
      endMs,
      stepMs: Math.max(gridMs, onGrid((endMs - startMs) / steps), Math.ceil((endMs - startMs) / 200)),
      ...(aggregation !== undefined && { aggregation }),
    };
    const stored = series.map(
      ({ hostId, instants, values }, index): StoredSeries & { list: OracleSample[] } => {
        const list = values.slice(0, instants.length);
        return {
          hostId,
          series: { name: `m${index}`, labels: [{ name: "n", value: String(index) }], kind: 0 },
          timestampsMs: instants.map((t) => baseMs + t),
          values: valuesOf(list),
          list: list.map((v, i) => ({ t: baseMs + instants[i]!, v: v === stale ? undefined : v })),
        };
      },
    );
    return { stored, cutsMs: cuts.map((cut) => baseMs + Math.round(cut * spanMs)), request, options };
  });

/** Whether two numbers are the same but for rounding; `magnitude` is the size of what went into them. */
function agree(a: number, b: number, magnitude: number): boolean {
  return Object.is(a, b) || a === b || Math.abs(a - b) <= magnitude * 1e-12;
}

describe("a range query", { timeout: 60_000 }, () => {
  it("gives at each instant what its window holds, however the store cuts its slices", async () => {
    await fc.assert(
      fc.asyncProperty(generated, async ({ stored, cutsMs, request, options }) => {
        const { points } = await answerOf(new SlicedSource(stored, cutsMs), request, options);
        for (const { hostId, series, list } of stored) {
          const expected = oracle(list, request);
          const actual = points.get(keyOf(hostId, series)) ?? [];
          const magnitude = list.reduce(
            (size, { v = 0 }) => size + (Number.isFinite(v) ? Math.abs(v) : 0),
            1,
          );
          expect(actual.map(([t]) => t)).toEqual(expected.map(([t]) => t));
          for (const [index, [, value]] of actual.entries()) {
            const wanted = expected[index]![1];
            if (!agree(value, wanted, magnitude)) expect(actual).toEqual(expected);
          }
        }
      }),
      runs(500),
    );
  });

  it("gives samples as they are stored, to the bit, when no step is asked", async () => {
    await fc.assert(
      fc.asyncProperty(generated, async ({ stored, cutsMs, request, options }) => {
        const { startMs, endMs } = request;
        const { batches } = await answerOf(
          new SlicedSource(stored, cutsMs),
          { startMs, endMs, stepMs: 0 },
          options,
        );
        for (const { hostId, series, timestampsMs, values } of stored) {
          const slices = batches.flat().filter((one) => one.hostId === hostId && one.series === series);
          const wanted = timestampsMs.flatMap((t, index) => (t >= startMs && t <= endMs ? [index] : []));
          expect(slices.flatMap((slice) => [...slice.timestampsMs])).toEqual(
            wanted.map((i) => timestampsMs[i]),
          );
          const bits = slices.flatMap((slice) => [...new BigUint64Array(slice.values.buffer)]);
          expect(bits).toEqual(wanted.map((i) => new BigUint64Array(values.buffer)[i]));
        }
      }),
      runs(200),
    );
  });

  it("gives hosts in order, each series in rising time, batches within their bound and a true summary", async () => {
    await fc.assert(
      fc.asyncProperty(generated, async ({ stored, cutsMs, request, options }) => {
        const { batches, points, summary } = await answerOf(
          new SlicedSource(stored, cutsMs),
          request,
          options,
        );
        const hostIds = batches.flat().map(({ hostId }) => hostId);
        expect(hostIds).toEqual([...hostIds].sort());
        for (const list of points.values()) {
          for (const [index, [t]] of list.entries())
            if (index > 0) expect(t).toBeGreaterThan(list[index - 1]![0]);
        }
        for (const batch of batches) {
          const bytes = batch.reduce((sum, one) => sum + one.values.length * 16, 0);
          expect(batch.length).toBeGreaterThan(0);
          expect(bytes).toBeLessThanOrEqual(Math.max(16, options.batchBytesMax));
        }
        expect(summary).toMatchObject({ series: points.size, partial: false, missing: [] });
      }),
      runs(200),
    );
  });
});
