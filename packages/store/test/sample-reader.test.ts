import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeSamples,
  encodeSamples,
  type Sample,
  SampleReader,
  type Series,
  StoreError,
  sameShape,
  seriesKey,
  valueBits,
} from "../src/index.ts";
import {
  arbitraryBits,
  arbitraryBytes,
  arbitraryEdits,
  arbitraryFlags,
  arbitraryKind,
  arbitrarySamples,
  valueOfBits,
} from "./support/arbitrary-samples.ts";
import { check } from "./support/check.ts";

const isFull = process.env.MON_TEST === "full";

/** What was visited: series, the bits of the value, flags. */
type Visit = [key: string, high: number, low: number, flags: number];

function visitsOf(reader: SampleReader, bytes: Uint8Array): Visit[] {
  const visits: Visit[] = [];
  reader.read(bytes, (slot, high, low, flags) => {
    visits.push([seriesKey(reader.series[slot]!), high, low, flags]);
  });
  return visits;
}

function expectedVisits(samples: readonly Sample[]): Visit[] {
  return samples.map((sample) => {
    const { high, low } = valueBits(sample);
    return [seriesKey(sample), high, low, sample.flags];
  });
}

/** Whether bytes decode. */
function isFragment(bytes: Uint8Array): boolean {
  try {
    decodeSamples(bytes);
    return true;
  } catch {
    // It throws for nothing else; that it does is tested beside it.
    return false;
  }
}

/** The same samples with other values, other flags, and now and then another kind. */
function variantsOf(samples: readonly Sample[]): fc.Arbitrary<Sample[]> {
  const change = fc.record({
    bits: arbitraryBits,
    flags: arbitraryFlags,
    kind: arbitraryKind,
    rekind: fc.nat(20),
  });
  return fc.array(change, { minLength: samples.length, maxLength: samples.length }).map((changes) =>
    samples.map((sample, i) => {
      const { bits, flags, kind, rekind } = changes[i]!;
      const { name, labels } = sample;
      return { name, labels, kind: rekind === 0 ? kind : sample.kind, flags, ...valueOfBits(bits) };
    }),
  );
}

/** Whether samples in canonical order are of one shape, as the words of {@link sameShape} have it. */
function haveOneShape(a: readonly Sample[], b: readonly Sample[]): boolean {
  const shape = (samples: readonly Sample[]): string =>
    JSON.stringify(samples.map(({ name, labels, kind }) => [name, labels, kind]));
  return shape(a) === shape(b);
}

const encodedSamples = arbitrarySamples.map(encodeSamples);
const edited = fc
  .tuple(encodedSamples, arbitraryEdits)
  .map(([bytes, edits]) => edits.reduce((given, edit) => edit(given), bytes));

describe("a sample reader", () => {
  it("visits what the decoder gives, fragment after fragment, with a slot for each series", () => {
    const fragments = fc.array(
      fc.oneof(
        arbitrarySamples,
        arbitrarySamples.chain((samples) => variantsOf(samples)),
      ),
      { maxLength: 6 },
    );
    check(
      fc.property(fragments, fc.nat(40), (history, repeats) => {
        const reader = new SampleReader();
        for (const samples of [...history, ...history.slice(0, repeats)]) {
          const bytes = encodeSamples(samples);
          expect(visitsOf(reader, bytes)).toEqual(expectedVisits(decodeSamples(bytes)));
        }
        const keys = reader.series.map(seriesKey);
        expect(new Set(keys).size).toBe(keys.length);
        expect(new Set(keys)).toEqual(new Set(history.flat().map((sample) => seriesKey(sorted(sample)))));
      }),
    );
  });

  it("gives a series the smallest of its kinds (R4)", () => {
    const histories = fc.array(arbitraryKind, { minLength: 1, maxLength: 5 });
    check(
      fc.property(histories, (kinds) => {
        const reader = new SampleReader();
        for (const kind of kinds) {
          reader.read(encodeSamples([{ name: "a", labels: [], kind, value: 1, flags: 0 }]), () => {});
        }
        expect(reader.series).toEqual([{ name: "a", labels: [], kind: Math.min(...kinds) }]);
      }),
      50,
    );
  });

  it("keeps no view of the bytes that it has read", () => {
    const reader = new SampleReader();
    const sample: Sample = { name: "a", labels: [{ name: "x", value: "1" }], kind: 1, value: 1, flags: 0 };
    const bytes = encodeSamples([sample]);
    visitsOf(reader, bytes);
    bytes.fill(0);
    expect(visitsOf(reader, encodeSamples([sample]))).toEqual([['a{x="1"}', 0x3ff00000, 0, 0]]);
    expect(reader.series).toHaveLength(1);
  });

  it("reads all that decodes, and gives for any bytes what they hold or STORE_FRAGMENT_INVALID", () => {
    const reader = new SampleReader();
    check(
      fc.property(fc.oneof(arbitraryBytes, edited), (bytes) => {
        // What stands behind the fragment in its buffer must never show.
        const buffer = new Uint8Array(bytes.length + 64).fill(0x0a);
        buffer.set(bytes, 32);
        const view = buffer.subarray(32, 32 + bytes.length);
        let visits: Visit[];
        try {
          visits = visitsOf(reader, view);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
          expect(error).toMatchObject({ code: "STORE_FRAGMENT_INVALID" });
          expect(isFragment(view)).toBe(false);
          return;
        }
        if (isFragment(view)) expect(visits).toEqual(expectedVisits(decodeSamples(view)));
      }),
      isFull ? 1_000_000 : 5_000,
    );
  });
});

describe("sameShape", () => {
  const fragment = fc.tuple(arbitrarySamples, fc.boolean());

  it("holds for two fragments when they differ in values and flags at most", () => {
    const pairs = fragment.chain(([samples, related]) =>
      fc.tuple(fc.constant(samples), related ? variantsOf(samples) : arbitrarySamples),
    );
    let same = 0;
    check(
      fc.property(pairs, ([one, other]) => {
        const [a, b] = [encodeSamples(one), encodeSamples(other)];
        const expected = haveOneShape(decodeSamples(a), decodeSamples(b));
        same += expected ? 1 : 0;
        expect(sameShape(a, b)).toBe(expected);
        expect(sameShape(b, a)).toBe(expected);
        expect(sameShape(a, a)).toBe(true);
      }),
      1_000,
    );
    expect(same).toBeGreaterThan(100);
  });

  it("holds only for fragments: bytes that repeat a shape decode, and to that shape", () => {
    const pairs = arbitrarySamples
      .filter(({ length }) => length > 0)
      .chain((samples) => fc.tuple(fc.constant(samples), variantsOf(samples), arbitraryEdits));
    let same = 0;
    check(
      fc.property(pairs, ([samples, variant, edits]) => {
        const a = encodeSamples(samples);
        const b = edits.reduce((bytes, edit) => edit(bytes), encodeSamples(variant));
        if (!sameShape(a, b)) return;
        same++;
        expect(haveOneShape(decodeSamples(a), decodeSamples(b))).toBe(true);
      }),
      isFull ? 1_000_000 : 10_000,
    );
    expect(same).toBeGreaterThan(100);
  });

  it("does not hold for a fragment that is cut or goes on", () => {
    const samples: Sample[] = ["a", "b"].map((name) => ({ name, labels: [], kind: 0, value: 1, flags: 1 }));
    const bytes = encodeSamples(samples);
    for (let length = 0; length < bytes.length; length++) {
      expect([length, sameShape(bytes, bytes.subarray(0, length))]).toEqual([length, false]);
    }
    for (const more of [0, 1, 0x1a, 0x28])
      expect(sameShape(bytes, Uint8Array.of(...bytes, more))).toBe(false);
  });

  it("does not hold for a value of +0 that is written out, nor for a length of more bytes than it needs", () => {
    const bytes = encodeSamples([{ name: "a", labels: [], kind: 1, value: 1, flags: 0 }]);
    const zero = bytes.slice();
    zero.fill(0, 6, 14);
    expect(sameShape(bytes, zero)).toBe(false);
    expect(sameShape(bytes, Uint8Array.of(0x1a, bytes[1]! | 0x80, 0x00, ...bytes.subarray(2)))).toBe(false);
  });

  it("ends for any two byte strings, at once", () => {
    check(
      fc.property(fc.oneof(arbitraryBytes, edited), fc.oneof(arbitraryBytes, edited), (a, b) => {
        expect(typeof sameShape(a, b)).toBe("boolean");
      }),
      isFull ? 1_000_000 : 5_000,
    );
  });
});

function sorted({ name, labels }: Sample): Pick<Series, "name" | "labels"> {
  return {
    name,
    labels: labels.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))),
  };
}
