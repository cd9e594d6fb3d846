import { cpus } from "node:os";
import type { SampleInput } from "@mon/client";
import { disksIO, fsSize, fsStats, mem, networkStats, processes } from "systeminformation";
import type { Collector, CollectorName } from "./collector.ts";
import { type CpuTimes, utilization } from "./collectors/cpu.ts";
import { filesystemSamples } from "./collectors/filesystem.ts";
import { LoadCollector } from "./collectors/load.ts";
import { UptimeCollector } from "./collectors/uptime.ts";
import { counter, gauge, ratio } from "./sample.ts";

/** The most filesystems and interfaces that are reported. */
const itemsMax = 64;

/** Samples of the machine's CPUs together, from what every platform tells. */
function readCpu(before: CpuTimes | undefined): { times: CpuTimes; samples: SampleInput[] } {
  const all = cpus();
  const seconds = (mode: "user" | "nice" | "sys" | "idle" | "irq"): number =>
    all.reduce((sum, { times }) => sum + times[mode], 0) / 1_000;
  const known = {
    user: seconds("user"),
    nice: seconds("nice"),
    system: seconds("sys"),
    idle: seconds("idle"),
    interrupt: seconds("irq"),
  };
  const times: CpuTimes = { ...known, iowait: 0, steal: 0 };
  const samples = Object.entries(known).map(([mode, value]) =>
    counter("system_cpu_time_seconds_total", value, { cpu_mode: mode }),
  );
  samples.push(gauge("system_cpu_logical_count", all.length));
  return { times, samples: before === undefined ? samples : [...samples, ...utilization(before, times)] };
}

async function readMemory(): Promise<SampleInput[]> {
  const { total, free, buffers, cached, available } = await mem();
  const states = Object.entries({ used: total - available, free, buffers, cached });
  return [
    ...states.flatMap(([state, bytes]) => [
      gauge("system_memory_usage_bytes", bytes, { system_memory_state: state }),
      ratio("system_memory_utilization_ratio", bytes, total, { system_memory_state: state }),
    ]),
    gauge("system_memory_limit_bytes", total),
  ];
}

async function readSwap(): Promise<SampleInput[]> {
  const { swaptotal, swapused, swapfree } = await mem();
  return Object.entries({ used: swapused, free: swapfree }).flatMap(([state, bytes]) => {
    const labels = { system_paging_state: state };
    const usage = gauge("system_paging_usage_bytes", bytes, labels);
    return swaptotal === 0
      ? [usage]
      : [usage, ratio("system_paging_utilization_ratio", bytes, swaptotal, labels)];
  });
}

/** Bytes and operations of all disks together: the library does not tell them apart. */
async function readDisks(): Promise<SampleInput[]> {
  const [bytes, operations] = [await fsStats(), await disksIO()];
  const directions = [
    { direction: "read", bytes: bytes?.rx, operations: operations?.rIO },
    { direction: "write", bytes: bytes?.wx, operations: operations?.wIO },
  ];
  // Where a platform has no such reading the library answers with nothing.
  return directions.flatMap(({ direction, bytes, operations }) => {
    const labels = { disk_io_direction: direction };
    const samples: SampleInput[] = [];
    if (typeof bytes === "number") samples.push(counter("system_disk_io_bytes_total", bytes, labels));
    if (typeof operations === "number")
      samples.push(counter("system_disk_operations_total", operations, labels));
    return samples;
  });
}

async function readFilesystems(): Promise<SampleInput[]> {
  return (await fsSize()).slice(0, itemsMax).flatMap(({ fs, type, size, used, available, mount, rw }) =>
    filesystemSamples(
      { id: mount, device: fs, mountpoint: mount, type, mode: rw === false ? "ro" : "rw" },
      // Sizes come in bytes: blocks of one.
      { bsize: 1, blocks: size, bfree: Math.max(size - used, available), bavail: available },
    ),
  );
}

async function readNetwork(): Promise<SampleInput[]> {
  const interfaces = (await networkStats("*")).slice(0, itemsMax);
  return interfaces.flatMap((stat) =>
    (["rx", "tx"] as const).flatMap((side) => {
      const labels = {
        network_interface_name: stat.iface,
        network_io_direction: side === "rx" ? "receive" : "transmit",
      };
      return [
        counter("system_network_io_bytes_total", stat[`${side}_bytes`], labels),
        counter("system_network_errors_total", stat[`${side}_errors`], labels),
        counter("system_network_packet_dropped_total", stat[`${side}_dropped`], labels),
      ];
    }),
  );
}

async function readProcesses(): Promise<SampleInput[]> {
  const { all, running } = await processes();
  // The library counts waiting on a disk apart; for the convention that is sleeping too.
  return Object.entries({ running, sleeping: all - running }).map(([state, count]) =>
    gauge("system_process_count", count, { process_state: state }),
  );
}

/**
 * Collectors for platforms without `/proc`, over the library `systeminformation`, which asks the platform's own programs.
 * The names are those of Linux; what a platform does not tell is missing.
 */
export function portableCollectors(): Collector[] {
  let before: CpuTimes | undefined;
  const collectCpu = (): SampleInput[] => {
    const { times, samples } = readCpu(before);
    before = times;
    return samples;
  };
  const reading = (name: CollectorName, collect: Collector["collect"]): Collector => ({ name, collect });
  return [
    reading("cpu", collectCpu),
    new LoadCollector(),
    reading("memory", readMemory),
    reading("swap", readSwap),
    reading("disk", readDisks),
    reading("filesystem", readFilesystems),
    reading("network", readNetwork),
    reading("process", readProcesses),
    new UptimeCollector(),
  ];
}
