import { encodeSamples, Kind, type Label, tag } from "@mon/store";
import { createRandom } from "./random.ts";

/** How the values of a metric look: that decides how well a store can compress them. */
type Shape = "ratio" | "percent" | "bytes" | "count" | "seconds" | "total";

interface Metric {
  readonly name: string;
  readonly shape: Shape;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Names of the corpora. */
export const corpusNames = ["compact", "agent"] as const;
export type CorpusName = (typeof corpusNames)[number];

/** 20 metrics in 545 bytes: Telegraf's short names, of which two have a label. */
const compact: readonly Metric[] = [
  { name: "cpu_usage_idle", shape: "percent" },
  { name: "cpu_usage_nice", shape: "percent" },
  { name: "cpu_usage_system", shape: "percent" },
  { name: "cpu_usage_user", shape: "percent" },
  { name: "disk_free", shape: "bytes", labels: { path: "/" } },
  { name: "disk_used", shape: "bytes", labels: { path: "/" } },
  { name: "diskio_reads", shape: "total" },
  { name: "diskio_writes", shape: "total" },
  { name: "mem_cached", shape: "bytes" },
  { name: "mem_free", shape: "bytes" },
  { name: "mem_used", shape: "bytes" },
  { name: "net_bytes_recv", shape: "total" },
  { name: "net_bytes_sent", shape: "total" },
  { name: "swap_free", shape: "bytes" },
  { name: "swap_used", shape: "bytes" },
  { name: "system_load1", shape: "seconds" },
  { name: "system_load15", shape: "seconds" },
  { name: "system_load5", shape: "seconds" },
  { name: "system_n_cpus", shape: "count" },
  { name: "system_uptime", shape: "count" },
];

/** 20 metrics as the reference agent names them: OpenTelemetry's system metrics under their Prometheus names. */
const agent: readonly Metric[] = [
  { name: "system_cpu_load_average_1m", shape: "seconds" },
  { name: "system_cpu_load_average_5m", shape: "seconds" },
  { name: "system_cpu_time_seconds_total", shape: "total", labels: cpu("0", "system") },
  { name: "system_cpu_time_seconds_total", shape: "total", labels: cpu("0", "user") },
  { name: "system_cpu_utilization_ratio", shape: "ratio", labels: { cpu_mode: "system" } },
  { name: "system_cpu_utilization_ratio", shape: "ratio", labels: { cpu_mode: "user" } },
  { name: "system_disk_io_bytes_total", shape: "total", labels: disk("read") },
  { name: "system_disk_io_bytes_total", shape: "total", labels: disk("write") },
  { name: "system_filesystem_usage_bytes", shape: "bytes", labels: filesystem("free") },
  { name: "system_filesystem_usage_bytes", shape: "bytes", labels: filesystem("used") },
  { name: "system_memory_limit_bytes", shape: "bytes" },
  { name: "system_memory_usage_bytes", shape: "bytes", labels: { system_memory_state: "cached" } },
  { name: "system_memory_usage_bytes", shape: "bytes", labels: { system_memory_state: "used" } },
  { name: "system_memory_utilization_ratio", shape: "ratio", labels: { system_memory_state: "used" } },
  { name: "system_network_io_bytes_total", shape: "total", labels: network("receive") },
  { name: "system_network_io_bytes_total", shape: "total", labels: network("transmit") },
  { name: "system_paging_usage_bytes", shape: "bytes", labels: { system_paging_state: "used" } },
  { name: "system_process_count", shape: "count", labels: { process_state: "running" } },
  { name: "system_process_created_total", shape: "total" },
  { name: "system_uptime_seconds", shape: "seconds" },
];

function cpu(number: string, mode: string): Readonly<Record<string, string>> {
  return { cpu_logical_number: number, cpu_mode: mode };
}

function disk(direction: string): Readonly<Record<string, string>> {
  return { disk_io_direction: direction, system_device: "nvme0n1" };
}

function filesystem(state: string): Readonly<Record<string, string>> {
  return {
    system_device: "/dev/nvme0n1p1",
    system_filesystem_mountpoint: "/",
    system_filesystem_state: state,
  };
}

function network(direction: string): Readonly<Record<string, string>> {
  return { network_interface_name: "eth0", network_io_direction: direction };
}

/** 100 metrics: the compact ones of five instances each. */
const wide: readonly Metric[] = compact.flatMap((metric) =>
  ["0", "1", "2", "3", "4"].map((instance) => ({ ...metric, labels: { instance, ...metric.labels } })),
);

/** Names of what there are templates of: the corpora, and one with many samples a report, to fill a store with. */
export type TemplateName = CorpusName | "wide";

const metricsOf: Readonly<Record<TemplateName, readonly Metric[]>> = { compact, agent, wide };

/** Digits of a host's number: ids have one length, so that they can be exchanged in place. */
export const hostDigits = 4;
/** Hosts that there are ids for. */
export const hostsMax = 10 ** hostDigits;
const hostPrefix = "web-";

/** Sets of values; a prime, so that their turn never falls in step with that of the hosts. */
export const valueRows = 1_021;

const seed = 20_260_101;

/** One encoded `mon.v1.Report`, where its changing parts stand, and what they may be changed to. */
export interface ReportTemplate {
  readonly name: TemplateName;
  readonly bytes: Uint8Array;
  readonly samples: number;
  /** The samples' series, in their order. */
  readonly series: readonly { readonly name: string; readonly labels: readonly Label[] }[];
  /** What a host's id begins with; its digits follow. */
  readonly hostPrefix: string;
  /** Where the {@link hostDigits} digits of the host stand. */
  readonly hostOffset: number;
  /** Where `timestamp_ms` stands: eight bytes, little-endian. */
  readonly timestampOffset: number;
  /** Where the values stand: eight bytes each, little-endian. */
  readonly valueOffsets: readonly number[];
  /** {@link valueRows} rows of values, in the order of `valueOffsets`; none is 0, which the encoding leaves out. */
  readonly values: Float64Array;
}

/** Encodes a corpus: canonical (rule R2), so that a broker may store the bytes of the samples as they come. */
export function createReportTemplate(name: TemplateName): ReportTemplate {
  const metrics = metricsOf[name];
  const values = valueTable(metrics);
  const samples = encodeSamples(
    metrics.map(({ name, shape, labels }, index) => ({
      name,
      labels: labelsOf(labels),
      kind: shape === "total" ? Kind.counter : Kind.unspecified,
      value: values[index]!,
      flags: 0,
    })),
  );
  const host = Buffer.from(`${hostPrefix}${"0".repeat(hostDigits)}`);
  const head = [tag.hostId, host.length, ...host, tag.timestampMs, ...new Uint8Array(8)];
  const bytes = Buffer.concat([Uint8Array.from(head), samples]);
  return {
    name,
    bytes,
    samples: metrics.length,
    series: metrics.map(({ name, labels }) => ({ name, labels: labelsOf(labels) })),
    hostPrefix,
    hostOffset: 2 + hostPrefix.length,
    timestampOffset: 2 + host.length + 1,
    valueOffsets: valueOffsets(bytes, head.length),
    values,
  };
}

function labelsOf(labels: Readonly<Record<string, string>> = {}): Label[] {
  return Object.entries(labels).map(([name, value]) => ({ name, value }));
}

/** Walks samples that begin with a name and a value and are shorter than 128 bytes, or 16,384. */
function valueOffsets(bytes: Uint8Array, start: number): number[] {
  const offsets: number[] = [];
  for (let position = start; position < bytes.length; ) {
    const isLong = bytes[position + 1]! >= 0x80;
    const body = position + (isLong ? 3 : 2);
    const length = isLong
      ? (bytes[position + 1]! & 0x7f) | (bytes[position + 2]! << 7)
      : bytes[position + 1]!;
    const value = body + 2 + bytes[body + 1]!;
    if (bytes[value] !== tag.value) throw new Error(`expected a value at byte ${value}, got ${bytes[value]}`);
    offsets.push(value + 1);
    position = body + length;
  }
  return offsets;
}

function valueTable(metrics: readonly Metric[]): Float64Array {
  const random = createRandom(seed);
  const values = new Float64Array(valueRows * metrics.length);
  for (let row = 0; row < valueRows; row++) {
    for (const [index, { shape }] of metrics.entries()) {
      values[row * metrics.length + index] = makeValue(shape, random(), row);
    }
  }
  return values;
}

function makeValue(shape: Shape, random: number, row: number): number {
  switch (shape) {
    case "ratio":
      return Math.ceil(random * 1e4) / 1e4 || 1e-4;
    case "percent":
      return random * 100 + 0.01;
    case "bytes":
      return 4_096 * (1 + Math.floor(random * 4_000_000));
    case "count":
      return 1 + Math.floor(random * 100_000);
    case "seconds":
      return (1 + Math.floor(random * 10_000)) / 100;
    case "total":
      return 1_000_000 + row * 1_000 + Math.floor(random * 1_000);
    default:
      return shape satisfies never;
  }
}
