import fc from "fast-check";
import { expect, test } from "vitest";
import { Arrivals } from "../../bench/arrivals.ts";
import { percentile } from "../../bench/percentile.ts";

/** `SEED=… vitest run` repeats a run; a failure prints its seed. */
const parameters = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };

test("arrivals are due at a fixed distance, and none beyond their number", () => {
  const arrivals = new Arrivals({ startMs: 100, perSecond: 250, count: 3 });
  expect([0, 1, 2].map((arrival) => arrivals.dueAt(arrival))).toEqual([100, 104, 108]);
  expect([99.9, 100, 103.9, 104, 108, 1e9].map((nowMs) => arrivals.dueBy(nowMs))).toEqual([0, 1, 1, 2, 3, 3]);
});

test("an arrival is due from its own instant on and not before, at any rate", () => {
  const finite = { noNaN: true, noDefaultInfinity: true };
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e7, ...finite }),
      fc.double({ min: 0.1, max: 3e6, ...finite }),
      fc.integer({ min: 0, max: 1_000_000 }),
      (startMs, perSecond, arrival) => {
        const arrivals = new Arrivals({ startMs, perSecond, count: 2_000_000 });
        const dueAt = arrivals.dueAt(arrival);
        expect(arrivals.dueBy(dueAt)).toBeGreaterThan(arrival);
        const due = arrivals.dueBy(dueAt);
        expect(arrivals.dueAt(due)).toBeGreaterThan(dueAt);
      },
    ),
    parameters,
  );
});

test.each([
  [{ perSecond: 0, count: 1 }, "expected a positive rate, got 0"],
  [{ perSecond: Number.POSITIVE_INFINITY, count: 1 }, "got Infinity"],
  [{ perSecond: 1, count: 0 }, "expected a positive number of arrivals, got 0"],
])("a schedule of %j is refused", (options, message) => {
  expect(() => new Arrivals({ startMs: 0, ...options })).toThrow(message);
});

test("a percentile is the smallest value that at least that share does not exceed", () => {
  const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1 });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 100 }), (drawn, percent) => {
      const sorted = drawn.toSorted((a, b) => a - b);
      const isEnough = (limit: number): boolean =>
        sorted.filter((value) => value <= limit).length * 100 >= percent * sorted.length;
      expect(percentile(sorted, percent / 100)).toBe(sorted.find(isEnough));
    }),
    parameters,
  );
});

test("no values have no percentile, and a share above 1 is refused", () => {
  expect(percentile([], 0.5)).toBeNaN();
  expect(() => percentile([1], 50)).toThrow("expected a share from 0 to 1, got 50");
});
