import { create, toBinary } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@mon/proto";
import type { Sample } from "../src/index.ts";

/** Reports of 20 metrics as an agent sends them, one for each value; names, labels and order are the same in all. */
export function createSamples(value: number): Sample[] {
  const plain = [
    "system_memory_usage_bytes",
    "system_memory_utilization_ratio",
    "system_paging_usage_bytes",
    "system_uptime_seconds",
  ];
  const cpu = ["idle", "iowait", "nice", "steal", "system", "user"].map((mode) => ({
    name: "system_cpu_time_seconds_total",
    labels: [{ name: "mode", value: mode }],
  }));
  const disk = ["sda", "sdb"].flatMap((device) =>
    ["read", "write"].map((direction) => ({
      name: "system_disk_io_bytes_total",
      labels: [
        { name: "device", value: device },
        { name: "direction", value: direction },
      ],
    })),
  );
  const load = ["1m", "5m", "15m"].map((span) => ({ name: `system_cpu_load_average_${span}`, labels: [] }));
  const processes = ["blocked", "running", "total"].map((state) => ({
    name: `system_processes_${state}`,
    labels: [],
  }));
  return [...plain.map((name) => ({ name, labels: [] })), ...cpu, ...disk, ...load, ...processes].map(
    (series, i): Sample => ({
      ...series,
      value: value + i + 0.25,
      kind: series.name.endsWith("_total") && series.labels.length > 0 ? 2 : 1,
      flags: 0,
    }),
  );
}

/** The same as a message of protobuf-es, without host and time: it encodes to a fragment's bytes. */
export function createMessage(samples: readonly Sample[]): Report {
  return create(ReportSchema, {
    samples: samples.map(({ name, value, kind, labels }) => ({
      name,
      value,
      kind,
      labels: labels.map((label) => ({ ...label })),
    })),
  });
}

export function encodeMessage(report: Report): Uint8Array {
  return toBinary(ReportSchema, report);
}
