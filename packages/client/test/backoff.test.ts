import fc from "fast-check";
import { expect, test } from "vitest";
import { BrokerRotation } from "../src/backoff.ts";

const seed = Number(process.env.SEED ?? 20261123);
const highest = { next: () => 1 - Number.EPSILON };

test("the bound of the wait doubles from 100 ms to 30 s, and is small again after success", () => {
  const rotation = new BrokerRotation(["a"], 100, 30_000, highest);
  const waits = Array.from({ length: 11 }, () => rotation.retry("failed"));
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
  rotation.succeed();
  expect(rotation.retry("failed")).toBe(100);
});

test("the wait is drawn evenly from 0 to its bound", () => {
  const draws = [0, 0.25, 0.999];
  const rotation = new BrokerRotation(["a"], 1_000, 1_000, { next: () => draws.shift()! });
  expect([1, 2, 3].map(() => rotation.retry("failed"))).toEqual([0, 250, 999]);
});

test("a failure moves on to the next broker, round and round, and waits grow by the round", () => {
  const rotation = new BrokerRotation(["a", "b", "c"], 100, 30_000, highest);
  const tried: [string, number][] = [];
  for (let attempt = 0; attempt < 5; attempt += 1) tried.push([rotation.current, rotation.retry("failed")]);
  expect(tried).toEqual([
    ["a", 100],
    ["b", 100],
    ["c", 100],
    ["a", 200],
    ["b", 200],
  ]);
});

test("a broker that let go in good order is asked first again", () => {
  const rotation = new BrokerRotation(["a", "b"], 100, 30_000, highest);
  rotation.retry("failed");
  rotation.succeed();
  rotation.retry("released");
  expect(rotation.current).toBe("b");
});

test("a wait is never longer than the bound and never negative, however long it goes on", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
        minLength: 1,
        maxLength: 2_000,
      }),
      (draws) => {
        let index = 0;
        const rotation = new BrokerRotation(["a", "b"], 100, 30_000, { next: () => draws[index++]! });
        for (const _ of draws) {
          const wait = rotation.retry("failed");
          expect(wait >= 0 && wait <= 30_000).toBe(true);
        }
      },
    ),
    { seed, numRuns: 50 },
  );
});
