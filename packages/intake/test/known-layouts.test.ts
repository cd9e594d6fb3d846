import { decodeSamples, encodeSamples, type Layout, murmur3 } from "@mon/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchReader, defaultRules, type ReadBatch } from "../src/index.ts";
import { resolveRules } from "../src/rules.ts";
import { mutate, mutations } from "./support/mutations.ts";
import { arbitraryProgram, arbitraryReport, encodeReport, type TestSample } from "./support/reports.ts";

const now = 1_767_225_600_000;
const isFull = process.env.MON_TEST === "full";
const seed = Number(process.env.SEED ?? 20261123);

const allRules = [
  {},
  { nan: "keep" as const, infinite: "keep" as const },
  {
    ranges: [
      { metric: "disk_*", min: 0, max: 1e6, action: "drop" as const },
      { metric: "cpu*", min: -1, max: 100, action: "mark" as const },
      { metric: "a", min: 1, max: 1e6, action: "mark" as const },
    ],
  },
].map((rules) => resolveRules(rules));

/** What a batch says, layouts apart. */
function told({ fragments, places, ...rest }: ReadBatch): string {
  return JSON.stringify({
    ...rest,
    places: places.map((known, i) => known ?? [...Array(rest.sampleCounts[i]).keys()]),
    fragments: fragments.map(({ layout, bytes, ...fragment }) => ({
      ...fragment,
      bytes: Buffer.from(bytes).toString("latin1"),
    })),
  });
}

/** The report with what canonical bytes would leave out: the first value that is written, as +0. */
function spelledOutZero(report: Uint8Array): Uint8Array {
  const bytes = report.slice();
  // A value follows a name: tag 0x11 in the first sample, which begins after host and time.
  const nameLength = 2 + report[1]! + 9 + 3;
  const value = nameLength + 1 + report[nameLength]!;
  if (bytes[value] === 0x11) bytes.fill(0, value + 1, value + 9);
  return bytes;
}

/** The report with another host after its samples, which is the one that counts. */
function rehosted(report: Uint8Array): Uint8Array {
  return Uint8Array.from([...report, 0x0a, 0x01, 0x67]);
}

/** Some messages of one program, some of them changed, a few of others between them; then all of them again. */
const history = fc
  .tuple(
    arbitraryProgram(now),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.oneof(
          mutations.map((changes) => (report: Uint8Array) => mutate(report, changes)),
          fc.constantFrom(spelledOutZero, rehosted),
        ),
      ),
      { maxLength: 3 },
    ),
    fc.array(arbitraryReport(now), { maxLength: 1 }),
  )
  .map(([reports, changes, others]) => {
    const changed = changes.map(([which, change]) => change(reports[which % reports.length]!));
    return [...reports, ...changed, ...others, ...reports, ...changed];
  });

describe("a reader that knows layouts", () => {
  it("tells of every report what one tells that never saw any, and layouts that are those of the bytes", () => {
    const runs = isFull ? 150_000 : 3_500;
    const old = allRules.map((rules) => new BatchReader(rules));
    const forgetful = allRules.map((rules) => new BatchReader(rules, 0));
    let messages = 0;
    let recognised = 0;
    fc.assert(
      fc.property(history, fc.nat(allRules.length - 1), (reports, which) => {
        const rules = allRules[which]!;
        // One that has seen thousands of reports, one that begins with these, and one that has room for very little.
        const readers = [old[which]!, new BatchReader(rules), new BatchReader(rules, 40_000)];
        for (const report of reports) {
          messages++;
          const expected = told(forgetful[which]!.read([report], now));
          for (const reader of readers) {
            const batch = reader.read([report], now);
            const layout = batch.fragments[0]?.layout;
            // An expectation costs more than what is compared here.
            if (told(batch) !== expected) expect(told(batch)).toBe(expected);
            if (layout === undefined) continue;
            recognised++;
            const { bytes, idHigh, idLow } = batch.fragments[0]!;
            const id = murmur3(bytes);
            if (!layout.fits(bytes) || id.high !== idHigh || id.low !== idLow)
              expect.fail("expected a fragment of its layout and its id");
          }
        }
      }),
      { numRuns: runs, seed },
    );
    expect(messages).toBeGreaterThan(isFull ? 1_000_000 : 30_000);
    expect(recognised).toBeGreaterThan(messages);
  });

  const layoutsOf = (reader: BatchReader, ...reports: readonly Uint8Array[]): (Layout | undefined)[] =>
    reader.read(reports, now).fragments.map(({ layout }) => layout);
  const report = (hostId: string, ...samples: TestSample[]): Uint8Array => encodeReport(hostId, now, samples);

  it("gives reports one layout that differ in host, time and values, whatever the order they were sent in", () => {
    const reader = new BatchReader(defaultRules);
    const [a, b, c] = [
      { name: "a", value: 1, kind: 1 },
      { name: "b", value: 2, labels: { l: "v", m: "w" } },
      { name: "c.c", value: 3 },
    ] as const;
    const again = { ...b, labels: { m: "w", l: "v" }, value: -7 };
    const layouts = layoutsOf(
      reader,
      report("h", a, b, { ...c, name: "c_c" }),
      report("g", { ...a, value: 4 }, b, { ...c, name: "c_c" }),
      report("g", b, a, c),
      report("h", again, c, a),
      report("h", { ...again, value: 8 }, c, a),
    );
    expect(layouts[0]).toBeDefined();
    expect(new Set(layouts).size).toBe(1);
  });

  it("gives those of the two orders one fragment", () => {
    const reader = new BatchReader(defaultRules);
    const [a, b] = [
      { name: "a", value: 1 },
      { name: "b", value: 2 },
    ];
    for (let round = 0; round < 3; round++) {
      const { fragments } = reader.read([report("h", a!, b!), report("h", b!, a!)], now);
      expect(fragments[0]).toEqual(fragments[1]);
      expect(decodeSamples(fragments[1]!.bytes).map(({ value }) => value)).toEqual([1, 2]);
    }
  });

  it("looks at values that a rule drops or marks, and at those that are left out, however often it saw the rest", () => {
    const ranges = [
      { metric: "a", max: 10, action: "drop" as const },
      { metric: "b", max: 10, action: "mark" as const },
    ];
    const reader = new BatchReader(resolveRules({ ranges }));
    const of = (a: number, b: number): ReadBatch =>
      reader.read([report("h", { name: "b", value: b }, { name: "a", value: a })], now);
    const flagsOf = (batch: ReadBatch): unknown =>
      decodeSamples(batch.fragments[0]!.bytes).map(({ name, flags }) => [name, flags]);
    for (let round = 0; round < 3; round++) {
      expect(flagsOf(of(1, 1))).toEqual([
        ["a", 0],
        ["b", 0],
      ]);
      expect(flagsOf(of(1, 11))).toEqual([
        ["a", 0],
        ["b", 1],
      ]);
      expect(flagsOf(of(0, 1))).toEqual([
        ["a", 0],
        ["b", 0],
      ]);
      expect(of(11, 1).rejections).toMatchObject([{ sampleIndex: 1, reason: "value_out_of_range" }]);
      expect(of(Number.NaN, 1).rejections).toMatchObject([{ sampleIndex: 1, reason: "value_nan" }]);
      expect(of(1, 1).rejections).toEqual([]);
    }
  });

  it("keeps a stale marker, bit for bit, in a layout that it knows", () => {
    const reader = new BatchReader(defaultRules);
    const sent = report("h", { name: "a", value: 1 });
    const [known] = layoutsOf(reader, sent);
    const stale = Uint8Array.from([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);
    sent.set(stale, sent.length - 8);
    const { fragments } = reader.read([sent], now);
    expect(fragments[0]!.layout).toBe(known);
    expect(fragments[0]!.bytes.slice(-8)).toEqual(stale);
  });

  it("remembers within its bound, and what comes often though much else comes once", () => {
    const reader = new BatchReader(defaultRules, 60_000);
    const often = report("often", { name: "often", value: 1 });
    let known = 0;
    for (let i = 0; i < 2_000; i++) {
      if (layoutsOf(reader, often)[0] !== undefined) known++;
      layoutsOf(reader, report(`h${i}`, { name: `once_${i}`, value: 1 }));
    }
    expect(known).toBeGreaterThan(1_900);
    // Those that came once were learned while there was room, and an eighth of them afterwards.
    const newest = Array.from({ length: 100 }, (_, i) =>
      report("h", { name: `once_${1_900 + i}`, value: 1 }),
    );
    const remembered = newest.filter((one) => layoutsOf(reader, one)[0] !== undefined).length;
    expect(remembered).toBeGreaterThan(0);
    expect(remembered).toBeLessThan(60);
  });

  it("does not remember a report that would drive out many, nor any when told so", () => {
    const large = report(
      "h",
      ...Array.from({ length: 1_000 }, (_, i) => ({ name: `m${1_000 + i}`, value: 1 })),
    );
    expect(layoutsOf(new BatchReader(defaultRules, 100_000), large, large)).toEqual([undefined, undefined]);
    expect(layoutsOf(new BatchReader(defaultRules), large, large)[1]).toBeDefined();
    const small = report("h", { name: "a", value: 1 });
    expect(layoutsOf(new BatchReader(defaultRules, 0), small, small)).toEqual([undefined, undefined]);
  });

  it("makes fragments that stay as they are when later reports are read", () => {
    const reader = new BatchReader(defaultRules);
    const reports = Array.from({ length: 3_000 }, (_, i) =>
      report("h", { name: "b", value: i + 1 }, { name: "a", value: -i - 1 }),
    );
    const { fragments } = reader.read(reports, now);
    for (const [i, { bytes }] of fragments.entries()) {
      const samples = ["a", "b"].map((name, k) => ({
        name,
        labels: [],
        kind: 0 as const,
        value: (k === 0 ? -1 : 1) * (i + 1),
        flags: 0,
      }));
      expect(Buffer.compare(bytes, encodeSamples(samples))).toBe(0);
    }
  });
});
