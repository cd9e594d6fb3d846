import type { ReportTemplate } from "./corpus.ts";
import { InfluxLanes } from "./influx-lanes.ts";
import type { LoadJob } from "./job.ts";
import type { Lanes, Settled } from "./lane.ts";
import { LoadStreams } from "./load-stream.ts";

/** Opens the lanes of a job, in the protocol that its server speaks. */
export function openLanes(job: LoadJob, template: ReportTemplate, settled: Settled): Lanes {
  if (job.ack === "no-content") return new InfluxLanes(job, template, settled);
  return new LoadStreams(job, template, settled);
}
