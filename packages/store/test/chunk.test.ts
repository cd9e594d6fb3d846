import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Chunk, encodeChunk, joinChunk, Kind, type Series, type SeriesColumn } from "../src/index.ts";
import { arbitraryColumns, bitsOfValues, Random, shapes, valuesOfBits } from "./support/arbitrary-columns.ts";
import { edgeBits } from "./support/arbitrary-samples.ts";
import { check } from "./support/check.ts";
import { naiveColumn, naiveRange } from "./support/naive-chunk.ts";

const isFull = process.env.MON_TEST === "full";
const efforts = ["fast", "small"] as const;
const startMs = 1_767_225_600_000;

/** A column of one second's interval. */
function columnOf(name: string, bits: readonly bigint[], flags = new Uint32Array(bits.length)): SeriesColumn {
  return {
    series: { name, labels: [], kind: Kind.gauge },
    timestampsMs: Float64Array.from(bits, (_, i) => startMs + 1_000 * i),
    values: valuesOfBits(bits),
    flags,
  };
}

function shaped(shape: string, length: number, seed = 1): SeriesColumn {
  return columnOf(shape, shapes[shape]!(new Random(seed), length));
}

describe("a chunk", () => {
  describe.each(efforts)("of effort %s", (effort) => {
    it("gives back every bit, instant and mark of any columns, as a naive codec does", () => {
      check(
        fc.property(arbitraryColumns, (columns) => {
          const chunk = Chunk.parse(joinChunk(encodeChunk(columns, { effort })));
          const read = columns.map((_, index) => naiveColumn(chunk.column(index)));
          expect(read).toEqual(columns.map(naiveColumn));
          expect(chunk.samples).toBe(columns.reduce((sum, { values }) => sum + values.length, 0));
          expect(chunk.startMs).toBe(Math.min(...columns.map(({ timestampsMs }) => timestampsMs[0]!)));
          expect(chunk.endMs).toBe(Math.max(...columns.map(({ timestampsMs }) => timestampsMs.at(-1)!)));
        }),
        isFull ? 5_000 : 150,
      );
    });

    it("reads a range as a naive codec does that reads everything", () => {
      check(
        fc.property(arbitraryColumns, fc.nat(), fc.nat(), fc.nat(2), (columns, a, b, shift) => {
          const chunk = Chunk.parse(joinChunk(encodeChunk(columns, { effort })));
          for (const [index, column] of columns.entries()) {
            const { timestampsMs } = column;
            const range = {
              startMs: timestampsMs[a % timestampsMs.length]! - (shift % 2),
              endMs: timestampsMs[b % timestampsMs.length]! + (shift >> 1),
            };
            expect(naiveColumn(chunk.column(index, range))).toBe(naiveRange(naiveColumn(column), range));
          }
        }),
        isFull ? 5_000 : 100,
      );
    });

    it.each(Object.keys(shapes))("keeps columns of any length that are %s", (shape) => {
      for (let length = 1; length < 80; length += length < 8 ? 1 : 9) {
        const column = shaped(shape, length, length);
        const chunk = Chunk.parse(joinChunk(encodeChunk([column], { effort })));
        expect(bitsOfValues(chunk.column(0).values)).toEqual(bitsOfValues(column.values));
      }
    });

    it("keeps each edge of the doubles, alone, among numbers and in any mix", () => {
      const columns = edgeBits.flatMap((bits, i) => [
        columnOf(`alone_${i}`, [bits]),
        columnOf(`among_${i}`, [0x4059000000000000n, bits, 0x4059400000000000n, bits]),
        columnOf(`mix_${i}`, [...edgeBits.slice(i), ...edgeBits.slice(0, i)]),
      ]);
      const chunk = Chunk.parse(joinChunk(encodeChunk(columns, { effort })));
      expect(columns.map((_, i) => naiveColumn(chunk.column(i)))).toEqual(columns.map(naiveColumn));
    });

    it("needs its header and one column to read one series, or its header alone when the column is small", () => {
      const columns = [shaped("noise", 300), shaped("zero", 300), shaped("decimalCounter", 300)];
      const encoded = encodeChunk(columns, { effort });
      const fetched: number[] = [];
      const chunk = Chunk.of(encoded.header, (index) => {
        fetched.push(index);
        return encoded.columns[index]!;
      });
      expect(chunk.series).toEqual(columns.map(({ series }) => series));
      expect(naiveColumn(chunk.column(2))).toBe(naiveColumn(columns[2]!));
      expect(naiveColumn(chunk.column(1))).toBe(naiveColumn(columns[1]!));
      expect(fetched).toEqual([2]);
      expect(columns.map((_, index) => chunk.isApart(index))).toEqual([true, false, true]);
      expect(encoded.columns[1]).toHaveLength(0);
    });

    it("does not see what else is in the buffers that it is given and made of", () => {
      const column = shaped("counter", 50);
      const padded: SeriesColumn = {
        series: column.series,
        timestampsMs: new Float64Array(60).subarray(5, 55),
        values: new Float64Array(60).subarray(5, 55),
        flags: new Uint32Array(60).subarray(5, 55),
      };
      padded.timestampsMs.set(column.timestampsMs);
      padded.values.set(column.values);
      const bytes = joinChunk(encodeChunk([padded], { effort }));
      expect(bytes).toEqual(joinChunk(encodeChunk([column], { effort })));
      const shifted = new Uint8Array(bytes.length + 3);
      shifted.set(bytes, 3);
      expect(naiveColumn(Chunk.parse(shifted.subarray(3)).column(0))).toBe(naiveColumn(column));
    });

    it("is the same chunk for the same columns, whatever was encoded before", () => {
      const columns = [shaped("ratio", 200), shaped("noise", 70), shaped("edges", 9)];
      const first = encodeChunk(columns, { effort });
      encodeChunk([shaped("anyBits", 500), shaped("sparse", 900)], { effort });
      expect(encodeChunk(structuredClone(columns), { effort })).toEqual(first);
    });
  });

  it("has its own series, though the chunk before had nearly the same", () => {
    const label = (name: string, value: string) => ({ name, value });
    const base: Series = { name: "m", labels: [label("a", "b"), label("c", "d")], kind: Kind.gauge };
    const variants: Series[] = [
      base,
      { ...base, name: "n" },
      { ...base, kind: Kind.counter },
      // As a fragment of a newer version may have it.
      { ...base, kind: 3 as Kind },
      { ...base, kind: 0xffffffff as Kind },
      { ...base, labels: [label("a", "b"), label("c", "e")] },
      { ...base, labels: [label("a", "b"), label("e", "d")] },
      { ...base, labels: [label("a", "b")] },
      { ...base, labels: [label("c", "d"), label("a", "b")] },
      { ...base, labels: [] },
    ];
    const lists = variants.flatMap((one) => [[base, base], [base, one], [one, base], [one], [base]]);
    for (const list of lists) {
      const columns = list.map((series) => ({ ...shaped("counter", 3), series }));
      expect(Chunk.parse(joinChunk(encodeChunk(columns))).series).toEqual(list);
    }
  });

  it("does not remember bytes that are used for something else afterwards", () => {
    const named = (name: string): Uint8Array =>
      joinChunk(encodeChunk([{ ...shaped("counter", 3), series: { name, labels: [], kind: Kind.gauge } }]));
    const buffer = Buffer.from(named("a"));
    expect(Chunk.parse(buffer).series[0]?.name).toBe("a");
    buffer.set(named("b"));
    expect(Chunk.parse(buffer).series[0]?.name).toBe("b");
  });

  it("has the first eight bytes of the SHA-256 of all of it for an id (R3)", () => {
    for (const length of [3, 500]) {
      const encoded = encodeChunk([shaped("counter", length), shaped("noise", length)]);
      const digest = createHash("sha256").update(joinChunk(encoded)).digest();
      expect([encoded.idHigh, encoded.idLow]).toEqual([digest.readUInt32BE(0), digest.readUInt32BE(4)]);
    }
  });

  it("pays for instants once, though every column has an array of its own", () => {
    const jittered = Float64Array.from({ length: 500 }, (_, i) => startMs + 1_000 * i + ((i * 7919) % 13));
    const columns = Array.from(
      { length: 40 },
      (_, i): SeriesColumn => ({
        series: { name: `m${i}`, labels: [], kind: Kind.gauge },
        timestampsMs: jittered.slice(),
        values: new Float64Array(500).fill(i),
        flags: new Uint32Array(500),
      }),
    );
    const one = joinChunk(encodeChunk(columns.slice(0, 1))).length;
    expect(joinChunk(encodeChunk(columns)).length - one).toBeLessThan(39 * 12);
  });

  it("takes instants that are part of others as runs of them", () => {
    const jittered = Float64Array.from({ length: 500 }, (_, i) => startMs + 1_000 * i + ((i * 7919) % 997));
    const column = (from: number, to: number): SeriesColumn => ({
      series: { name: `m${from}`, labels: [], kind: Kind.gauge },
      timestampsMs: jittered.slice(from, to),
      values: new Float64Array(to - from),
      flags: new Uint32Array(to - from),
    });
    const columns = [column(100, 500), column(0, 500), column(3, 499)];
    const grown = joinChunk(encodeChunk(columns)).length - joinChunk(encodeChunk(columns.slice(1, 2))).length;
    expect(grown).toBeLessThan(40);
    const chunk = Chunk.parse(joinChunk(encodeChunk(columns)));
    expect(columns.map((_, i) => naiveColumn(chunk.column(i)))).toEqual(columns.map(naiveColumn));
  });

  it("takes a few bytes a column when it is short", () => {
    const column = (i: number, values: number[]): SeriesColumn => ({
      series: { name: `metric_${i}`, labels: [], kind: Kind.gauge },
      timestampsMs: Float64Array.from(values, (_, j) => startMs + 1_000 * j),
      values: Float64Array.from(values),
      flags: new Uint32Array(values.length),
    });
    const size = (make: (i: number) => number[]): number => {
      const sizes = [10, 20].map(
        (n) => joinChunk(encodeChunk(Array.from({ length: n }, (_, i) => column(i, make(i))))).length,
      );
      return (sizes[1]! - sizes[0]!) / 10;
    };
    const names = 6; // what a series takes in the list: a head, and "_" and its number after "metric"
    expect(size(() => [0, 0, 0, 0, 0, 0])).toBeLessThanOrEqual(names + 1);
    expect(size(() => [1, 1, 1, 1, 1, 1])).toBeLessThanOrEqual(names + 4);
    expect(size((i) => [0.25, 0.5, 0.75, 0.5, 0.25, 0.5 + i])).toBeLessThanOrEqual(names + 12);
    expect(size((i) => [4_251.39, 4_251.4, 4_251.77, 4_252, 4_252.4, 4_253 + i])).toBeLessThanOrEqual(
      names + 12,
    );
  });

  it.each([
    ["no columns", []],
    ["a column without samples", [columnOf("m", [])]],
    ["fewer values than instants", [{ ...shaped("zero", 3), values: new Float64Array(2) }]],
    ["fewer flags than instants", [{ ...shaped("zero", 3), flags: new Uint32Array(2) }]],
    ["an instant twice", [{ ...shaped("zero", 3), timestampsMs: Float64Array.of(1, 2, 2) }]],
    ["instants that fall", [{ ...shaped("zero", 3), timestampsMs: Float64Array.of(1, 3, 2) }]],
    ["a broken millisecond", [{ ...shaped("zero", 3), timestampsMs: Float64Array.of(1, 1.5, 2) }]],
    ["no instant", [{ ...shaped("zero", 3), timestampsMs: Float64Array.of(1, 2, Number.NaN) }]],
    ["instants too far apart", [{ ...shaped("zero", 2), timestampsMs: Float64Array.of(0, 2 ** 50 + 1) }]],
    [
      "too many samples",
      [
        {
          series: { name: "m", labels: [], kind: Kind.gauge },
          timestampsMs: new Float64Array(2 ** 22 + 1),
          values: new Float64Array(2 ** 22 + 1),
          flags: new Uint32Array(2 ** 22 + 1),
        },
      ],
    ],
  ] as [string, SeriesColumn[]][])("is not made of %s", (_, columns) => {
    expect(() => encodeChunk(columns)).toThrow(RangeError);
  });

  it("has no columns beyond its own", () => {
    const chunk = Chunk.parse(joinChunk(encodeChunk([shaped("zero", 3)])));
    expect(() => chunk.column(1)).toThrow(RangeError);
    expect(() => chunk.isApart(-1)).toThrow(RangeError);
  });

  it("gives nothing for a range that it has nothing in", () => {
    const chunk = Chunk.parse(joinChunk(encodeChunk([shaped("noise", 100)])));
    for (const range of [
      { startMs: 0, endMs: startMs - 1 },
      { startMs: startMs + 1, endMs: startMs + 999 },
      { startMs: startMs + 100_000, endMs: Number.MAX_SAFE_INTEGER },
      { startMs: startMs + 5_000, endMs: startMs },
    ]) {
      expect(chunk.column(0, range).values).toHaveLength(0);
    }
  });
});
