import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ColumnBuilder,
  compareSamples,
  encodeSamples,
  type Sample,
  type SeriesColumn,
  seriesKey,
} from "../src/index.ts";
import { arbitraryBits, valueOfBits } from "./support/arbitrary-samples.ts";
import { check } from "./support/check.ts";

/** Reports of few series at few instants, so that they meet. */
const arbitraryReport = fc.record({
  timestampMs: fc.nat(4),
  samples: fc.uniqueArray(
    fc
      .tuple(fc.constantFrom("a", "b", "c", "d"), arbitraryBits, fc.constantFrom(0, 0, 1, 0xffffffff))
      .map(([name, bits, flags]): Sample => ({ name, labels: [], kind: 1, flags, ...valueOfBits(bits) })),
    { maxLength: 4, selector: ({ name }) => name },
  ),
});

/** A column with its values as bits. */
type Column = { key: string; points: [timestampMs: number, bits: bigint, flags: number][] };

function columnOf({ series, timestampsMs, values, flags }: SeriesColumn): Column {
  const bits = new BigUint64Array(values.buffer);
  expect([bits.length, flags.length]).toEqual([timestampsMs.length, timestampsMs.length]);
  return {
    key: seriesKey(series),
    points: [...timestampsMs].map((timestampMs, i) => [timestampMs, bits[i]!, flags[i]!]),
  };
}

function bitsOf({ value, nan }: Sample): bigint {
  const view = new DataView(new ArrayBuffer(8));
  if (nan === undefined) view.setFloat64(0, value);
  else view.setBigUint64(0, (BigInt(nan.high) << 32n) | BigInt(nan.low));
  return view.getBigUint64(0);
}

/** What columns and conflicts should be, from lists of samples. */
function expectedColumns(reports: readonly { timestampMs: number; samples: readonly Sample[] }[]) {
  const candidates = new Map<string, Map<number, Sample[]>>();
  for (const { timestampMs, samples } of reports) {
    for (const sample of samples) {
      const instants = candidates.get(sample.name) ?? new Map<number, Sample[]>();
      candidates.set(sample.name, instants);
      instants.set(timestampMs, [...(instants.get(timestampMs) ?? []), sample]);
    }
  }
  let conflicts = 0;
  const columns = [...candidates].map(([key, instants]): Column => {
    const points = [...instants].map(([timestampMs, rivals]): Column["points"][number] => {
      const winner = rivals.toSorted(compareSamples).at(-1)!;
      conflicts += rivals.some((rival) => compareSamples(rival, winner) !== 0) ? 1 : 0;
      return [timestampMs, bitsOf(winner), winner.flags];
    });
    return { key, points: points.sort(([a], [b]) => a - b) };
  });
  return { columns: new Set(columns), conflicts };
}

describe("a column builder", () => {
  it("folds what was written into one value for each series and instant, to the bit, and counts conflicts", () => {
    check(
      fc.property(fc.array(arbitraryReport, { maxLength: 20, size: "max" }), (reports) => {
        const inOrder = reports.toSorted((a, b) => a.timestampMs - b.timestampMs);
        const builder = new ColumnBuilder(() => true);
        for (const { timestampMs, samples } of inOrder) builder.add(timestampMs, encodeSamples(samples));
        const { columns, conflicts } = expectedColumns(reports);
        expect(new Set(builder.take().map(columnOf))).toEqual(columns);
        expect(builder.conflicts).toBe(conflicts);
        expect(builder.samples).toBe(reports.reduce((sum, { samples }) => sum + samples.length, 0));
      }),
    );
  });

  it("gives the same columns in one slice or in many", () => {
    const cut = fc.array(fc.boolean(), { minLength: 20, maxLength: 20 });
    check(
      fc.property(fc.array(arbitraryReport, { maxLength: 20, size: "max" }), cut, (reports, cuts) => {
        const inOrder = reports.toSorted((a, b) => a.timestampMs - b.timestampMs);
        const builder = new ColumnBuilder(() => true);
        const merged = new Map<string, Column>();
        const take = (): void => {
          for (const { key, points } of builder.take().map(columnOf))
            merged.set(key, { key, points: [...(merged.get(key)?.points ?? []), ...points] });
        };
        for (const [i, { timestampMs, samples }] of inOrder.entries()) {
          // A slice ends between two instants.
          if (cuts[i] && timestampMs !== inOrder[i - 1]?.timestampMs) take();
          builder.add(timestampMs, encodeSamples(samples));
        }
        take();
        const { columns, conflicts } = expectedColumns(reports);
        expect(new Set(merged.values())).toEqual(columns);
        expect(builder.conflicts).toBe(conflicts);
      }),
    );
  });

  it("counts an instant once however many fragments disagree on it", () => {
    const builder = new ColumnBuilder(() => true);
    for (const value of [1, 3, 2, 3, 1]) {
      builder.add(7, encodeSamples([{ name: "a", labels: [], kind: 1, value, flags: 0 }]));
    }
    expect(builder.conflicts).toBe(1);
    expect([...builder.take()[0]!.values]).toEqual([3]);
  });

  it("leaves out what is not wanted, asking once for each series", () => {
    const asked: string[] = [];
    const builder = new ColumnBuilder(({ name }) => {
      asked.push(name);
      return name !== "b";
    });
    const samples = ["a", "b", "c"].map(
      (name): Sample => ({ name, labels: [], kind: 1, value: 1, flags: 0 }),
    );
    for (let timestampMs = 0; timestampMs < 100; timestampMs++)
      builder.add(timestampMs, encodeSamples(samples));
    expect(asked).toEqual(["a", "b", "c"]);
    expect(builder.take().map(({ series, timestampsMs }) => [series.name, timestampsMs.length])).toEqual([
      ["a", 100],
      ["c", 100],
    ]);
    expect(builder.take()).toEqual([]);
  });
});
