import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { byPackage, type CpuProfile, selfTimes } from "./cpu-profile.ts";
import type { LoadResult } from "./job.ts";
import { LoadProcess } from "./load-process.ts";
import { type Case, type Durations, jobOf, rateOf, shapes } from "./measure.ts";
import { cpuUsPerReport } from "./results.ts";
import { type RunningServer, startBroker } from "./server.ts";
import { markdownTable } from "./table.ts";

/** Functions that are listed. */
const functionsShown = 30;

/** Profiles the broker while it takes what it can, and says as Markdown where its main thread spends its time. */
export async function profileBroker(one: Case, durations: Durations): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), "mon-profile-"));
  try {
    const broker = await startBroker({ nodeFlags: ["--cpu-prof", "--cpu-prof-dir", directory] });
    // The profile is written as the broker goes.
    const result = await loadUntilStopped(one, broker, durations);
    const [file] = (await readdir(directory)).filter((name) => name.endsWith(".cpuprofile"));
    if (file === undefined) throw new Error(`expected the broker to leave a profile in ${directory}`);
    return render(one, JSON.parse(await readFile(path.join(directory, file), "utf8")), result);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function loadUntilStopped(
  one: Case,
  server: RunningServer,
  { warmMs, measureMs }: Durations,
): Promise<LoadResult> {
  await using broker = server;
  await using client = new LoadProcess();
  const shape = shapes[one.batchSize][1]!;
  return await client.run(jobOf(one, broker, shape, { kind: "closed", warmMs, measureMs }));
}

function render(one: Case, profile: CpuProfile, result: LoadResult): string {
  const times = selfTimes(profile, result.startUs, result.endUs);
  const allUs = times.reduce((sum, { us }) => sum + us, 0);
  const figures = (us: number): string[] => [
    `${((us / allUs) * 100).toFixed(1)} %`,
    (us / result.reports).toFixed(3),
  ];
  const shown = times.slice(0, functionsShown);
  return [
    `## ${one.name}`,
    "",
    `${Math.round(rateOf(result)).toLocaleString("en")} reports/s while profiled; the main thread was busy for ` +
      `${(allUs / result.reports).toFixed(2)} µs a report, the process for ${cpuUsPerReport(result).toFixed(2)}.`,
    "",
    markdownTable(
      ["package", "self", "µs/report"],
      byPackage(times).map(({ packageName, us }) => [packageName, ...figures(us)]),
    ),
    "",
    markdownTable(
      ["function", "self", "µs/report", "package"],
      shown.map(({ functionName, packageName, us }) => [functionName, ...figures(us), packageName]),
    ),
    "",
  ].join("\n");
}
