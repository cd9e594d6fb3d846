import fc from "fast-check";
import type { Kind, SeriesColumn } from "../../src/index.ts";
import { arbitraryBits, arbitraryFlags, arbitraryKind, edgeBits } from "./arbitrary-samples.ts";

/** Numbers that look random and are the same for the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** From 0 to before 1, of 32 bits. @see mulberry32 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** A whole number from 0 to before `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** Any 64 bits. */
  bits(): bigint {
    return (BigInt(this.below(0x1_0000_0000)) << 32n) | BigInt(this.below(0x1_0000_0000));
  }
}

const scratch = new DataView(new ArrayBuffer(8));

/** The bits of a double that is no NaN. */
export function bitsOfNumber(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

/** Doubles with these bits, never passed on as numbers. */
export function valuesOfBits(bits: readonly bigint[]): Float64Array {
  return new Float64Array(BigUint64Array.from(bits).buffer);
}

/** The bits of doubles. */
export function bitsOfValues(values: Float64Array): bigint[] {
  return [...new BigUint64Array(values.slice().buffer)];
}

type Shape = (random: Random, length: number) => bigint[];

function series(first: (random: Random) => number, next: (last: number, random: Random) => number): Shape {
  return (random, length) => {
    let value = first(random);
    return Array.from({ length }, () => {
      const bits = bitsOfNumber(value);
      value = next(value, random);
      return bits;
    });
  };
}

function sprinkled(shape: Shape, ...odd: readonly bigint[]): Shape {
  return (random, length) =>
    shape(random, length).map((bits) => (random.below(20) === 0 ? odd[random.below(odd.length)]! : bits));
}

const counter = series(
  (random) => random.below(1e9),
  (last, random) => last + random.below(50),
);

/** Every class of columns that the codec treats in its own way, and those between them. */
export const shapes: Readonly<Record<string, Shape>> = {
  zero: (_, length) => Array(length).fill(0n),
  constant: (random, length) => Array(length).fill(bitsOfNumber(random.below(1e6) / 100)),
  constantOddity: (random, length) => Array(length).fill(edgeBits[random.below(edgeBits.length)]!),
  counter,
  decimalCounter: (random, length) => {
    let hundredths = random.below(1e7);
    return Array.from({ length }, () => {
      hundredths += random.below(100);
      return bitsOfNumber(hundredths / 100);
    });
  },
  steady: series(
    (random) => random.below(1e9),
    (last) => last + 8_317,
  ),
  level: series(
    (random) => random.below(4),
    (_, random) => random.below(4),
  ),
  pages: series(
    (random) => 4_096 * random.below(1e6),
    (last, random) => Math.max(0, last + 4_096 * (random.below(200) - 100)),
  ),
  sparse: series(
    (random) => random.below(10),
    (last, random) => (random.below(40) === 0 ? last + random.below(1e6) : last),
  ),
  ratio: (random, length) => Array.from({ length }, () => bitsOfNumber(random.below(10_001) / 10_000)),
  signed: (random, length) => Array.from({ length }, () => bitsOfNumber(random.below(2_001) - 1_000)),
  wide: (random, length) => Array.from({ length }, () => bitsOfNumber(random.below(2 ** 32) * 2 ** 18)),
  widest: (random, length) =>
    Array.from({ length }, () => bitsOfNumber((random.below(2) * 2 - 1) * (2 ** 50 - random.below(3)))),
  tooWide: (random, length) =>
    Array.from({ length }, () => bitsOfNumber((random.below(2) * 2 - 1) * (2 ** 53 - random.below(9)))),
  growingDigits: (random, length) =>
    Array.from({ length }, (_, i) => bitsOfNumber(random.below(1_000) / 10 ** Math.min(i >> 2, 18))),
  thirds: series(
    (random) => random.below(100) / 3,
    (last, random) => last + random.below(7) / 3,
  ),
  added: series(
    () => 0.1,
    (last) => last + 0.1,
  ),
  noise: (random, length) => Array.from({ length }, () => bitsOfNumber(random.next())),
  anyBits: (random, length) => Array.from({ length }, () => random.bits()),
  edges: (random, length) => Array.from({ length }, () => edgeBits[random.below(edgeBits.length)]!),
  subnormals: (random, length) => Array.from({ length }, () => BigInt(random.below(2 ** 32))),
  counterWithMarkers: sprinkled(counter, 0x7ff0000000000002n),
  counterWithOddities: sprinkled(counter, ...edgeBits),
  zerosOfBothSigns: (random, length) =>
    Array.from({ length }, () => (random.below(2) === 0 ? 0n : 0x8000000000000000n)),
  lastBits: (random, length) => Array.from({ length }, () => bitsOfNumber(1) + BigInt(random.below(16))),
};

/** Values by their bits. */
const arbitraryValues: fc.Arbitrary<bigint[]> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({
        shape: fc.constantFrom(...Object.keys(shapes)),
        seed: fc.integer(),
        length: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 600 })),
      })
      .map(({ shape, seed, length }) => shapes[shape]!(new Random(seed), length)),
  },
  { weight: 1, arbitrary: fc.array(arbitraryBits, { minLength: 1, maxLength: 20 }) },
);

/** Rising instants, regular or not, anywhere in time. */
function arbitraryInstants(length: number): fc.Arbitrary<Float64Array> {
  return fc
    .record({
      startMs: fc.oneof(
        fc.constant(1_767_225_600_000),
        fc.integer({ min: -10, max: 10 }),
        fc.constantFrom(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 2 ** 40),
      ),
      intervalMs: fc.constantFrom(1, 1_000, 15_000, 60_000),
      jitterMs: fc.constantFrom(0, 0, 3, 500),
      seed: fc.integer(),
    })
    .map(({ startMs, intervalMs, jitterMs, seed }) => {
      const random = new Random(seed);
      let instant = startMs;
      return Float64Array.from({ length }, () => {
        const given = instant;
        instant += intervalMs + random.below(jitterMs + 1);
        return given;
      });
    });
}

const arbitraryMarks = (length: number): fc.Arbitrary<Uint32Array> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(new Uint32Array(length)) },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.record({ at: fc.nat(length - 1), run: fc.nat(30), flags: arbitraryFlags }), {
          maxLength: 5,
        })
        .map((stretches) => {
          const flags = new Uint32Array(length);
          for (const { at, run, flags: mark } of stretches) flags.fill(mark, at, at + run);
          return flags;
        }),
    },
  );

/** A column that lacks some of its samples: it then has instants of its own. */
function thinned(column: SeriesColumn, isKept: (index: number) => boolean): SeriesColumn {
  const kept = [...column.timestampsMs.keys()].filter((index) => index === 0 || isKept(index));
  const bits = bitsOfValues(column.values);
  return {
    series: column.series,
    timestampsMs: Float64Array.from(kept, (index) => column.timestampsMs[index]!),
    values: valuesOfBits(kept.map((index) => bits[index]!)),
    flags: Uint32Array.from(kept, (index) => column.flags[index]!),
  };
}

const arbitraryText = fc.oneof(
  fc.constantFrom("cpu", "cpu_time_seconds_total", "cpu_ratio", "é", "\u{1f600}a", "\u{1f601}a", ""),
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.constant("x".repeat(300)),
);

function arbitrarySeries(
  ordinal: number,
): fc.Arbitrary<{ name: string; labels: { name: string; value: string }[]; kind: Kind }> {
  return fc.record({
    name: arbitraryText.map((text) => `${text}_${ordinal}`),
    labels: fc.array(fc.record({ name: arbitraryText, value: arbitraryText }), { maxLength: 3 }),
    kind: arbitraryKind,
  });
}

/** Columns of a chunk; most share their instants. */
export const arbitraryColumns: fc.Arbitrary<SeriesColumn[]> = fc
  .array(fc.record({ values: arbitraryValues, thinning: fc.option(fc.integer(), { freq: 4 }) }), {
    minLength: 1,
    maxLength: 5,
  })
  .chain((drafts) => {
    const longest = Math.max(...drafts.map(({ values }) => values.length));
    return arbitraryInstants(longest).chain((instants) =>
      fc.tuple(
        ...drafts.map(({ values, thinning }, ordinal) =>
          fc.tuple(arbitrarySeries(ordinal), arbitraryMarks(values.length)).map(([identity, flags]) => {
            const column: SeriesColumn = {
              series: identity,
              timestampsMs: instants.slice(0, values.length),
              values: valuesOfBits(values),
              flags,
            };
            if (thinning === null) return column;
            const random = new Random(thinning);
            return thinned(column, () => random.below(5) > 0);
          }),
        ),
      ),
    );
  });
