import { loadavg } from "node:os";
import type { SampleInput } from "@mon/client";
import type { Collector } from "../collector.ts";
import { gauge } from "../sample.ts";

/** Load averages. From the system call behind `os.loadavg`, which has more digits than `/proc/loadavg`. */
export class LoadCollector implements Collector {
  readonly name = "load";

  collect(): SampleInput[] {
    const [one = 0, five = 0, fifteen = 0] = loadavg();
    return [
      gauge("system_cpu_load_average_1m", one),
      gauge("system_cpu_load_average_5m", five),
      gauge("system_cpu_load_average_15m", fifteen),
    ];
  }
}
