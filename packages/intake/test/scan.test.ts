import { fromBinary } from "@bufbuild/protobuf";
import { ReportSchema } from "@mon/proto";
import { encodeSamples, type Kind, type Sample, seriesKey } from "@mon/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cleanReport } from "../src/clean.ts";
import { BatchReader } from "../src/index.ts";
import { defaultRules, RangeRules, resolveRules } from "../src/rules.ts";
import { ReportScanner } from "../src/scan.ts";
import { MalformedError } from "../src/wire-reader.ts";
import { arbitraryReport, encodeReport } from "./support/reports.ts";

const now = 1_767_225_600_000;
const isFull = process.env.MON_TEST === "full";
const seed = Number(process.env.SEED ?? 20261123);

/** Changes bytes of a message: flips, cuts, repeats, inserts. */
const mutations = fc.array(
  fc.record({
    kind: fc.constantFrom("flip", "cut", "repeat", "insert"),
    at: fc.nat(),
    byte: fc.nat(255),
    length: fc.nat(12),
  }),
  { maxLength: 3 },
);

function mutate(
  bytes: Uint8Array,
  changes: readonly { kind: string; at: number; byte: number; length: number }[],
): Uint8Array {
  let mutated = [...bytes];
  for (const { kind, at, byte, length } of changes) {
    const position = at % (mutated.length + 1);
    if (kind === "flip" && position < mutated.length) mutated[position] = byte;
    else if (kind === "cut") mutated = mutated.slice(0, position);
    else if (kind === "repeat") mutated.splice(position, 0, ...mutated.slice(position, position + length));
    else if (kind === "insert") mutated.splice(position, 0, byte);
  }
  return Uint8Array.from(mutated);
}

describe("the byte scan", () => {
  const ranges = new RangeRules([{ metric: "disk_*", min: 0, max: 1e6, action: "drop" }]);
  const rules = { ...defaultRules, ranges: [] };

  it("calls a report regular only when the slow way finds the same bytes and no fault", () => {
    const scanner = new ReportScanner(rules, ranges);
    let regular = 0;
    fc.assert(
      fc.property(arbitraryReport(now), mutations, (report, changes) => {
        const bytes = mutate(report, changes);
        if (!scanner.scan(bytes)) return;
        regular++;
        const cleaned = cleanReport(bytes, rules, ranges);
        expect(cleaned.faults).toEqual([]);
        expect(cleaned.samplesSent).toBe(scanner.samples);
        expect(cleaned.timestamp).toEqual({ high: scanner.timestampHigh, low: scanner.timestampLow });
        expect(cleaned.hostId).toBe(
          Buffer.from(bytes.subarray(scanner.hostStart, scanner.hostEnd)).toString(),
        );
        expect(encodeSamples(cleaned.samples)).toEqual(bytes.slice(scanner.samplesStart, scanner.samplesEnd));
      }),
      { numRuns: isFull ? 1_000_000 : 10_000, seed },
    );
    expect(regular).toBeGreaterThan(isFull ? 50_000 : 500);
  });

  it("calls every canonical report of good samples regular", () => {
    const scanner = new ReportScanner(rules, new RangeRules([]));
    fc.assert(
      fc.property(arbitraryReport(now), (report) => {
        let cleaned: ReturnType<typeof cleanReport>;
        try {
          cleaned = cleanReport(report, rules, new RangeRules([]));
        } catch {
          return;
        }
        const kept = cleaned.samples.filter((sample) => sample.flags === 0);
        if (kept.length === 0 || cleaned.faults.some((fault) => fault.sampleIndex === undefined)) return;
        const canonical = new Uint8Array([...encodeReport(cleaned.hostId, now, []), ...encodeSamples(kept)]);
        expect(scanner.scan(canonical)).toBe(true);
      }),
      { numRuns: 5_000, seed },
    );
  });
});

describe("the slow way", () => {
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
          const lenient = resolveRules({ nan: "keep", infinite: "keep" });
          const decoded = fromBinary(ReportSchema, bytes);
          const cleaned = cleanReport(bytes, lenient, ranges);
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
      { numRuns: isFull ? 1_000_000 : 10_000, seed },
    );
  });

  it("makes of any bytes canonical samples or a refusal, and nothing else", () => {
    const scanner = new ReportScanner(defaultRules, ranges);
    fc.assert(
      fc.property(arbitraryReport(now), mutations, (report, changes) => {
        let samples: readonly Sample[];
        try {
          ({ samples } = cleanReport(mutate(report, changes), defaultRules, ranges));
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
          return;
        }
        // The scan leaves samples with flags to the slow way.
        const plain = samples.filter((sample) => sample.flags === 0);
        if (plain.length === 0) return;
        expect(scanner.scan(Uint8Array.from([...encodeReport("h", now, []), ...encodeSamples(plain)]))).toBe(
          true,
        );
      }),
      { numRuns: isFull ? 1_000_000 : 10_000, seed },
    );
  });
});

describe("a batch", () => {
  const reader = (rules = {}) => new BatchReader(resolveRules(rules));
  const good = { name: "a", value: 1 };

  it.each([
    ["host_id_missing", "reports[0].host_id", encodeReport("", now, [good])],
    ["host_id_invalid", "reports[0].host_id", encodeReport("h".repeat(129), now, [good])],
    ["host_id_invalid", "reports[0].host_id", encodeReport("a b", now, [good])],
    ["host_id_invalid", "reports[0].host_id", encodeReport("-a", now, [good])],
    ["timestamp_missing", "reports[0].timestamp_ms", encodeReport("h", 0, [good])],
    ["timestamp_too_old", "reports[0].timestamp_ms", encodeReport("h", now - 7 * 86_400_000 - 1, [good])],
    ["timestamp_too_new", "reports[0].timestamp_ms", encodeReport("h", now + 600_001, [good])],
    ["samples_missing", "reports[0].samples", encodeReport("h", now, [])],
  ])("rejects a report by name: %s at %s", (reason, field, report) => {
    const batch = reader().read([report, encodeReport("ok", now, [good])], now);
    expect(batch.rejections).toMatchObject([{ reportIndex: 0, reason, field }]);
    expect(batch.rejections[0]).not.toHaveProperty("sampleIndex");
    expect(batch.fragments.map(({ hostId }) => hostId)).toEqual(["ok"]);
  });

  const labels = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${String(i).padStart(2, "0")}`, "v"]));

  it.each([
    ["name_invalid", "reports[0].samples[1].name", { name: "a b", value: 1 }],
    ["name_invalid", "reports[0].samples[1].name", { name: "", value: 1 }],
    ["name_too_long", "reports[0].samples[1].name", { name: "n".repeat(1_025), value: 1 }],
    ["too_many_labels", "reports[0].samples[1].labels", { name: "b", value: 1, labels: labels(33) }],
    [
      "label_name_invalid",
      "reports[0].samples[1].labels[0].name",
      { name: "b", value: 1, labels: { "0x": "" } },
    ],
    [
      "label_name_invalid",
      "reports[0].samples[1].labels[0].name",
      { name: "b", value: 1, labels: { __name__: "" } },
    ],
    [
      "label_value_invalid",
      "reports[0].samples[1].labels[0].value",
      { name: "b", value: 1, labels: { l: "v".repeat(2_049) } },
    ],
    ["value_nan", "reports[0].samples[1].value", { name: "b", value: Number.NaN }],
    ["value_infinite", "reports[0].samples[1].value", { name: "b", value: Number.NEGATIVE_INFINITY }],
    ["kind_invalid", "reports[0].samples[1].kind", { name: "b", value: 1, kind: 9 }],
    ["duplicate_series", "reports[0].samples[1]", { name: "a", value: 2 }],
  ])("rejects a sample by name and keeps the rest: %s at %s", (reason, field, bad) => {
    const batch = reader().read([encodeReport("h", now, [good, bad as never])], now);
    expect(batch.rejections).toMatchObject([{ reportIndex: 0, sampleIndex: 1, hostId: "h", reason, field }]);
    expect(batch.sampleCounts).toEqual([1]);
  });

  it("takes 32 labels, and times at both ends of the window", () => {
    const batch = reader().read(
      [
        encodeReport("h", now - 7 * 86_400_000, [{ name: "a", value: 1, labels: labels(32) }]),
        encodeReport("h", now + 600_000, [good]),
      ],
      now,
    );
    expect(batch.rejections).toEqual([]);
    expect(batch.fragments).toHaveLength(2);
  });

  it("rejects exactly the three bad samples of a thousand", () => {
    const samples = Array.from({ length: 1_000 }, (_, i) => ({
      name: `m${i}`,
      value: [7, 500, 999].includes(i) ? Number.NaN : i,
    }));
    const batch = reader().read([encodeReport("h", now, samples)], now);
    expect(batch.rejections.map(({ sampleIndex, reason }) => [sampleIndex, reason])).toEqual([
      [7, "value_nan"],
      [500, "value_nan"],
      [999, "value_nan"],
    ]);
    expect(batch.sampleCounts).toEqual([997]);
  });

  it("takes nothing of a batch of 10,001 samples, and everything of one of 10,000 (R7)", () => {
    const report = (count: number): Uint8Array =>
      encodeReport(
        "h",
        now,
        Array.from({ length: count }, (_, i) => ({ name: `m${String(i).padStart(5, "0")}`, value: i + 1 })),
      );
    expect(reader().read([report(10_000)], now).sampleCounts).toEqual([10_000]);
    const over = reader().read([encodeReport("h", now, [good]), report(10_000)], now);
    expect(over.fragments).toEqual([]);
    expect(over.rejections).toMatchObject([{ reportIndex: 1, reason: "too_many_samples", field: "reports" }]);
  });

  it("takes nothing of a batch with a truncated report (R7)", () => {
    const whole = encodeReport("h", now, [good]);
    const batch = reader().read([whole, whole.subarray(0, whole.length - 3)], now);
    expect(batch.fragments).toEqual([]);
    expect(batch.rejections).toMatchObject([{ reportIndex: 1, reason: "malformed", field: "reports[1]" }]);
  });

  it.each([
    ["seconds", now / 1_000],
    ["microseconds", BigInt(now) * 1_000n + 999n],
    ["nanoseconds", BigInt(now) * 1_000_000n + 999_999n],
  ])("recognises %s and counts the conversion", (_unit, sent) => {
    const batch = reader().read([encodeReport("h", sent, [good])], now);
    expect(batch.fragments[0]!.timestampMs).toBe(now);
    expect(batch.timestampsConverted).toBe(1);
  });

  it("drops or marks values outside of their metric's range, by rule", () => {
    const ranges = [
      { metric: "temp_*", min: -50, max: 100, action: "drop" as const },
      { metric: "load", max: 1_000, action: "mark" as const },
    ];
    const samples = [
      { name: "load", value: 5_000 },
      { name: "other", value: 1e9 },
      { name: "temp_cpu", value: 120 },
      { name: "temp_disk", value: 40 },
    ];
    const batch = reader({ ranges }).read([encodeReport("h", now, samples)], now);
    expect(batch.rejections).toMatchObject([
      { sampleIndex: 2, reason: "value_out_of_range", name: "temp_cpu" },
    ]);
    const cleaned = cleanReport(
      encodeReport("h", now, samples),
      resolveRules({ ranges }),
      new RangeRules(ranges),
    );
    expect(cleaned.samples.map(({ name, flags }) => [name, flags])).toEqual([
      ["load", 1],
      ["other", 0],
      ["temp_disk", 0],
    ]);
  });

  it("keeps Prometheus's stale marker whatever the policy, bit for bit", () => {
    const report = encodeReport("h", now, [{ name: "a", value: 1 }]);
    // The value's eight bytes follow name "a" in the only sample.
    report.set([0x02, 0, 0, 0, 0, 0, 0xf0, 0x7f], report.length - 8);
    const batch = reader().read([report], now);
    expect(batch.rejections).toEqual([]);
    expect([...batch.fragments[0]!.bytes.slice(-8)]).toEqual([0x02, 0, 0, 0, 0, 0, 0xf0, 0x7f]);
  });
});
