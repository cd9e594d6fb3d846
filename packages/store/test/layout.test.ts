import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Catalogue,
  Desk,
  decodeSamples,
  encodeSamples,
  type Fragment,
  fragmentFromSamples,
  Layout,
  type Sample,
} from "../src/index.ts";
import { arbitraryBits, arbitraryEdits, arbitrarySamples, valueOfBits } from "./support/arbitrary-samples.ts";
import { check } from "./support/check.ts";

/** The same samples with other values. */
function revalued(samples: readonly Sample[]): fc.Arbitrary<Sample[]> {
  return fc.array(arbitraryBits, { minLength: samples.length, maxLength: samples.length }).map((bits) =>
    samples.map(({ name, labels, kind, flags }, i) => ({
      name,
      labels,
      kind,
      flags,
      ...valueOfBits(bits[i]!),
    })),
  );
}

/** What is not the value of samples: whether there is one, and all else. */
function frameOf(bytes: Uint8Array): unknown {
  return decodeSamples(bytes).map(({ name, labels, kind, flags, value }) => [
    name,
    labels,
    kind,
    flags,
    Object.is(value, 0),
  ]);
}

describe("a layout", () => {
  const pairs = arbitrarySamples.chain((samples) =>
    fc.tuple(fc.constant(samples), revalued(samples), arbitraryEdits, fc.boolean()),
  );

  it("fits exactly the canonical bytes that differ in values only", () => {
    let fitting = 0;
    check(
      fc.property(pairs, ([samples, others, edits, isEdited]) => {
        const bytes = encodeSamples(samples);
        const layout = new Layout(bytes);
        const other = isEdited
          ? edits.reduce((given, edit) => edit(given), encodeSamples(others))
          : encodeSamples(others);
        expect(layout.fits(bytes)).toBe(true);
        let frame: unknown;
        try {
          frame = frameOf(other);
        } catch {
          // No fragment; the decoder throws for nothing else.
          frame = "none";
        }
        const expected = JSON.stringify(frame) === JSON.stringify(frameOf(bytes));
        fitting += expected ? 1 : 0;
        expect(layout.fits(other)).toBe(expected);
      }),
      2_000,
    );
    expect(fitting).toBeGreaterThan(200);
  });

  it("is looked up at any place in memory, and after longer bytes lay on the same desk", () => {
    const samples = ["a", "bb", "ccc"].map(
      (name, i): Sample => ({ name, labels: [], kind: 1, value: i + 1, flags: 0 }),
    );
    const bytes = encodeSamples(samples);
    const layout = new Layout(bytes);
    const desk = new Desk();
    for (let offset = 0; offset < 9; offset++) {
      const buffer = new Uint8Array(64).fill(0xff);
      buffer.set(bytes, offset);
      const view = buffer.subarray(offset, offset + bytes.length);
      desk.put(new Uint8Array(4_000).fill(0xff));
      desk.put(view);
      expect([layout.fits(view), layout.covers(desk)]).toEqual([true, true]);
      // Bytes that go on after them are others.
      desk.put(buffer.subarray(offset, offset + bytes.length + 1));
      expect(layout.covers(desk)).toBe(false);
    }
  });

  it("says where values stand, and gives a run to be filled with them", () => {
    check(
      fc.property(arbitrarySamples, (samples) => {
        const bytes = encodeSamples(samples);
        const layout = new Layout(bytes);
        const copy = new Uint8Array(bytes.length).fill(0xff);
        layout.writeBlank(copy);
        for (const offset of layout.valueOffsets) {
          expect([...copy.subarray(offset, offset + 8)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
          copy.set(bytes.subarray(offset, offset + 8), offset);
        }
        expect(copy).toEqual(bytes);
        expect(layout.valueOffsets).toHaveLength(
          decodeSamples(bytes).filter(({ value }) => !Object.is(value, 0)).length,
        );
      }),
    );
  });
});

describe("a catalogue that is told layouts", () => {
  const report = (timestampMs: number, values: readonly number[], layout?: Layout): Fragment => ({
    ...fragmentFromSamples(
      "h",
      timestampMs,
      values.map((value, i) => ({ name: `m${i}`, labels: [], kind: 1, value, flags: 0 })),
    ),
    layout,
  });

  it("believes them: bytes of a known layout are not looked at", () => {
    const catalogue = new Catalogue();
    const layout = new Layout(report(1, [1, 2]).bytes);
    catalogue.observe(report(1, [1, 2], layout));
    const unreadable = { ...report(2, [1, 2], layout), bytes: new Uint8Array(3) };
    expect(catalogue.observe(unreadable).newSeries).toEqual([]);
    expect(() => catalogue.observe({ ...unreadable, layout: undefined })).toThrow("canonical fragment");
  });

  it("does not take one layout for another", () => {
    const catalogue = new Catalogue();
    const [one, two] = [report(1, [1]), report(2, [1, 2])];
    catalogue.observe({ ...one, layout: new Layout(one.bytes) });
    const { newSeries } = catalogue.observe({ ...two, layout: new Layout(two.bytes) });
    expect(newSeries.map(({ name }) => name)).toEqual(["m1"]);
  });

  it("takes a new layout for a shape that it knows, with or without zeros, and knows each by itself then", () => {
    const catalogue = new Catalogue();
    const values = [
      [1, 2],
      [0, 2],
      [1, 0],
      [3, 4],
    ];
    for (let round = 0; round < 3; round++) {
      for (const [i, pair] of values.entries()) {
        const at = 1 + round * 10 + i;
        const told = round === 1 ? undefined : new Layout(report(1, pair).bytes);
        expect(catalogue.observe(report(at, pair, told)).newSeries).toHaveLength(at === 1 ? 2 : 0);
        expect(
          catalogue
            .host("h")!
            .latest()
            .samples.map(({ value }) => value),
        ).toEqual(pair);
        expect(catalogue.host("h")!.shapes).toHaveLength(1);
      }
    }
    // Eight layouts of a shape are known by themselves: bytes that come with one are not looked at any more.
    const layouts = values.map((pair) => new Layout(report(1, pair).bytes));
    for (const [i, layout] of layouts.entries()) catalogue.observe(report(100 + i, values[i]!, layout));
    for (const layout of layouts) {
      const unreadable = { ...report(200, [1, 2], layout), bytes: new Uint8Array(3) };
      expect(catalogue.observe({ ...unreadable, timestampMs: 50 }).newSeries).toEqual([]);
    }
  });
});
