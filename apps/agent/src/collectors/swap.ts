import type { SampleInput } from "@mon/client";
import type { Collector } from "../collector.ts";
import { fieldsOf, linesOf, numberIn, type ProcFs } from "../proc-fs.ts";
import { counter, gauge, ratio } from "../sample.ts";
import { entryOf, parseMeminfo } from "./memory.ts";

/** Reads the counters of `/proc/vmstat` that are asked for; one that the kernel does not have is 0. */
function parseVmstat(text: string, names: readonly string[]): number[] {
  const wanted = new Map(names.map((name) => [name, 0]));
  for (const line of linesOf(text)) {
    const fields = fieldsOf(line);
    if (wanted.has(fields[0] ?? ""))
      wanted.set(fields[0] ?? "", numberIn(fields, 1, `/proc/vmstat ${fields[0]}`));
  }
  return [...wanted.values()];
}

/** Usage of all swap together. A machine without swap reports zeros and no utilisation. */
export function swapSamples(meminfo: ReadonlyMap<string, number>): SampleInput[] {
  const total = entryOf(meminfo, "SwapTotal");
  const free = entryOf(meminfo, "SwapFree");
  return Object.entries({ used: total - free, free }).flatMap(([state, bytes]) => {
    const labels = { system_paging_state: state };
    const usage = gauge("system_paging_usage_bytes", bytes, labels);
    return total === 0 ? [usage] : [usage, ratio("system_paging_utilization_ratio", bytes, total, labels)];
  });
}

/** Page faults, and pages that moved between memory and swap. */
function pagingSamples(vmstat: string): SampleInput[] {
  const [all = 0, major = 0, pagesIn = 0, pagesOut = 0] = parseVmstat(vmstat, [
    "pgfault",
    "pgmajfault",
    "pswpin",
    "pswpout",
  ]);
  const moved = (direction: string, pages: number): SampleInput =>
    counter("system_paging_operations_total", pages, {
      system_paging_direction: direction,
      system_paging_fault_type: "major",
    });
  return [
    counter("system_paging_faults_total", all - major, { system_paging_fault_type: "minor" }),
    counter("system_paging_faults_total", major, { system_paging_fault_type: "major" }),
    moved("in", pagesIn),
    moved("out", pagesOut),
  ];
}

/** Swap and paging, from `/proc/meminfo` and `/proc/vmstat`; the library asks other programs for the same. */
export class SwapCollector implements Collector {
  readonly name = "swap";
  readonly #proc: ProcFs;

  constructor(proc: ProcFs) {
    this.#proc = proc;
  }

  collect(): SampleInput[] {
    const meminfo = parseMeminfo(this.#proc.read("proc/meminfo"));
    return [...swapSamples(meminfo), ...pagingSamples(this.#proc.read("proc/vmstat"))];
  }
}
