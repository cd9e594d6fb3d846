import { describe, expect, it } from "vitest";
import { chooseStep, gridUntil, RANGES, refreshMs } from "../src/step.ts";

describe("the step of a chart", () => {
  const base = { rangeMs: 300_000, widthPx: 1_280, intervalMs: 1_000, rate: false };

  it("is what the width has room for", () => {
    expect(chooseStep(base)).toBe(1_000);
    expect(chooseStep({ ...base, widthPx: 320 })).toBe(5_000);
    expect(chooseStep({ ...base, rangeMs: 86_400_000 })).toBe(300_000);
  });

  it("is no less than the samples can fill", () => {
    expect(chooseStep({ ...base, intervalMs: 15_000 })).toBe(15_000);
  });

  it("has two samples in the window of a rate", () => {
    expect(chooseStep({ ...base, rate: true })).toBe(2_000);
    expect(chooseStep({ ...base, intervalMs: 15_000, rate: true })).toBe(30_000);
  });

  it("stays below 11,000 values for every range that the page offers", () => {
    for (const { durationMs } of RANGES) {
      const stepMs = chooseStep({ ...base, rangeMs: durationMs, widthPx: 8_000 });
      expect(durationMs / stepMs).toBeLessThan(11_000);
    }
  });
});

describe("the grid of a chart", () => {
  it("keeps its place as time goes on", () => {
    const now = 1_700_000_001_234;
    const grid = gridUntil(now, 300_000, 5_000);
    expect(grid).toEqual({ startMs: 1_699_999_700_000, endMs: 1_700_000_000_000, stepMs: 5_000 });
    expect(gridUntil(now + 3_000, 300_000, 5_000)).toEqual(grid);
  });
});

it("a chart is refreshed each half step, between 2 s and 30 s", () => {
  expect([1_000, 10_000, 300_000].map(refreshMs)).toEqual([2_000, 5_000, 30_000]);
});
