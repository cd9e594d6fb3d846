import { decodeSamples, Kind } from "@mon/store";
import { describe, expect, it } from "vitest";
import { BatchReader, prometheusLabel, prometheusName } from "../src/index.ts";
import { resolveRules } from "../src/rules.ts";
import { encodeReport, type TestSample } from "./support/reports.ts";

const now = 1_767_225_600_000;

describe("the Prometheus name of an OpenTelemetry metric", () => {
  it.each([
    // As the semantic conventions for system metrics have them.
    ["system.cpu.utilization", "1", Kind.gauge, "system_cpu_utilization_ratio"],
    ["system.cpu.time", "s", Kind.counter, "system_cpu_time_seconds_total"],
    ["system.memory.usage", "By", Kind.gauge, "system_memory_usage_bytes"],
    ["system.disk.io", "By", Kind.counter, "system_disk_io_bytes_total"],
    ["system.disk.operations", "{operation}", Kind.counter, "system_disk_operations_total"],
    ["system.network.packet.count", "{packet}", Kind.counter, "system_network_packet_count_total"],
    ["system.uptime", "s", Kind.gauge, "system_uptime_seconds"],
    // Nothing twice.
    ["request.duration.seconds", "s", Kind.gauge, "request_duration_seconds"],
    ["requests.total", "1", Kind.counter, "requests_total"],
    ["total.requests", "", Kind.counter, "requests_total"],
    ["hit.ratio", "1", Kind.gauge, "hit_ratio"],
    ["hits", "1", Kind.unspecified, "hits"],
    // Units.
    ["speed", "m/s", Kind.gauge, "speed_meters_per_second"],
    ["rate", "By/s", Kind.gauge, "rate_bytes_per_second"],
    ["rate", "{packet}/min", Kind.gauge, "rate_per_min"],
    ["rate", "By/{request}", Kind.gauge, "rate_bytes"],
    ["battery", "%", Kind.gauge, "battery_percent"],
    ["odd", "foo__bar", Kind.gauge, "odd_foo_bar"],
    // Characters.
    ["a..b--c/d", "", Kind.gauge, "a_b_c_d"],
    ["a:b", "", Kind.gauge, "a:b"],
    ["_leading.", "", Kind.gauge, "leading"],
    ["3d.prints", "", Kind.gauge, "_3d_prints"],
    ["größe", "", Kind.gauge, "gr_e"],
    ["...", "s", Kind.gauge, ""],
  ])("of %s in %j, kind %i, is %j", (name, unit, kind, expected) => {
    expect(prometheusName({ name, unit, kind })).toBe(expected);
    if (unit === "") expect(prometheusName({ name, kind })).toBe(expected);
  });

  it.each([
    ["cpu.mode", "cpu_mode"],
    ["cpu", "cpu"],
    ["http..route", "http_route"],
    ["0.5", "key_0_5"],
    ["_private", "key_private"],
    ["größe", "gr_e"],
  ])("of the attribute %s is %s", (key, expected) => {
    expect(prometheusLabel(key)).toBe(expected);
  });
});

describe("names in reports", () => {
  const read = (rules: object, ...samples: TestSample[]) =>
    new BatchReader(resolveRules(rules)).read([encodeReport("h", now, samples)], now);
  const labels = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`l.${i}`, "v"]));

  it("are translated when they are OpenTelemetry's, and stay as they are when they are Prometheus's", () => {
    const batch = read(
      {},
      { name: "system.cpu.time", value: 1, kind: Kind.counter, labels: { "cpu.mode": "user", cpu: "0" } },
      { name: "system_total_time", value: 2, kind: Kind.counter, labels: { "b.b": "x" } },
    );
    expect(batch.rejections).toEqual([]);
    expect(decodeSamples(batch.fragments[0]!.bytes)).toMatchObject([
      {
        name: "system_cpu_time_total",
        value: 1,
        labels: [
          { name: "cpu", value: "0" },
          { name: "cpu_mode", value: "user" },
        ],
      },
      { name: "system_total_time", value: 2, labels: [{ name: "b_b", value: "x" }] },
    ]);
  });

  it("of labels that become one are joined, in the order of what was sent", () => {
    const sent = { name: "a", value: 1, labels: { a_b: "3", "a.b": "2", "a-b": "1" } };
    const batch = read({}, sent);
    expect(decodeSamples(batch.fragments[0]!.bytes)[0]!.labels).toEqual([{ name: "a_b", value: "1;2;3" }]);
  });

  it("that become one are one series: the first stays", () => {
    const batch = read({}, { name: "a.b", value: 1 }, { name: "a-b", value: 2 });
    expect(batch.rejections).toMatchObject([{ sampleIndex: 1, reason: "duplicate_series" }]);
    expect(decodeSamples(batch.fragments[0]!.bytes)).toMatchObject([{ name: "a_b", value: 1 }]);
  });

  it("are held to the limits, before and after", () => {
    const long = { name: "a.bbb", value: 1, kind: Kind.counter };
    expect(read({ nameBytesMax: 5 }, long).rejections).toMatchObject([
      { reason: "name_too_long", field: "reports[0].samples[0].name", name: "a.bbb" },
    ]);
    expect(read({ nameBytesMax: 11 }, long).rejections).toEqual([]);
    expect(read({ labelsMax: 1 }, { name: "a", value: 1, labels: labels(2) }).rejections).toMatchObject([
      { reason: "too_many_labels" },
    ]);
    const joined = { name: "a", value: 1, labels: { "l.l": "12", l_l: "34" } };
    expect(read({ labelValueBytesMax: 4 }, joined).rejections).toMatchObject([
      { reason: "label_value_invalid", message: "expected a label value of at most 4 bytes, got 5" },
    ]);
    expect(read({ labelValueBytesMax: 5 }, joined).rejections).toEqual([]);
  });

  it("have the range of what they become", () => {
    const ranges = [{ metric: "a_b", max: 1, action: "drop" as const }];
    expect(read({ ranges }, { name: "a.b", value: 2 }).rejections).toMatchObject([
      { reason: "value_out_of_range", name: "a.b" },
    ]);
  });

  it("are rejected when the rule says so, and when they are nobody's", () => {
    const [metric, label] = [
      { name: "a.b", value: 1 },
      { name: "a", value: 1, labels: { "b.b": "" } },
    ];
    const strict = read({ names: "reject" }, metric!, label!);
    expect(strict.rejections).toMatchObject([{ reason: "name_invalid" }, { reason: "label_name_invalid" }]);
    const nobodys = read(
      {},
      { name: "a b", value: 1 },
      { name: ".a", value: 1 },
      { ...label!, labels: { é: "" } },
    );
    expect(nobodys.rejections.map(({ reason }) => reason)).toEqual([
      "name_invalid",
      "name_invalid",
      "label_name_invalid",
    ]);
  });
});
