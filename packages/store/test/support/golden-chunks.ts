import { Chunk, encodeChunk, joinChunk, Kind, type SeriesColumn } from "../../src/index.ts";
import { bitsOfNumber, bitsOfValues, Random, shapes, valuesOfBits } from "./arbitrary-columns.ts";
import { edgeBits } from "./arbitrary-samples.ts";

/** A column of a published chunk. */
export interface GoldenColumn {
  readonly name: string;
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly kind: Kind;
  readonly timestampsMs: readonly number[];
  /** The bits of doubles, in hexadecimal. */
  readonly values: readonly string[];
  readonly flags: readonly number[];
}

/** A published chunk: columns, and the bytes that hold them. */
export interface GoldenChunk {
  readonly title: string;
  readonly columns: readonly GoldenColumn[];
  /** What `fast` makes of them, in hexadecimal, and its id. */
  readonly fast: string;
  readonly id: string;
  /** What `small` made of them: other versions of zstd may make other bytes, and all must read these. */
  readonly small: string;
}

const startMs = 1_767_225_600_000;

function golden(name: string, bits: readonly bigint[], more: Partial<GoldenColumn> = {}): GoldenColumn {
  return {
    name,
    labels: [],
    kind: Kind.gauge,
    timestampsMs: bits.map((_, i) => startMs + 1_000 * i),
    values: bits.map((one) => one.toString(16).padStart(16, "0")),
    flags: bits.map(() => 0),
    ...more,
  };
}

function numbers(...values: readonly number[]): bigint[] {
  return values.map(bitsOfNumber);
}

/** What the published chunks hold: every way that instants, names, values and marks are written. */
const contents: Readonly<Record<string, readonly GoldenColumn[]>> = {
  "one sample": [golden("up", numbers(1), { kind: Kind.gauge })],
  "six instants of a host": [
    golden("cpu_seconds_total", numbers(4_251.39, 4_251.4, 4_251.77, 4_252, 4_252.4, 4_253), {
      labels: [
        ["cpu", "0"],
        ["mode", "user"],
      ],
      kind: Kind.counter,
    }),
    golden("cpu_seconds_total", numbers(6_337.6, 6_338.48, 6_338.49, 6_338.49, 6_338.49, 6_338.49), {
      labels: [
        ["cpu", "0"],
        ["mode", "idle"],
      ],
      kind: Kind.counter,
    }),
    golden("load1", numbers(1, 1, 1, 1, 1, 1)),
    golden("network_errors_total", numbers(0, 0, 0, 0, 0, 0), { kind: Kind.counter }),
    golden("memory_bytes", numbers(4_096, 8_192, 1_052_672, 4_096, 4_096, 12_288), {
      labels: [["state", "é"]],
    }),
  ],
  "the edges of the doubles": [golden("edges", edgeBits)],
  "constants of any bits": edgeBits.map((bits, i) => golden(`edge_${i}`, [bits, bits, bits])),
  "numbers that end in a stale marker": [
    golden("stale", [...numbers(10, 11, 12, 13, 14, 15, 16), 0x7ff0000000000002n]),
  ],
  "marks in stretches": [
    golden("marked", numbers(20, 21, 400, 401, 22, 23), { flags: [0, 0, 1, 1, 0, 0xffffffff] }),
    golden("marked_zero", numbers(0, 0), { timestampsMs: [startMs, startMs + 1_000], flags: [1, 0] }),
  ],
  "a kind of a newer version": [golden("new", numbers(1, 2, 3), { kind: 7 as Kind })],
  "instants of several programs": [
    golden("first", numbers(1, 2, 3, 4), { timestampsMs: [-5, 0, 1_003, 2_001] }),
    golden("second", numbers(1, 2), { timestampsMs: [0, 2_001] }),
    golden("third", numbers(1, 2), { timestampsMs: [1, 2_000] }),
  ],
  "hours of every kind of column": [
    "counter",
    "decimalCounter",
    "steady",
    "level",
    "pages",
    "sparse",
    "wide",
    "thirds",
    "noise",
    "counterWithOddities",
  ].map((shape, i) => golden(shape, shapes[shape]!(new Random(i), 240))),
};

export function columnOfGolden({
  name,
  labels,
  kind,
  timestampsMs,
  values,
  flags,
}: GoldenColumn): SeriesColumn {
  return {
    series: { name, labels: labels.map(([label, value]) => ({ name: label, value })), kind },
    timestampsMs: Float64Array.from(timestampsMs),
    values: valuesOfBits(values.map((hexadecimal) => BigInt(`0x${hexadecimal}`))),
    flags: Uint32Array.from(flags),
  };
}

export function goldenOfColumn({ series, timestampsMs, values, flags }: SeriesColumn): GoldenColumn {
  return golden(series.name, bitsOfValues(values), {
    labels: series.labels.map(({ name, value }) => [name, value] as const),
    kind: series.kind,
    timestampsMs: [...timestampsMs],
    flags: [...flags],
  });
}

/** All columns of a chunk. */
export function columnsOf(bytes: Uint8Array): SeriesColumn[] {
  const chunk = Chunk.parse(bytes);
  return chunk.series.map((_, index) => chunk.column(index));
}

/** The published chunks, made now. */
export function makeGoldenChunks(): GoldenChunk[] {
  return Object.entries(contents).map(([title, columns]) => {
    const given = columns.map(columnOfGolden);
    const fast = encodeChunk(given);
    return {
      title,
      columns,
      fast: Buffer.from(joinChunk(fast)).toString("hex"),
      id: idOf(fast),
      small: Buffer.from(joinChunk(encodeChunk(given, { effort: "small" }))).toString("hex"),
    };
  });
}

/** A chunk's id as text. */
export function idOf({ idHigh, idLow }: { idHigh: number; idLow: number }): string {
  return idHigh.toString(16).padStart(8, "0") + idLow.toString(16).padStart(8, "0");
}
