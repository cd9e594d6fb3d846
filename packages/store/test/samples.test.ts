import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSamples, encodeSamples, Kind, type Sample, StoreError } from "../src/index.ts";
import {
  arbitraryBytes,
  arbitraryEdits,
  arbitrarySamples,
  edgeBits,
  identityOf,
  valueOfBits,
} from "./support/arbitrary-samples.ts";
import { check } from "./support/check.ts";
import { expectedFragment } from "./support/expected-fragment.ts";

const gauge = (name: string, value: number, labels: Sample["labels"] = []): Sample => ({
  name,
  value,
  labels,
  kind: Kind.gauge,
  flags: 0,
});
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const isFull = process.env.MON_TEST === "full";

/** Samples with labels in order, by identity. */
function byIdentity(samples: readonly Sample[]): Map<string, Sample> {
  return new Map(
    samples.map((sample) => [
      identityOf(sample),
      { ...sample, labels: sample.labels.toSorted((a, b) => (a.name < b.name ? -1 : 1)) },
    ]),
  );
}

/** The samples, or undefined when the bytes are no fragment. Anything but that refusal is a failure. */
function decodeOrRefuse(bytes: Uint8Array): Sample[] | undefined {
  try {
    return decodeSamples(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "STORE_FRAGMENT_INVALID" });
    return undefined;
  }
}

describe("canonical bytes (R2)", () => {
  it("decode to the samples that were encoded, to the bit", () => {
    check(
      fc.property(arbitrarySamples, (samples) => {
        expect(byIdentity(decodeSamples(encodeSamples(samples)))).toEqual(byIdentity(samples));
      }),
    );
  });

  it("are what protobuf-es makes of the sorted message", () => {
    check(
      fc.property(arbitrarySamples, (samples) => {
        // protobuf-es writes every NaN as the same one.
        const numbers = samples.filter(({ nan }) => nan === undefined);
        expect(hexOf(encodeSamples(numbers))).toBe(hexOf(expectedFragment(numbers)));
      }),
    );
  });

  it("do not depend on the order of samples, nor of labels", () => {
    const shuffled = arbitrarySamples.chain((samples) =>
      fc.tuple(
        fc.constant(samples),
        fc.shuffledSubarray(samples, { minLength: samples.length }),
        fc.boolean(),
      ),
    );
    check(
      fc.property(shuffled, ([samples, shuffled, reversed]) => {
        const other = reversed
          ? shuffled.map((sample) => ({ ...sample, labels: sample.labels.toReversed() }))
          : shuffled;
        expect(hexOf(encodeSamples(other))).toBe(hexOf(encodeSamples(samples)));
      }),
    );
  });

  it.each(edgeBits.map((bits) => [bits.toString(16), bits] as const))(
    "keep the double of bits %s",
    (_hex, bits) => {
      const sample = { ...gauge("m", 0), ...valueOfBits(bits) };
      const bytes = encodeSamples([sample]);
      expect(decodeSamples(bytes)).toEqual([sample]);
      // +0 alone is protobuf's default and takes no bytes.
      expect(bytes.length).toBe(2 + 3 + (bits === 0n ? 0 : 9) + 2);
    },
  );

  it.each([1, 127, 128, 16_383, 16_384, 2_097_152])("take texts of %i bytes", (length) => {
    const long = gauge("n".repeat(length), 1, [{ name: "x", value: "v".repeat(length) }]);
    const bytes = encodeSamples([long, gauge("a", 2)]);
    expect(hexOf(bytes) === hexOf(expectedFragment([long, gauge("a", 2)]))).toBe(true);
    expect(decodeSamples(bytes)).toEqual([gauge("a", 2), long]);
  });

  it("have no place for a series twice, a label twice, or a sample without a name", () => {
    const labels = [
      { name: "x", value: "1" },
      { name: "y", value: "2" },
    ];
    expect(() => encodeSamples([gauge("a", 1, labels), gauge("a", 2, labels.toReversed())])).toThrow(
      new RangeError("expected each series once, got a twice with the same labels"),
    );
    expect(() => encodeSamples([gauge("a", 1, [labels[0]!, labels[0]!])])).toThrow(
      new RangeError("expected each label name once, got x twice"),
    );
    expect(() => encodeSamples([gauge("", 1)])).toThrow(
      new RangeError("expected a name for each sample, got an empty one"),
    );
  });
});

describe("bytes that are not canonical", () => {
  const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

  it("take, as they should, the least that a fragment can be", () => {
    expect(decodeSamples(bytesOf("1a03 0a0161"))).toEqual([{ ...gauge("a", 0), kind: Kind.unspecified }]);
    expect(decodeSamples(bytesOf(""))).toEqual([]);
  });

  it.each([
    ["another field", "0a03 0a0161"],
    ["a sample without a name", "1a00"],
    ["a sample with a kind but no name", "1a02 2001"],
    ["an empty name", "1a02 0a00"],
    ["a name twice", "1a06 0a0161 0a0161"],
    ["a name that is no UTF-8", "1a03 0a01ff"],
    ["a long name that is no UTF-8", `1a34 0a32 ${"61".repeat(49)}ff`],
    ["a name that runs beyond its sample", "1a03 0a0261 1a030a0162"],
    ["a sample that runs beyond the bytes", "1a04 0a0161"],
    ["a length of more bytes than it needs", "1a8300 0a0161"],
    ["a length of six bytes", "1a838080808000 0a0161"],
    ["a value of +0", "1a0c 0a0161 110000000000000000"],
    ["a value cut short", "1a0b 0a0161 1100000000000000"],
    ["fields out of order", "1a0e 110000000000000840 0a0161 2001"],
    ["a label without its end", "1a08 0a0161 1a050a0178"],
    ["a label with an empty value", "1a0a 0a0161 1a050a0178 1200"],
    ["a label with something after its value", "1a0c 0a0161 1a070a0178 120131 00"],
    ["labels out of order", "1a0d 0a0161 1a030a0179 1a030a0178"],
    ["a label twice", "1a0d 0a0161 1a030a0178 1a030a0178"],
    ["a kind of 0", "1a05 0a0161 2000"],
    ["flags of 0", "1a05 0a0161 2800"],
    ["flags of 33 bits", "1a09 0a0161 28ffffffff1f"],
    ["a field that no sample has", "1a05 0a0161 3001"],
    ["samples out of order", "1a030a0162 1a030a0161"],
    ["a series twice", "1a030a0161 1a030a0161"],
    ["samples of one name out of order", "1a08 0a0161 1a030a0178 1a030a0161"],
  ])("are refused: %s", (_what, hex) => {
    expect(decodeOrRefuse(bytesOf(hex))).toBeUndefined();
  });

  it("decode, when they decode at all, to samples that encode to the same bytes", () => {
    let taken = 0;
    const wild = fc.oneof(
      arbitraryBytes,
      fc
        .tuple(arbitrarySamples, arbitraryEdits)
        .map(([samples, edits]) => edits.reduce((bytes, edit) => edit(bytes), encodeSamples(samples))),
    );
    check(
      fc.property(wild, (bytes) => {
        const samples = decodeOrRefuse(bytes);
        if (samples === undefined) return;
        taken += samples.length > 0 ? 1 : 0;
        expect(hexOf(encodeSamples(samples))).toBe(hexOf(bytes));
      }),
      isFull ? 1_000_000 : 5_000,
    );
    expect(taken).toBeGreaterThan(50);
  });

  it("are refused wherever a fragment is cut, but between two samples", () => {
    const samples = [gauge("a", 1), gauge("b", 2, [{ name: "x", value: "1" }]), gauge("c", 0)];
    const bytes = encodeSamples(samples);
    const whole = samples.map((_, i) => encodeSamples(samples.slice(0, i)).length);
    for (let length = 0; length < bytes.length; length++) {
      const decoded = decodeOrRefuse(bytes.subarray(0, length));
      if (whole.includes(length)) expect(decoded).toHaveLength(whole.indexOf(length));
      else expect(decoded).toBeUndefined();
    }
  });
});
