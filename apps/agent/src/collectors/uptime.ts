import { uptime } from "node:os";
import type { SampleInput } from "@mon/client";
import type { Collector } from "../collector.ts";
import { gauge } from "../sample.ts";

/** Time since the machine started. */
export class UptimeCollector implements Collector {
  readonly name = "uptime";

  collect(): SampleInput[] {
    return [gauge("system_uptime_seconds", uptime())];
  }
}
