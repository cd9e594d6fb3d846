import { create, toBinary } from "@bufbuild/protobuf";
import { Kind, ReportSchema } from "@mon/proto";

const names = [
  "cpu_idle_ratio",
  "cpu_sys_ratio",
  "cpu_user_ratio",
  "disk_free_b",
  "disk_read_b",
  "disk_write_b",
  "fd_assigned",
  "load_15m",
  "load_1m",
  "load_5m",
  "mem_cached_b",
  "mem_free_b",
  "mem_used_bytes",
  "net_recv_b",
  "net_sent_b",
  "proc_running",
  "proc_total",
  "swap_used_b",
  "tcp_established",
  "uptime_seconds",
];

/** Encoded reports of 20 metrics, one for each host; in the canonical order of samples, or in its reverse. */
export function createReports(count: number, timestampMs: number, isCanonical: boolean): Uint8Array[] {
  return Array.from({ length: count }, (_, host) => {
    const samples = names.map((name, i) => ({ name, value: host + i + 0.25, kind: Kind.GAUGE }));
    const report = create(ReportSchema, {
      hostId: `web-${String(host).padStart(4, "0")}`,
      timestampMs: BigInt(timestampMs),
      samples: isCanonical ? samples : samples.toReversed(),
    });
    return toBinary(ReportSchema, report);
  });
}
