import type { Collector, CollectorName } from "./collector.ts";
import { CpuCollector } from "./collectors/cpu.ts";
import { DiskCollector } from "./collectors/disk.ts";
import { FilesystemCollector } from "./collectors/filesystem.ts";
import { LoadCollector } from "./collectors/load.ts";
import { MemoryCollector } from "./collectors/memory.ts";
import { NetworkCollector } from "./collectors/network.ts";
import { ProcessCollector } from "./collectors/process.ts";
import { SwapCollector } from "./collectors/swap.ts";
import { UptimeCollector } from "./collectors/uptime.ts";
import { ProcFs } from "./proc-fs.ts";

/** The collectors for a platform: Linux is read directly, any other through a library. */
export async function collectorsOf(
  platform: NodeJS.Platform,
  names: ReadonlySet<CollectorName>,
): Promise<Collector[]> {
  const all = platform === "linux" ? linuxCollectors(new ProcFs()) : await otherCollectors();
  return all.filter(({ name }) => names.has(name));
}

/** The library is large, and loaded only where it is used. */
async function otherCollectors(): Promise<Collector[]> {
  const { portableCollectors } = await import("./portable-collectors.ts");
  return portableCollectors();
}

/** The collectors that read `/proc` and `/sys`. */
export function linuxCollectors(proc: ProcFs): Collector[] {
  return [
    new CpuCollector(proc),
    new LoadCollector(),
    new MemoryCollector(proc),
    new SwapCollector(proc),
    new DiskCollector(proc),
    new FilesystemCollector(proc),
    new NetworkCollector(proc),
    new ProcessCollector(proc),
    new UptimeCollector(),
  ];
}
