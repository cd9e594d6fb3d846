import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRing, type HashRing, movementAt, plan, RingError } from "../src/index.ts";
import { check, key, members, parameters } from "./arbitraries.ts";
import { coarseHash, type OracleMember, type OracleParameters } from "./oracle.ts";

function build(list: OracleMember[], parameters: Partial<OracleParameters> = {}): HashRing {
  return createRing({ members: list, parameters, hashes: [coarseHash] });
}

const three = [{ id: "a" }, { id: "b" }, { id: "c" }];

/** Two rings that share some members. */
const pairs = fc
  .tuple(members({ maxLength: 8 }), parameters, fc.array(fc.constantFrom("before", "after", "both")))
  .map(([list, parameters, sides]) => {
    const on = (side: string): HashRing =>
      build(
        list.filter((_, i) => (sides[i] ?? "both") === "both" || sides[i] === side),
        parameters,
      );
    return { before: on("before"), after: on("after") };
  });

describe("a plan", () => {
  it("covers a key exactly when the set of its holders changes, and names who they are", () => {
    check(
      fc.property(
        pairs,
        fc.integer({ min: 1, max: 4 }),
        fc.array(key, { minLength: 50, maxLength: 50 }),
        (rings, n, keys) => {
          const movements = plan(rings.before, rings.after, n);
          for (const key of keys) {
            const before = rings.before.owners(key, n);
            const after = rings.after.owners(key, n);
            const gained = after.filter((id) => !before.includes(id));
            const lost = before.filter((id) => !after.includes(id));
            const movement = movementAt(movements, rings.before.position(key));
            if (gained.length + lost.length === 0) {
              expect(movement).toBeUndefined();
            } else {
              expect(new Set(movement!.from)).toEqual(new Set(before));
              expect(new Set(movement!.to)).toEqual(new Set(after));
              expect(new Set(movement!.gained)).toEqual(new Set(gained));
              expect(new Set(movement!.lost)).toEqual(new Set(lost));
            }
          }
        },
      ),
    );
  });

  it("is ascending, disjoint, and joins ranges that touch and change hands alike", () => {
    check(
      fc.property(pairs, fc.integer({ min: 1, max: 4 }), ({ before, after }, n) => {
        const movements = plan(before, after, n);
        for (const [i, movement] of movements.entries()) {
          expect(movement.end).toBeGreaterThanOrEqual(movement.start);
          const previous = movements[i - 1];
          if (previous === undefined) continue;
          expect(movement.start).toBeGreaterThan(previous.end);
          const alike =
            JSON.stringify([movement.from, movement.to]) === JSON.stringify([previous.from, previous.to]);
          if (alike) expect(movement.start).toBeGreaterThan(previous.end + 1);
        }
      }),
    );
  });

  it("moves exactly the share of the member that is added", () => {
    const before = build(three);
    const after = before.add({ id: "d" });
    const movements = plan(before, after);
    const moved = movements.reduce((sum, { start, end }) => sum + end - start + 1, 0);
    expect(moved / 2 ** 32).toBe(after.shares().get("d"));
    for (const { gained, lost } of movements) {
      expect(gained).toEqual(["d"]);
      expect(lost).toHaveLength(1);
    }
  });

  it("is empty between equal rings, and where only the order of the holders changes", () => {
    expect(plan(build(three), build(three.toReversed()))).toEqual([]);
    const [before, after] = [build(three), build([{ id: "a", weight: 5 }, { id: "b" }, { id: "c" }])];
    expect(plan(before, after, 1)).not.toEqual([]);
    expect(plan(before, after, 3)).toEqual([]);
  });

  it("covers a change in the number of copies, each ring keeping its own", () => {
    const one = build(three, { replicationFactor: 1 });
    const two = build(three, { replicationFactor: 2 });
    const movements = plan(one, two);
    expect(movements.reduce((sum, { start, end }) => sum + end - start + 1, 0)).toBe(2 ** 32);
    for (const { from, to, gained, lost } of movements) {
      expect([from.length, to.length, gained.length, lost.length]).toEqual([1, 2, 1, 0]);
    }
  });

  it("from an empty ring gives everything to the first member", () => {
    expect(plan(build([]), build([{ id: "a" }]))).toEqual([
      { start: 0, end: 2 ** 32 - 1, from: [], to: ["a"], gained: ["a"], lost: [] },
    ]);
  });

  it.each([{ hash: "crc32" }, { seed: 1 }, { shardBucketMs: 1 }])(
    "refuses rings whose keys lie elsewhere: %o",
    (parameters) => {
      const attempt = (): unknown => plan(build(three), build(three, parameters));
      expect(attempt).toThrow(RingError);
      expect(attempt).toThrow(expect.objectContaining({ code: "RING_INCOMPARABLE" }));
    },
  );

  it("refuses a number of copies that is none", () => {
    for (const n of [0, -1, 1.5, Number.NaN])
      expect(() => plan(build(three), build(three), n)).toThrow(RangeError);
  });
});

describe("movementAt", () => {
  const range = { from: [], to: ["a"], gained: ["a"], lost: [] };
  const movements = [
    { start: 10, end: 20, ...range },
    { start: 30, end: 30, ...range },
  ];

  it("finds a position at either end of a movement and none beside it", () => {
    const found = [9, 10, 20, 21, 29, 30, 31].map((position) => movementAt(movements, position)?.start);
    expect(found).toEqual([undefined, 10, 10, undefined, undefined, 30, undefined]);
    expect(movementAt([], 5)).toBeUndefined();
  });
});
