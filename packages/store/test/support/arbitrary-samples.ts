import fc from "fast-check";
import type { Kind, Sample, Series } from "../../src/index.ts";

/** Bits of doubles at the edges: zeros, smallest, largest, infinities, NaNs of both signs, the stale marker. */
export const edgeBits: readonly bigint[] = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x0000000000000001n,
  0x8000000000000001n,
  0x7fefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff0000000000001n,
  0x7ff0000000000002n,
  0xfff0000000000002n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0xffffffffffffffffn,
  0x3ff0000000000000n,
  0x3ff0000000000001n,
];

export const arbitraryBits: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(...edgeBits),
  fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
);

/** A value as {@link Sample} has it: a NaN with its bits. */
export function valueOfBits(bits: bigint): Pick<Sample, "value" | "nan"> {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  const value = view.getFloat64(0);
  return Number.isNaN(value)
    ? { value, nan: { high: view.getUint32(0), low: view.getUint32(4) } }
    : { value };
}

/** Few names, so that samples meet; some beyond ASCII and the basic plane, some long. */
const text = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("a", "ab", "b", "cpu", "cpu_total", "é", "\u{1f600}", "\uffee") },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom("x".repeat(127), "y".repeat(128), "z".repeat(200)) },
);

const labels = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  {
    weight: 2,
    arbitrary: fc.uniqueArray(fc.record({ name: text, value: text }), {
      maxLength: 4,
      selector: ({ name }) => name,
    }),
  },
);

export const arbitraryKind: fc.Arbitrary<Kind> = fc.constantFrom(0, 1, 2);

export const arbitraryFlags: fc.Arbitrary<number> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  fc.constantFrom(1, 127, 128, 0xffffffff),
  fc.nat(),
);

const arbitrarySample: fc.Arbitrary<Sample> = fc
  .tuple(
    fc.record({
      name: text.filter((name) => name !== ""),
      labels,
      kind: arbitraryKind,
      flags: arbitraryFlags,
    }),
    arbitraryBits,
  )
  .map(([sample, bits]) => ({ ...sample, ...valueOfBits(bits) }));

/** An identity that owes nothing to the code under test: labels by name, as JSON. */
export function identityOf({ name, labels }: Pick<Series, "name" | "labels">): string {
  const pairs = labels.map((label) => [label.name, label.value]);
  return JSON.stringify([name, pairs.sort(([a], [b]) => (a! < b! ? -1 : 1))]);
}

/** Samples of different series, in any order. */
export const arbitrarySamples: fc.Arbitrary<Sample[]> = fc.uniqueArray(arbitrarySample, {
  maxLength: 8,
  selector: identityOf,
});

/** Edits of bytes: flips, cuts, repeats, insertions. */
export const arbitraryEdits: fc.Arbitrary<((bytes: Uint8Array) => Uint8Array)[]> = fc.array(
  fc
    .record({
      kind: fc.constantFrom("flip", "cut", "repeat", "insert", "bump"),
      at: fc.nat(),
      byte: fc.nat(255),
      length: fc.nat(12),
    })
    .map(({ kind, at, byte, length }) => (bytes: Uint8Array) => {
      const edited = [...bytes];
      const position = at % (bytes.length + 1);
      if (kind === "flip" && position < bytes.length) edited[position] = byte;
      if (kind === "bump" && position < bytes.length) edited[position] = (edited[position]! + 1) & 0xff;
      if (kind === "cut") edited.length = position;
      if (kind === "repeat") edited.splice(position, 0, ...edited.slice(position, position + length));
      if (kind === "insert") edited.splice(position, 0, byte);
      return Uint8Array.from(edited);
    }),
  { minLength: 1, maxLength: 3 },
);

/** Bytes that look like fragments: mostly tags, short lengths and letters, with long varints here and there. */
export const arbitraryBytes: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom([0x1a], [0x0a], [0x11], [0x12], [0x20], [0x28]) },
      { weight: 6, arbitrary: fc.nat(12).map((byte) => [byte]) },
      { weight: 1, arbitrary: fc.constantFrom([0x80], [0xff], [0x8f], [0x0f]) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          [0xff, 0xff, 0xff, 0xff, 0x0f],
          [0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ),
      },
      { weight: 2, arbitrary: fc.nat(255).map((byte) => [byte]) },
    ),
    { maxLength: 60, size: "max" },
  )
  .map((parts) => Uint8Array.from(parts.flat()));
