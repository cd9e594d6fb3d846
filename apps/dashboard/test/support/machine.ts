import type { MessageInitShape } from "@bufbuild/protobuf";
import { Kind, type ReportSchema } from "@mon/proto";

type Report = MessageInitShape<typeof ReportSchema>;

/** Batches of what machines reported each second over the past two minutes: the same on every run but for the time. */
export function machineReports(hostIds: readonly string[], nowMs: number): Report[][] {
  return hostIds.map((hostId, place) =>
    Array.from({ length: 120 }, (_, index) => report(hostId, place, index, nowMs - (119 - index) * 1_000)),
  );
}

function report(hostId: string, place: number, index: number, timestampMs: number): Report {
  const busy = 0.3 + 0.2 * Math.sin(index / 10 + place);
  const gauge = (name: string, value: number, labels: Record<string, string> = {}) => ({
    name,
    value,
    kind: Kind.GAUGE,
    labels: Object.entries(labels).map(([key, text]) => ({ name: key, value: text })),
  });
  return {
    hostId,
    timestampMs: BigInt(timestampMs),
    samples: [
      gauge("system_cpu_utilization_ratio", busy, { cpu_mode: "busy" }),
      gauge("system_cpu_utilization_ratio", 1 - busy, { cpu_mode: "idle" }),
      gauge("system_cpu_load_average_1m", busy * 4),
      gauge("system_memory_utilization_ratio", 0.6, { system_memory_state: "used" }),
      gauge("system_memory_utilization_ratio", 0.4, { system_memory_state: "free" }),
      gauge("system_uptime_seconds", 90_000 + index),
      { name: "system_disk_io_bytes_total", value: index * 250_000 * (place + 1), kind: Kind.COUNTER },
    ],
  };
}
