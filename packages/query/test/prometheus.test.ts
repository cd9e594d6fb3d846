import { describe, expect, it } from "vitest";
import type { Aggregation } from "../src/index.ts";
import { answerOf } from "./answer.ts";
import { SlicedSource, stale, valuesOf } from "./sliced-source.ts";

type Sample = readonly [seconds: number, value: number | typeof stale];

/** The value at 60 s of a window of a minute, or of the look-back; the store gives one slice a sample. */
async function valueAtMinute(
  samples: readonly Sample[],
  aggregation?: Aggregation,
): Promise<number | undefined> {
  const source = new SlicedSource(
    [
      {
        hostId: "web-1",
        series: { name: "m", labels: [], kind: 2 },
        timestampsMs: samples.map(([seconds]) => seconds * 1_000),
        values: valuesOf(samples.map(([, value]) => value)),
      },
    ],
    samples.map(([seconds]) => seconds * 1_000),
  );
  const { points } = await answerOf(source, {
    startMs: 60_000,
    endMs: 60_000,
    stepMs: 60_000,
    ...(aggregation !== undefined && { aggregation }),
  });
  return points.get("web-1/m")?.[0]?.[1];
}

// Worked by hand from Prometheus 3's extrapolatedRate, with d the mean distance of the samples.
const increases: { claim: string; samples: Sample[]; increase: number | undefined }[] = [
  {
    // Sampled 45 s, d = 15, threshold 16.5. To start 10 < 16.5: 10. To end 5 < 16.5: 5.
    // Back to zero 45 × 100 / 90 = 50, not nearer. 90 × (45 + 10 + 5) / 45 = 120.
    claim: "reaches to both edges when samples are near them",
    samples: [
      [10, 100],
      [25, 130],
      [40, 160],
      [55, 190],
    ],
    increase: 120,
  },
  {
    // Sampled 10 s, d = 10, threshold 11. To start 25 ≥ 11: d / 2 = 5. To end 25 ≥ 11: 5.
    // 20 × (10 + 5 + 5) / 10 = 40.
    claim: "reaches half a distance beyond samples that are far from the edges",
    samples: [
      [25, 1_000],
      [35, 1_020],
    ],
    increase: 40,
  },
  {
    // Sampled 20 s, d = 20, threshold 22. To start 20: 20. To end 20: 20.
    // Back to zero 20 × 3 / 30 = 2, nearer than 20: 2. 30 × (20 + 2 + 20) / 20 = 63.
    claim: "does not reach back beyond where the counter was zero",
    samples: [
      [20, 3],
      [40, 33],
    ],
    increase: 63,
  },
  {
    // Sampled 10 s, d = 10, threshold 11. To start 25 ≥ 11: 5. Back to zero 10 × 12 / 15 = 8, not nearer than 5.
    // (Prometheus before 2.53 looked at zero first and took 8.) To end 25: 5. 15 × (10 + 5 + 5) / 10 = 30.
    claim: "looks at the threshold before it looks at zero",
    samples: [
      [25, 12],
      [35, 27],
    ],
    increase: 30,
  },
  {
    // 40 − 100 and the 130 before the reset: 70. Sampled 45 s, to start 10, to end 5, zero 45 × 100 / 70 = 64.3.
    // 70 × (45 + 10 + 5) / 45 = 93.33….
    claim: "adds what a counter had before a reset",
    samples: [
      [10, 100],
      [25, 130],
      [40, 10],
      [55, 40],
    ],
    increase: (70 * 60) / 45,
  },
  {
    // No slope. 0 whatever the reach.
    claim: "is 0 for a counter that stays",
    samples: [
      [10, 7],
      [55, 7],
    ],
    increase: 0,
  },
  {
    // The marker is no sample: sampled 30 s, d = 30, threshold 33. To start 10, to end 20: both.
    // Zero 30 × 100 / 60 = 50. 60 × (30 + 10 + 20) / 30 = 120.
    claim: "leaves stale markers out",
    samples: [
      [10, 100],
      [25, stale],
      [40, 160],
    ],
    increase: 120,
  },
  {
    // The sample at 0 s is on the open edge and does not count: d = 30, threshold 33. To start 30, to end 0.
    // Zero 30 × 100 / 60 = 50. 60 × (30 + 30 + 0) / 30 = 120.
    claim: "has a window that is open on the left and closed on the right",
    samples: [
      [0, 40],
      [30, 100],
      [60, 160],
    ],
    increase: 120,
  },
  { claim: "needs two samples", samples: [[10, 100]], increase: undefined },
  {
    claim: "is NaN when its last sample is",
    samples: [
      [10, 1],
      [40, Number.NaN],
    ],
    increase: Number.NaN,
  },
];

describe("increase and rate", () => {
  it.each(increases)("increase $claim", async ({ samples, increase }) => {
    const value = await valueAtMinute(samples, "increase");
    if (increase === undefined || Number.isNaN(increase)) expect(value).toBe(increase);
    else expect(value).toBeCloseTo(increase, 10);
  });

  it("rate is the increase a second", async () => {
    // 120 / 60, from the first case above.
    expect(await valueAtMinute(increases[0]!.samples, "rate")).toBeCloseTo(2, 12);
  });
});

describe("the look-back", () => {
  it.each<{ claim: string; samples: Sample[]; value: number | undefined }>([
    { claim: "takes a sample at the instant", samples: [[60, 5]], value: 5 },
    { claim: "takes a sample a millisecond less than five minutes old", samples: [[-239.999, 5]], value: 5 },
    { claim: "leaves out a sample that is five minutes old", samples: [[-240, 5]], value: undefined },
    {
      claim: "ends at a stale marker",
      samples: [
        [10, 5],
        [20, stale],
      ],
      value: undefined,
    },
    {
      claim: "begins again after a stale marker",
      samples: [
        [10, 5],
        [20, stale],
        [30, 6],
      ],
      value: 6,
    },
    {
      claim: "gives a NaN that is no stale marker",
      samples: [
        [10, 5],
        [20, Number.NaN],
      ],
      value: Number.NaN,
    },
  ])("$claim", async ({ samples, value }) => {
    expect(await valueAtMinute(samples)).toBe(value);
  });
});

describe("functions over a window", () => {
  it.each<{
    claim: string;
    aggregation: Aggregation;
    samples: (number | typeof stale)[];
    value: number | undefined;
  }>([
    { claim: "min leaves NaN out", aggregation: "min", samples: [Number.NaN, 3, Number.NaN, 2], value: 2 },
    { claim: "max leaves NaN out", aggregation: "max", samples: [Number.NaN, 3, Number.NaN, 2], value: 3 },
    {
      claim: "min of NaNs alone is NaN",
      aggregation: "min",
      samples: [Number.NaN, Number.NaN],
      value: Number.NaN,
    },
    { claim: "sum takes NaN in", aggregation: "sum", samples: [1, Number.NaN, 2], value: Number.NaN },
    { claim: "avg takes NaN in", aggregation: "avg", samples: [1, Number.NaN, 2], value: Number.NaN },
    {
      claim: "count counts NaN and no stale marker",
      aggregation: "count",
      samples: [1, Number.NaN, stale],
      value: 2,
    },
    {
      claim: "last is the last that is no stale marker",
      aggregation: "last",
      samples: [1, 2, stale],
      value: 2,
    },
    {
      claim: "first is the first that is no stale marker",
      aggregation: "first",
      samples: [stale, 2, 3],
      value: 2,
    },
    {
      claim: "stale markers alone have no value",
      aggregation: "count",
      samples: [stale, stale],
      value: undefined,
    },
    { claim: "sum keeps what rounding loses", aggregation: "sum", samples: [1, 1e100, 1, -1e100], value: 2 },
    {
      claim: "avg keeps what rounding loses",
      aggregation: "avg",
      samples: [1, 1e100, 1, -1e100],
      value: 0.5,
    },
    {
      claim: "sum overflows",
      aggregation: "sum",
      samples: [1.5e308, 1.5e308],
      value: Number.POSITIVE_INFINITY,
    },
    {
      claim: "avg does not overflow",
      aggregation: "avg",
      samples: [1.5e308, 1.5e308, 1.5e308, 1.5e308],
      value: 1.5e308,
    },
    {
      claim: "avg of opposite infinities is NaN",
      aggregation: "avg",
      samples: [Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY],
      value: Number.NaN,
    },
  ])("$claim", async ({ aggregation, samples, value }) => {
    const timed = samples.map((sample, index): Sample => [index + 1, sample]);
    expect(await valueAtMinute(timed, aggregation)).toBe(value);
  });

  it("knows a stale marker that arithmetic has quieted", async () => {
    const values = new Float64Array(new BigUint64Array([0x7ff8_0000_0000_0002n]).buffer);
    const source = new SlicedSource([
      { hostId: "a", series: { name: "m", labels: [], kind: 0 }, timestampsMs: [10], values },
    ]);
    const { points } = await answerOf(source, { startMs: 10, endMs: 10, stepMs: 1, aggregation: "count" });
    expect(points.size).toBe(0);
  });
});
