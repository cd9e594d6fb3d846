import { fromBinary } from "@bufbuild/protobuf";
import { ReportSchema } from "@mon/proto";
import { decodeSamples, encodeSamples, type Kind, seriesKey } from "@mon/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CleanedReport, cleanReport } from "../src/clean.ts";
import { RangeRules, resolveRules } from "../src/rules.ts";
import { RunScanner } from "../src/scan.ts";
import { MalformedError } from "../src/wire-reader.ts";
import { mutate, mutations } from "./support/mutations.ts";
import { cleanPlainly, type PlainlyCleaned } from "./support/plain-cleaner.ts";
import { arbitraryReport, encodeReport } from "./support/reports.ts";

const now = 1_767_225_600_000;
const isFull = process.env.MON_TEST === "full";
const seed = Number(process.env.SEED ?? 20261123);
const numRuns = isFull ? 1_000_000 : 10_000;
const allRules = [
  {},
  { names: "reject" as const, nan: "keep" as const, infinite: "keep" as const, labelsMax: 1 },
  {
    ranges: [
      { metric: "disk_*", min: 0, max: 1e6, action: "drop" as const },
      { metric: "cpu*", min: -1, max: 100, action: "mark" as const },
    ],
  },
].map((rules) => ({ rules: resolveRules(rules), ranges: new RangeRules(rules.ranges ?? []) }));

/** What is made of a report, or that it is none. */
function attempt<T>(make: () => T): T | "malformed" {
  try {
    return make();
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedError);
    return "malformed";
  }
}

describe("the slow way", () => {
  it("makes of any bytes what the plain way makes of them: the same fragment, the same faults", () => {
    let cleaned = 0;
    fc.assert(
      fc.property(arbitraryReport(now), mutations, fc.constantFrom(...allRules), (report, changes, under) => {
        const bytes = mutate(report, changes);
        const result = attempt(() => cleanReport(bytes, under.rules, under.ranges));
        const plain = attempt(() => cleanPlainly(bytes, under.rules, under.ranges));
        if (result === "malformed" || plain === "malformed") {
          expect(result).toBe(plain);
          return;
        }
        cleaned += plain.samples.length > 0 ? 1 : 0;
        expectSame(result, plain);
      }),
      { numRuns, seed },
    );
    expect(cleaned).toBeGreaterThan(numRuns / 10);
  });

  function expectSame(result: CleanedReport, plain: PlainlyCleaned): void {
    const { sent, bytes, places, hostId, faults } = result;
    expect(faults).toEqual(plain.faults);
    expect(hostId).toBe(plain.hostId);
    expect(sent.samples.length).toBe(plain.samplesSent);
    expect([sent.timestampHigh, sent.timestampLow]).toEqual([plain.timestamp.high, plain.timestamp.low]);
    expect(sent.timeMs).toBe(plain.timeMs);
    expect(Buffer.compare(bytes, encodeSamples(plain.samples))).toBe(0);
    // Each sample of the fragment is that of the report which its place names.
    const faulty = new Set(plain.faults.map((fault) => fault.sampleIndex));
    const sentPlaces = sent.samples.map(({ place }) => place).filter((place) => !faulty.has(place));
    expect(places.toSorted((a, b) => a - b)).toEqual(sentPlaces);
    const keys = decodeSamples(bytes).map(seriesKey);
    const sorted = plain.samples.map((one) =>
      seriesKey({ ...one, labels: one.labels.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }),
    );
    expect(places.map((place) => sorted[sentPlaces.indexOf(place)])).toEqual(keys);
  }

  it("takes what it has made for what it is", () => {
    fc.assert(
      fc.property(arbitraryReport(now), mutations, (report, changes) => {
        const { rules, ranges } = allRules[0]!;
        const result = attempt(() => cleanReport(mutate(report, changes), rules, ranges));
        if (result === "malformed" || result.places.length === 0) return;
        const again = Uint8Array.from([...encodeReport("h", now, []), ...result.bytes]);
        const second = cleanReport(again, rules, ranges);
        expect(second.faults).toEqual([]);
        expect(Buffer.compare(second.bytes, result.bytes)).toBe(0);
        // The scan leaves samples with flags to the slow way, and values that are no numbers.
        const isPlain = decodeSamples(result.bytes).every(
          ({ flags, nan }) => flags === 0 && nan === undefined,
        );
        if (isPlain) expect(new RunScanner(rules, ranges).scan(result.bytes)).toBe(result.places.length);
      }),
      { numRuns: numRuns / 2, seed },
    );
  });
});

describe("the byte scan", () => {
  it("calls a run of samples regular only when the plain way finds the same bytes and no fault", () => {
    let regular = 0;
    fc.assert(
      fc.property(arbitraryReport(now), mutations, fc.constantFrom(...allRules), (report, changes, under) => {
        const bytes = mutate(report, changes);
        const start = 2 + report[1]! + 9;
        const run = bytes.subarray(start);
        const samples = new RunScanner(under.rules, under.ranges).scan(run);
        if (samples === 0) return;
        regular++;
        const alone = Uint8Array.from([...encodeReport("h", now, []), ...run]);
        const plain = cleanPlainly(alone, under.rules, under.ranges);
        expect(plain.faults).toEqual([]);
        expect(plain.samplesSent).toBe(samples);
        expect(Buffer.compare(encodeSamples(plain.samples), run)).toBe(0);
      }),
      { numRuns, seed },
    );
    expect(regular).toBeGreaterThan(numRuns / 20);
  });
});

describe("the plain way", () => {
  const ranges = new RangeRules([]);

  it("agrees with protobuf-es on what a message says: fields in any order, repeated, unknown ones among them", () => {
    // Field 15 as a varint, field 16 as a text, field 17 as a group that holds field 1.
    const unknown = fc.constantFrom(
      [],
      [0x78, 0xff, 0x01],
      [0x82, 0x01, 0x02, 0x41, 0x42],
      [0x8b, 0x01, 0x08, 0x01, 0x8c, 0x01],
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(arbitraryReport(now), unknown), { minLength: 1, maxLength: 3 }),
        (parts) => {
          const bytes = Uint8Array.from(parts.flatMap(([report, between]) => [...report, ...between]));
          const lenient = resolveRules({ nan: "keep", infinite: "keep", names: "reject" });
          const decoded = fromBinary(ReportSchema, bytes);
          const cleaned = cleanPlainly(bytes, lenient, ranges);
          expect(cleaned.samplesSent).toBe(decoded.samples.length);
          expect((BigInt(cleaned.timestamp.high) << 32n) | BigInt(cleaned.timestamp.low)).toBe(
            decoded.timestampMs,
          );
          const faulty = new Set(cleaned.faults.map((fault) => fault.sampleIndex));
          const kept = decoded.samples.filter((_, index) => !faulty.has(index));
          const keyOf = (sample: {
            name: string;
            labels: readonly { name: string; value: string }[];
          }): string =>
            seriesKey({
              name: sample.name,
              labels: sample.labels.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
            });
          expect(new Map(cleaned.samples.map((s) => [keyOf(s), [s.value, s.kind, s.flags]]))).toEqual(
            new Map(kept.map((s) => [keyOf(s), [s.value, s.kind as Kind, s.flags]])),
          );
        },
      ),
      { numRuns: numRuns / 2, seed },
    );
  });
});
