import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareBits, type Kind, mergeColumns, type SeriesColumn } from "../src/index.ts";
import { bitsOfValues, valuesOfBits } from "./support/arbitrary-columns.ts";
import { arbitraryBits, arbitraryFlags, arbitraryKind } from "./support/arbitrary-samples.ts";
import { check } from "./support/check.ts";
import { naiveColumn } from "./support/naive-chunk.ts";

const isFull = process.env.MON_TEST === "full";

type Part = readonly (readonly [timestampMs: number, bits: bigint, flags: number])[];

function columnOf(samples: Part, kind: Kind = 1): SeriesColumn {
  return {
    series: { name: "m", labels: [{ name: "a", value: "b" }], kind },
    timestampsMs: Float64Array.from(samples, ([timestampMs]) => timestampMs),
    values: valuesOfBits(samples.map(([, bits]) => bits)),
    flags: Uint32Array.from(samples, ([, , flags]) => flags),
  };
}

/** Columns whose instants meet often, or hardly ever, or not at all. */
const arbitraryParts: fc.Arbitrary<SeriesColumn[]> = fc.constantFrom(6, 60, 6_000).chain((span) =>
  fc.array(
    fc
      .tuple(
        fc.nat(span),
        fc.uniqueArray(
          fc.tuple(fc.nat(span), fc.oneof(fc.constantFrom(0n, 1n << 63n), arbitraryBits), arbitraryFlags),
          { maxLength: 30, selector: ([timestampMs]) => timestampMs },
        ),
        arbitraryKind,
      )
      .map(([shift, samples, kind]) =>
        columnOf(
          samples
            .map(([timestampMs, bits, flags]) => [timestampMs + shift, bits, flags] as const)
            .sort(([a], [b]) => a - b),
          kind,
        ),
      ),
    { minLength: 1, maxLength: 9 },
  ),
);

/** R4, slowly: all samples of an instant in a list, the greatest of each, and whether any two differ. */
function naiveMerge(parts: readonly SeriesColumn[]): { column: SeriesColumn; conflicts: number } {
  const instants = new Map<number, { bits: bigint; flags: number }[]>();
  for (const { timestampsMs, values, flags } of parts) {
    for (const [i, bits] of bitsOfValues(values).entries()) {
      const list = instants.get(timestampsMs[i]!) ?? [];
      instants.set(timestampsMs[i]!, [...list, { bits, flags: flags[i]! }]);
    }
  }
  const high = (bits: bigint): number => Number(bits >> 32n);
  const low = (bits: bigint): number => Number(bits & 0xffffffffn);
  let conflicts = 0;
  const samples = [...instants]
    .sort(([a], [b]) => a - b)
    .map(([timestampMs, list]) => {
      list.sort((a, b) =>
        compareBits(high(a.bits), low(a.bits), a.flags, high(b.bits), low(b.bits), b.flags),
      );
      const greatest = list.at(-1)!;
      if (list.some(({ bits, flags }) => bits !== greatest.bits || flags !== greatest.flags)) conflicts++;
      return [timestampMs, greatest.bits, greatest.flags] as const;
    });
  const kind = Math.min(...parts.map(({ series }) => series.kind)) as Kind;
  return { column: columnOf(samples, kind), conflicts };
}

describe("merging columns of one series", () => {
  it("folds them as sorting all samples does (R4)", () => {
    check(
      fc.property(arbitraryParts, (parts) => {
        const { column, conflicts } = mergeColumns(parts);
        const naive = naiveMerge(parts);
        expect(naiveColumn(column)).toBe(naiveColumn(naive.column));
        expect(conflicts).toBe(naive.conflicts);
      }),
      isFull ? 20_000 : 500,
    );
  });

  it("gives the same for any order of parts, and when parts come twice", () => {
    check(
      fc.property(arbitraryParts, fc.infiniteStream(fc.nat()), (parts, keys) => {
        const shuffled = parts
          .map((part) => ({ part, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ part }) => part);
        const merged = mergeColumns(parts);
        expect(naiveColumn(mergeColumns(shuffled).column)).toBe(naiveColumn(merged.column));
        expect(mergeColumns(shuffled).conflicts).toBe(merged.conflicts);
        expect(naiveColumn(mergeColumns([...parts, ...shuffled]).column)).toBe(naiveColumn(merged.column));
      }),
      isFull ? 10_000 : 200,
    );
  });

  it("gives the same when it is done in steps", () => {
    check(
      fc.property(arbitraryParts, (parts) => {
        const stepwise = parts.slice(1).reduce((sum, part) => mergeColumns([sum, part]).column, parts[0]!);
        expect(naiveColumn(stepwise)).toBe(naiveColumn(mergeColumns(parts).column));
      }),
      isFull ? 10_000 : 200,
    );
  });

  it("copies what it is given and leaves it as it was", () => {
    const part = columnOf([
      [1, 5n, 0],
      [2, 6n, 1],
    ]);
    const { column } = mergeColumns([part]);
    expect(column).toEqual(part);
    column.values.fill(0);
    column.timestampsMs.fill(0);
    column.flags.fill(0);
    expect(naiveColumn(part)).toBe(
      naiveColumn(
        columnOf([
          [1, 5n, 0],
          [2, 6n, 1],
        ]),
      ),
    );
  });

  it("takes columns without samples, and refuses to merge none", () => {
    expect(mergeColumns([columnOf([]), columnOf([])]).column.timestampsMs).toHaveLength(0);
    expect(() => mergeColumns([])).toThrow(RangeError);
  });
});
