/** The process that loads a server: takes one {@link LoadJob} after another from its parent and answers with results. */
import process from "node:process";
import { runClosedLoop, runFixed } from "./closed-loop.ts";
import { createReportTemplate } from "./corpus.ts";
import type { LoadJob, LoadOutcome } from "./job.ts";
import { runOpenLoop } from "./open-loop.ts";

function run(job: LoadJob): Promise<LoadOutcome> {
  const template = createReportTemplate(job.corpus);
  const { load } = job;
  switch (load.kind) {
    case "closed":
      return runClosedLoop(job, template, load);
    case "open":
      return runOpenLoop(job, template, load);
    case "fixed":
      return runFixed(job, template, load);
    default:
      return load satisfies never;
  }
}

process.on("message", (job: LoadJob) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
// The preload that follows the parent lets go of the channel; here it is what there is to do.
process.channel?.ref();
