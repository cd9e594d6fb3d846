import { fileURLToPath } from "node:url";
import type { SampleInput } from "@mon/client";
import { expect, test } from "vitest";
import type { Collector } from "../src/collector.ts";
import { CpuCollector, type CpuTimes, parseCpuStat, utilization } from "../src/collectors/cpu.ts";
import { DiskCollector } from "../src/collectors/disk.ts";
import { filesystemSamples, parseMountinfo, realMounts } from "../src/collectors/filesystem.ts";
import { MemoryCollector, memorySamples, parseMeminfo } from "../src/collectors/memory.ts";
import { NetworkCollector } from "../src/collectors/network.ts";
import { ProcessCollector } from "../src/collectors/process.ts";
import { SwapCollector, swapSamples } from "../src/collectors/swap.ts";
import { ProcFs } from "../src/proc-fs.ts";

const proc = new ProcFs(fileURLToPath(new URL("./fixtures/linux", import.meta.url)));

/** Samples as `name{label=value,…}` with labels in order, to their values. */
function byKey(samples: readonly SampleInput[]): Record<string, number> {
  return Object.fromEntries(
    samples.map(({ name, labels = {}, value }) => {
      const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
      return [`${name}{${pairs.map(([name, value]) => `${name}=${value}`).join(",")}}`, value];
    }),
  );
}

async function collect(collector: Collector): Promise<Record<string, number>> {
  return byKey(await collector.collect());
}

test("cpu: seconds by logical CPU and mode, with interrupt the sum of hard and soft", async () => {
  const samples = await collect(new CpuCollector(proc));
  expect(samples["system_cpu_time_seconds_total{cpu_logical_number=0,cpu_mode=user}"]).toBe(6);
  expect(samples["system_cpu_time_seconds_total{cpu_logical_number=2,cpu_mode=idle}"]).toBe(26);
  expect(samples["system_cpu_time_seconds_total{cpu_logical_number=0,cpu_mode=interrupt}"]).toBe(0.08);
  expect(samples["system_cpu_logical_count{}"]).toBe(2);
  expect(Object.keys(samples).length).toBe(2 * 7 + 1);
});

test("cpu: shares of the time between two readings add up to 1, and busy is all but idle and iowait", () => {
  const before: CpuTimes = { user: 10, nice: 0, system: 5, idle: 100, iowait: 9, interrupt: 1, steal: 0 };
  const after: CpuTimes = { user: 13, nice: 1, system: 6, idle: 103, iowait: 8, interrupt: 1, steal: 1 };
  expect(byKey(utilization(before, after))).toEqual({
    "system_cpu_utilization_ratio{cpu_mode=user}": 0.3333,
    "system_cpu_utilization_ratio{cpu_mode=nice}": 0.1111,
    "system_cpu_utilization_ratio{cpu_mode=system}": 0.1111,
    "system_cpu_utilization_ratio{cpu_mode=idle}": 0.3333,
    "system_cpu_utilization_ratio{cpu_mode=iowait}": 0,
    "system_cpu_utilization_ratio{cpu_mode=interrupt}": 0,
    "system_cpu_utilization_ratio{cpu_mode=steal}": 0.1111,
    "system_cpu_utilization_ratio{cpu_mode=busy}": 0.6667,
  });
  expect(utilization(after, after)).toEqual([]);
});

test("cpu: a machine of more than 64 CPUs reports its times summed", async () => {
  const lines = Array.from({ length: 65 }, (_, cpu) => `cpu${cpu} 100 0 0 0 0 0 0 0 0 0`);
  const text = ["cpu  6500 0 0 0 0 0 0 0 0 0", ...lines, "intr 1"].join("\n");
  const samples = await collect(new CpuCollector({ read: () => text } as unknown as ProcFs));
  expect(samples["system_cpu_time_seconds_total{cpu_mode=user}"]).toBe(65);
  expect(Object.keys(samples).length).toBe(8);
});

test.each([
  ["", "expected a cpu line first in /proc/stat"],
  ["cpu  1 2 x 4 5 6 7", "expected a number for /proc/stat cpu, got x"],
  ["cpu  1 2", "expected a number for /proc/stat cpu, got undefined"],
])("cpu: a file that is none says so: case %#", (text, message) => {
  expect(() => parseCpuStat(text)).toThrow(message);
});

test("memory: used is total less available; shares are of the total", async () => {
  expect(await collect(new MemoryCollector(proc))).toEqual({
    "system_memory_usage_bytes{system_memory_state=used}": 400_000 * 1024,
    "system_memory_usage_bytes{system_memory_state=free}": 300_000 * 1024,
    "system_memory_usage_bytes{system_memory_state=buffers}": 20_000 * 1024,
    "system_memory_usage_bytes{system_memory_state=cached}": 250_000 * 1024,
    "system_memory_utilization_ratio{system_memory_state=used}": 0.4,
    "system_memory_utilization_ratio{system_memory_state=free}": 0.3,
    "system_memory_utilization_ratio{system_memory_state=buffers}": 0.02,
    "system_memory_utilization_ratio{system_memory_state=cached}": 0.25,
    "system_memory_limit_bytes{}": 1_000_000 * 1024,
    "system_memory_linux_available_bytes{}": 600_000 * 1024,
    "system_memory_linux_shared_bytes{}": 5_000 * 1024,
    "system_memory_linux_slab_usage_bytes{system_memory_linux_slab_state=reclaimable}": 12_000 * 1024,
    "system_memory_linux_slab_usage_bytes{system_memory_linux_slab_state=unreclaimable}": 8_000 * 1024,
  });
});

test("memory: a missing entry is named, and a count without unit is no kilobytes", () => {
  expect(() => memorySamples(parseMeminfo("MemTotal: 5 kB\n"))).toThrow(
    "expected MemAvailable in /proc/meminfo",
  );
  expect(parseMeminfo("HugePages_Total:       3\n").get("HugePages_Total")).toBe(3);
});

test("swap: usage, shares, faults and moved pages", async () => {
  expect(await collect(new SwapCollector(proc))).toEqual({
    "system_paging_usage_bytes{system_paging_state=used}": 100_000 * 1024,
    "system_paging_usage_bytes{system_paging_state=free}": 300_000 * 1024,
    "system_paging_utilization_ratio{system_paging_state=used}": 0.25,
    "system_paging_utilization_ratio{system_paging_state=free}": 0.75,
    "system_paging_faults_total{system_paging_fault_type=minor}": 800,
    "system_paging_faults_total{system_paging_fault_type=major}": 100,
    "system_paging_operations_total{system_paging_direction=in,system_paging_fault_type=major}": 7,
    "system_paging_operations_total{system_paging_direction=out,system_paging_fault_type=major}": 9,
  });
});

test("swap: a machine without swap has no share of it", () => {
  const samples = byKey(swapSamples(parseMeminfo("SwapTotal: 0 kB\nSwapFree: 0 kB\n")));
  expect(samples).toEqual({
    "system_paging_usage_bytes{system_paging_state=used}": 0,
    "system_paging_usage_bytes{system_paging_state=free}": 0,
  });
});

test("disk: whole disks only, no partitions, loop or memory devices; sectors are 512 bytes", async () => {
  const samples = await collect(new DiskCollector(proc));
  const devices = new Set(Object.keys(samples).map((key) => /system_device=(\w+)/.exec(key)?.[1]));
  expect([...devices]).toEqual(["sda", "nvme0n1"]);
  expect(samples).toMatchObject({
    "system_disk_io_bytes_total{disk_io_direction=read,system_device=sda}": 2_000 * 512,
    "system_disk_io_bytes_total{disk_io_direction=write,system_device=sda}": 1_000 * 512,
    "system_disk_operations_total{disk_io_direction=read,system_device=sda}": 100,
    "system_disk_merged_total{disk_io_direction=write,system_device=sda}": 5,
    "system_disk_operation_time_seconds_total{disk_io_direction=write,system_device=sda}": 2.5,
    "system_disk_io_time_seconds_total{system_device=sda}": 3,
  });
});

test("filesystem: real mounts, each filesystem once, names unescaped", () => {
  const mounts = realMounts(parseMountinfo(proc.read("proc/self/mountinfo")));
  expect(mounts).toEqual([
    { id: "8:1", device: "/dev/sda1", mountpoint: "/", type: "ext4", mode: "rw" },
    { id: "8:17", device: "/dev/sdb1", mountpoint: "/mnt/my disk\\", type: "xfs", mode: "ro" },
    { id: "0:50", device: "nas:/export", mountpoint: "/mnt/café", type: "nfs4", mode: "rw" },
  ]);
});

test("filesystem: a container's root is reported although it is an overlay, and 64 at most are", () => {
  const overlay = "27 1 0:9 / / rw - overlay overlay rw\n";
  const many = Array.from({ length: 70 }, (_, n) => `1 1 8:${n} / /m${n} rw - ext4 /dev/d${n} rw`).join("\n");
  expect(realMounts(parseMountinfo(overlay)).map(({ mountpoint }) => mountpoint)).toEqual(["/"]);
  expect(realMounts(parseMountinfo(many)).length).toBe(64);
  expect(() => parseMountinfo("27 1 0:9 / /")).toThrow(
    "expected a mount in /proc/self/mountinfo, got 27 1 0:9 / /",
  );
});

test("filesystem: used, free and reserved add up to the limit", () => {
  const mount = { id: "8:1", device: "/dev/sda1", mountpoint: "/", type: "ext4", mode: "rw" };
  const samples = filesystemSamples(mount, { bsize: 4096, blocks: 1_000, bfree: 400, bavail: 350 });
  const usage = samples.filter(({ name }) => name === "system_filesystem_usage_bytes");
  expect(usage.map(({ labels, value }) => [labels?.system_filesystem_state, value / 4096])).toEqual([
    ["used", 600],
    ["free", 350],
    ["reserved", 50],
  ]);
  expect(samples.find(({ name }) => name === "system_filesystem_limit_bytes")?.value).toBe(4096 * 1_000);
  expect(filesystemSamples(mount, { bsize: 4096, blocks: 0, bfree: 0, bavail: 0 })).toEqual([]);
});

test("network: bytes, packets, errors and drops by interface and direction, and connections by transport", async () => {
  const samples = await collect(new NetworkCollector(proc));
  expect(samples).toMatchObject({
    "system_network_io_bytes_total{network_interface_name=eth0,network_io_direction=receive}": 561724342,
    "system_network_io_bytes_total{network_interface_name=eth0,network_io_direction=transmit}": 1138819,
    "system_network_errors_total{network_interface_name=eth0,network_io_direction=receive}": 1,
    "system_network_packet_dropped_total{network_interface_name=eth0,network_io_direction=transmit}": 4,
    "system_network_packet_count_total{network_io_direction=transmit,system_device=eth0}": 9002,
    "system_network_io_bytes_total{network_interface_name=eth0:1,network_io_direction=transmit}": 20,
    "system_network_connection_count{network_transport=tcp}": 17,
    "system_network_connection_count{network_transport=udp}": 3,
  });
  expect(Object.keys(samples).some((key) => key.includes("veth"))).toBe(false);
});

test("process: a state is found behind any name, and an idle kernel thread sleeps", async () => {
  expect(await collect(new ProcessCollector(proc))).toEqual({
    "system_process_count{process_state=running}": 1,
    "system_process_count{process_state=sleeping}": 2,
    "system_process_count{process_state=stopped}": 0,
    "system_process_count{process_state=defunct}": 1,
    "system_process_created_total{}": 7927,
  });
});

test("process: beyond 1,000 processes only their number is reported", async () => {
  const pids = Array.from({ length: 1_001 }, (_, pid) => String(pid + 1));
  const crowded = { list: () => [...pids, "self"], read: () => "processes 5\n" } as unknown as ProcFs;
  expect(await collect(new ProcessCollector(crowded))).toEqual({
    "system_process_count{}": 1_001,
    "system_process_created_total{}": 5,
  });
});
