import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareBits, compareSamples, type Sample, valueBits } from "../src/index.ts";
import { arbitraryBits, arbitraryFlags, edgeBits, valueOfBits } from "./support/arbitrary-samples.ts";
import { check } from "./support/check.ts";

/** What is folded: the bits of a double, and flags. */
interface Candidate {
  readonly bits: bigint;
  readonly flags: number;
}

const arbitraryCandidate: fc.Arbitrary<Candidate> = fc.record({ bits: arbitraryBits, flags: arbitraryFlags });

function compare(a: Candidate, b: Candidate): number {
  const halves = ({ bits, flags }: Candidate) =>
    [Number(bits >> 32n), Number(bits & 0xffffffffn), flags] as const;
  return Math.sign(compareBits(...halves(a), ...halves(b)));
}

/** R4 word for word: (is not NaN, IEEE totalOrder, raw bits, flags), the greatest wins. */
function compareByRule(a: Candidate, b: Candidate): number {
  const key = ({ bits, flags }: Candidate): bigint[] => {
    const magnitude = bits & 0x7fffffffffffffffn;
    const isNegative = bits !== magnitude;
    const isNumber = magnitude <= 0x7ff0000000000000n;
    // totalOrder is the order of the magnitudes, turned round below zero, with -0 before +0.
    return [isNumber ? 1n : 0n, isNegative ? -magnitude - 1n : magnitude, bits, BigInt(flags)];
  };
  const keyOfB = key(b);
  for (const [i, part] of key(a).entries()) {
    if (part !== keyOfB[i]!) return part < keyOfB[i]! ? -1 : 1;
  }
  return 0;
}

function fold(candidates: readonly Candidate[]): Candidate {
  return candidates.reduce((winner, one) => (compare(one, winner) > 0 ? one : winner));
}

describe("the order of values (R4)", () => {
  it("is that of the rule, for any two values", () => {
    check(
      fc.property(arbitraryCandidate, arbitraryCandidate, (a, b) => {
        expect(compare(a, b)).toBe(compareByRule(a, b));
      }),
      2_000,
    );
  });

  it("is that of the rule, for every two doubles at an edge", () => {
    for (const a of edgeBits) {
      for (const b of edgeBits) {
        const pair = [
          { bits: a, flags: 0 },
          { bits: b, flags: 0 },
        ] as const;
        expect([a, b, compare(...pair)]).toEqual([a, b, compareByRule(...pair)]);
      }
    }
  });

  it("is total: one of two comes first unless they are the same, and any three form a line", () => {
    check(
      fc.property(arbitraryCandidate, arbitraryCandidate, arbitraryCandidate, (a, b, c) => {
        expect(compare(a, b)).toBe(0 - compare(b, a));
        expect(compare(a, b) === 0).toBe(a.bits === b.bits && a.flags === b.flags);
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      }),
      2_000,
    );
  });

  it("does not care whether halves come signed or unsigned", () => {
    check(
      fc.property(arbitraryBits, arbitraryBits, (a, b) => {
        const high = (bits: bigint): number => Number(bits >> 32n);
        const low = (bits: bigint): number => Number(bits & 0xffffffffn);
        expect(compareBits(high(a) | 0, low(a) | 0, 0, high(b) | 0, low(b) | 0, 0)).toBe(
          compareBits(high(a), low(a), 0, high(b), low(b), 0),
        );
      }),
    );
  });

  it("puts numbers over NaN, the larger over the smaller, +0 over -0, and flags last", () => {
    const sample = (value: number, flags = 0): Pick<Sample, "value" | "flags"> => ({ value, flags });
    expect(compareSamples(sample(Number.NEGATIVE_INFINITY), sample(Number.NaN, 9))).toBeGreaterThan(0);
    expect(compareSamples(sample(2), sample(-3))).toBeGreaterThan(0);
    expect(compareSamples(sample(-2), sample(-3))).toBeGreaterThan(0);
    expect(compareSamples(sample(0), sample(-0))).toBeGreaterThan(0);
    expect(compareSamples(sample(1, 1), sample(1))).toBeGreaterThan(0);
    expect(compareSamples(sample(1), sample(1))).toBe(0);
  });
});

describe("the fold (R4)", () => {
  it("gives one winner whatever the order, the grouping and the repeats", () => {
    const groups = fc
      .array(arbitraryCandidate, { minLength: 1, maxLength: 8 })
      .chain((candidates) =>
        fc.tuple(
          fc.constant(candidates),
          fc.shuffledSubarray([...candidates, ...candidates], { minLength: 2 * candidates.length }),
          fc.nat(candidates.length),
        ),
      );
    check(
      fc.property(groups, ([candidates, shuffled, cut]) => {
        const winner = fold(candidates);
        expect(fold(shuffled)).toEqual(winner);
        const parts = [candidates.slice(0, cut), candidates.slice(cut)].filter(({ length }) => length > 0);
        expect(fold(parts.map(fold))).toEqual(winner);
        expect(fold([winner, winner])).toEqual(winner);
      }),
    );
  });
});

describe("the bits of a value", () => {
  it("are those of the double, and of a NaN those that it came with", () => {
    check(
      fc.property(arbitraryBits, (bits) => {
        const { high, low } = valueBits(valueOfBits(bits));
        expect((BigInt(high) << 32n) | BigInt(low)).toBe(bits);
      }),
    );
  });
});
