import type { SampleInput } from "@mon/client";
import type { Collector } from "../collector.ts";
import { fieldsOf, linesOf, numberIn, type ProcFs } from "../proc-fs.ts";
import { gauge, ratio } from "../sample.ts";

/** Reads `/proc/meminfo` into bytes by name. Counts without a unit (huge pages) are left as they are. */
export function parseMeminfo(text: string): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  for (const line of linesOf(text)) {
    const fields = fieldsOf(line);
    const name = fields[0]?.replace(/:$/, "") ?? "";
    bytes.set(name, numberIn(fields, 1, `/proc/meminfo ${name}`) * (fields[2] === "kB" ? 1024 : 1));
  }
  return bytes;
}

/**
 * The bytes of one entry.
 *
 * @throws {Error} that names the entry, when it is missing
 */
export function entryOf(meminfo: ReadonlyMap<string, number>, name: string): number {
  const bytes = meminfo.get(name);
  if (bytes === undefined) throw new Error(`expected ${name} in /proc/meminfo`);
  return bytes;
}

/** Samples of memory. Used is what programs could not get: total less available, as the convention has it. */
export function memorySamples(meminfo: ReadonlyMap<string, number>): SampleInput[] {
  const total = entryOf(meminfo, "MemTotal");
  const available = entryOf(meminfo, "MemAvailable");
  const states = {
    used: total - available,
    free: entryOf(meminfo, "MemFree"),
    buffers: entryOf(meminfo, "Buffers"),
    cached: entryOf(meminfo, "Cached"),
  };
  const samples = Object.entries(states).flatMap(([state, bytes]) => [
    gauge("system_memory_usage_bytes", bytes, { system_memory_state: state }),
    ratio("system_memory_utilization_ratio", bytes, total, { system_memory_state: state }),
  ]);
  const slab = "system_memory_linux_slab_usage_bytes";
  return [
    ...samples,
    gauge("system_memory_limit_bytes", total),
    gauge("system_memory_linux_available_bytes", available),
    gauge("system_memory_linux_shared_bytes", entryOf(meminfo, "Shmem")),
    gauge(slab, entryOf(meminfo, "SReclaimable"), { system_memory_linux_slab_state: "reclaimable" }),
    gauge(slab, entryOf(meminfo, "SUnreclaim"), { system_memory_linux_slab_state: "unreclaimable" }),
  ];
}

/** Memory, from `/proc/meminfo`: one read; `os.freemem()` knows neither buffers nor cache. */
export class MemoryCollector implements Collector {
  readonly name = "memory";
  readonly #proc: ProcFs;

  constructor(proc: ProcFs) {
    this.#proc = proc;
  }

  collect(): SampleInput[] {
    return memorySamples(parseMeminfo(this.#proc.read("proc/meminfo")));
  }
}
