import { decodeSamples } from "@mon/store";
import { describe, expect, it } from "vitest";
import { BatchReader } from "../src/index.ts";
import { resolveRules } from "../src/rules.ts";
import { encodeReport } from "./support/reports.ts";

const now = 1_767_225_600_000;

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
    expect(decodeSamples(batch.fragments[0]!.bytes).map(({ name, flags }) => [name, flags])).toEqual([
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
