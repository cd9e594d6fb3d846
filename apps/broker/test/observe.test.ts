import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RollingLatency } from "../src/observe/rolling-latency.ts";
import { RollingRate } from "../src/observe/rolling-rate.ts";

const runs = { seed: Number(process.env.SEED ?? Date.now() % 1e9), numRuns: 200 };

describe("RollingLatency", () => {
  it(`is within 10 % above the exact quantile (SEED=${runs.seed})`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.002, max: 500_000, noNaN: true }), { minLength: 1, maxLength: 500 }),
        (durations) => {
          const latency = new RollingLatency();
          for (const duration of durations) latency.record(duration, 1_000);
          const sorted = durations.toSorted((a, b) => a - b);
          const exact = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1]!;
          const { count, p50Ms, p99Ms, maxMs } = latency.summary(2_000);
          expect(count).toBe(durations.length);
          expect(maxMs).toBe(sorted.at(-1));
          for (const [got, wanted] of [
            [p50Ms, exact(0.5)],
            [p99Ms, exact(0.99)],
          ] as const) {
            expect(got).toBeGreaterThanOrEqual(wanted * (1 - 1e-9));
            expect(got).toBeLessThanOrEqual(wanted * 1.1);
          }
        },
      ),
      runs,
    );
  });

  it("is all zero while nothing was measured", () => {
    expect(new RollingLatency().summary(0)).toEqual({ count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
  });

  it("takes durations below and beyond its buckets", () => {
    const latency = new RollingLatency();
    for (const duration of [0, 1e-6, 1e9]) latency.record(duration, 0);
    const { count, p50Ms, maxMs } = latency.summary(0);
    expect(count).toBe(3);
    expect(p50Ms).toBeLessThan(0.002);
    expect(maxMs).toBe(1e9);
  });

  it("remembers at least five sixths of its window and at most all of it", () => {
    const latency = new RollingLatency(60_000);
    latency.record(5, 0);
    expect(latency.summary(50_000).count).toBe(1);
    expect(latency.summary(60_001).count).toBe(0);
    for (let nowMs = 0; nowMs <= 300_000; nowMs += 1_000) latency.record(1, nowMs);
    const { count, maxMs } = latency.summary(300_000);
    expect(count).toBeGreaterThanOrEqual(50);
    expect(count).toBeLessThanOrEqual(61);
    expect(maxMs).toBe(1);
  });
});

describe("RollingRate", () => {
  it("is the increase a second over its window", () => {
    const rate = new RollingRate(10_000);
    for (let second = 0; second <= 30; second++) rate.read(second * 500, second * 1_000);
    expect(rate.perSecond).toBe(500);
  });

  it("falls to zero within its window once nothing comes", () => {
    const rate = new RollingRate(10_000);
    for (let second = 0; second <= 30; second++) rate.read(Math.min(second, 10) * 500, second * 1_000);
    expect(rate.perSecond).toBe(0);
  });

  it("is zero before two readings", () => {
    const rate = new RollingRate();
    expect(rate.perSecond).toBe(0);
    rate.read(1_000, 0);
    expect(rate.perSecond).toBe(0);
  });
});
