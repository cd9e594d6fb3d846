import fc from "fast-check";
import { expect, test } from "vitest";
import { boundMin, compareRates } from "../bench/verdict.ts";

/** Rates around `level`, straying by the given fractions. */
const around = (level: number, strays: number[]) => strays.map((stray) => level * (1 + stray));
const quiet = [0.01, -0.01, 0.005, -0.005, 0, 0.01, -0.01];
/** `SEED=… vitest run` repeats a run; a failure prints its seed. */
const parameters = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };
const noisy = [0.2, -0.2, 0.15, -0.1, 0, 0.25, -0.25];

test("a clear slowdown on a quiet machine is slower, and its inverse faster", () => {
  expect(compareRates(around(1000, quiet), around(700, quiet.toReversed()))).toMatchObject({
    outcome: "slower",
  });
  expect(compareRates(around(700, quiet), around(1000, quiet.toReversed()))).toMatchObject({
    outcome: "faster",
  });
});

test("the same slowdown within the noise is not believed", () => {
  const verdict = compareRates(around(1000, noisy), around(850, noisy.toReversed()));
  expect(verdict.bound).toBeGreaterThan(0.15);
  expect(verdict.outcome).toBe("same");
});

test("below a tenth no difference is believed, however quiet the runs", () => {
  expect(compareRates([100, 100, 100], [91, 91, 91])).toEqual({
    ratio: 0.91,
    bound: boundMin,
    outcome: "same",
  });
  expect(compareRates([100, 100, 100], [89, 89, 89]).outcome).toBe("slower");
});

test("one disturbed pair neither decides nor widens the bound", () => {
  expect(compareRates([100, 100, 100, 100, 100], [100, 101, 10, 99, 100])).toMatchObject({
    outcome: "same",
    bound: boundMin,
  });
  expect(compareRates([100, 100, 100, 100, 100], [70, 71, 700, 69, 70])).toMatchObject({ outcome: "slower" });
});

test("drift that hits both sides of a pair alike does not matter", () => {
  const drift = [1000, 800, 600, 400, 200];
  expect(compareRates(drift, drift)).toEqual({ ratio: 1, bound: boundMin, outcome: "same" });
  expect(
    compareRates(
      drift,
      drift.map((rate) => rate * 0.7),
    ).outcome,
  ).toBe("slower");
});

test("the outcome is a matter of the ratio, not of the unit", () => {
  const rates = fc.array(fc.tuple(fc.integer({ min: 50, max: 150 }), fc.integer({ min: 50, max: 150 })), {
    minLength: 3,
  });
  fc.assert(
    fc.property(rates, fc.integer({ min: 1, max: 1_000_000 }), (pairs, scale) => {
      const once = compareRates(
        pairs.map(([a]) => a),
        pairs.map(([, b]) => b),
      );
      const scaled = compareRates(
        pairs.map(([a]) => a * scale),
        pairs.map(([, b]) => b * scale),
      );
      expect(scaled.ratio).toBeCloseTo(once.ratio, 10);
      expect(scaled.bound).toBeCloseTo(once.bound, 10);
    }),
    parameters,
  );
});

test.each([
  [[1, 1], [1, 1], "expected at least 3 pairs"],
  [[1, 1, 1], [1, 1, 1, 1], "got 3 of base and 4 of head"],
  [[1, 1, 1], [1, 0, 1], "expected positive rates, got 0"],
  [[1, Number.NaN, 1], [1, 1, 1], "got NaN"],
])("runs that cannot be compared are refused: %j, %j", (base, head, message) => {
  expect(() => compareRates(base, head)).toThrow(message);
});
