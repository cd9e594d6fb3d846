import fc from "fast-check";
import { coarseHash, type OracleMember, type OracleParameters } from "./oracle.ts";
import { ALL_POINTS_IN_COMMON, ONE_POINT_IN_COMMON, ORDERED_BY_UTF8 } from "./vectors.ts";

/**
 * Checks a property, twenty times as often in `npm run test:full`. A failure prints its seed; `SEED=… vitest run` repeats
 * it.
 */
export function check<T>(property: fc.IProperty<T>, numRuns = 100): void {
  const { SEED, MON_TEST } = process.env;
  fc.assert(property, {
    numRuns: MON_TEST === "full" ? 20 * numRuns : numRuns,
    ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  });
}

/** Prefixes of each other, one character apart, label-like, beyond ASCII, colliding. */
const hostileIds: readonly string[] = [
  "a",
  "aa",
  "a.b",
  "a-1",
  "a_1",
  "a#1",
  "a#1#1",
  "#",
  "0",
  "broker-1",
  "broker-11",
  "broker-2",
  "__proto__",
  "constructor",
  "höst",
  "ho\u0308st",
  "\u0000",
  ...ONE_POINT_IN_COMMON,
  ...ALL_POINTS_IN_COMMON,
  ...ORDERED_BY_UTF8,
];

export const ids: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...hostileIds),
  fc.string({ unit: "binary", minLength: 1, maxLength: 12 }),
);

const zones = fc.constantFrom(undefined, "a", "b", "c");

export const member: fc.Arbitrary<OracleMember> = fc
  .tuple(ids, fc.constantFrom(undefined, 0.01, 0.5, 1, 3), zones)
  .map(([id, weight, zone]) => ({
    id,
    ...(weight === undefined ? {} : { weight }),
    ...(zone === undefined ? {} : { zone }),
  }));

export function members(constraints: {
  minLength?: number;
  maxLength: number;
}): fc.Arbitrary<OracleMember[]> {
  return fc.uniqueArray(member, { ...constraints, selector: ({ id }) => id });
}

export const parameters: fc.Arbitrary<OracleParameters> = fc.record({
  vnodes: fc.constantFrom(1, 2, 7, 40),
  hash: fc.constantFrom("crc32-fmix32", "crc32", coarseHash.name),
  seed: fc.constantFrom(0, 1, 0xffffffff),
  shardBucketMs: fc.constantFrom(1, 3_600_000, 86_400_000),
  replicationFactor: fc.constantFrom(1, 2, 3),
});

export const key: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.tuple(ids, fc.nat()).map(([id, n]) => `${id}:${n}`),
);

export const timestampMs: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }),
  fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 }),
);
