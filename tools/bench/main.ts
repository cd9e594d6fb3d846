/** `npm run bench`: reports from end to end, the broker beside bare servers. `--help` shows the options. */
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { onStopSignal } from "../children.mjs";
import { root, SetupError } from "../setup.mjs";
import { stopChildren } from "./child.ts";
import { createReportTemplate } from "./corpus.ts";
import type { Shape } from "./job.ts";
import { watchLoop } from "./loop.ts";
import { describeMachine, type Machine } from "./machine.ts";
import { batchSizes, type Case, type Durations, findShape, rateOf, visit } from "./measure.ts";
import { type MemoryVisit, measureMemory } from "./memory.ts";
import { type BenchOptions, help, readOptions, UsageError } from "./options.ts";
import { profileBroker } from "./profile.ts";
import type { BenchResults, CaseResult } from "./results.ts";
import { targets } from "./server.ts";
import { renderResults } from "./table.ts";
import { describeVictoriaMetrics, findVictoriaMetrics } from "./victoria-metrics.ts";

const resultFile = path.join(root, "docs", "benchmarks", "end-to-end.md");

/** Of the case loop: a query over a week takes a while. */
const windowSecondsMin = 5;

let isStopped = false;
onStopSignal(() => {
  isStopped = true;
  stopChildren();
});

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(help);
  else await run(options);
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n--help shows what there is`);
    process.exitCode = 64;
  } else if (error instanceof SetupError) {
    console.error(error.message);
    process.exitCode = 1;
  } else if (isStopped) {
    process.exitCode = 130;
  } else {
    throw error;
  }
}

async function run(options: BenchOptions): Promise<void> {
  const selection = select(options);
  // Before anything is measured.
  const hasVictoria = selection.cases.some(({ target }) => target.name === "victoria-metrics");
  if (hasVictoria && !options.profile) findVictoriaMetrics();
  const machine = describeMachine(hasVictoria ? [describeVictoriaMetrics()] : []);
  warnOf(machine);
  if (options.profile) await profile(selection.cases, options);
  else report(await measure(machine, selection, options), options);
}

/** What a run measures. */
interface Selection {
  readonly cases: readonly Case[];
  readonly withMemory: boolean;
  readonly withLoop: boolean;
}

function select({ only, corpus }: BenchOptions): Selection {
  const cases = batchSizes
    .flatMap((batchSize) =>
      targets
        .filter((target) => target.batchSizes?.includes(batchSize) ?? true)
        .map((target): Case => ({ name: `batch-${batchSize}/${target.name}`, target, batchSize, corpus })),
    )
    .filter(({ name }) => only.test(name));
  const withMemory = only.test("memory");
  const withLoop = only.test("loop");
  if (cases.length === 0 && !withMemory && !withLoop)
    throw new UsageError(`--only: expected to name a case, got ${only}`);
  return { cases, withMemory, withLoop };
}

function warnOf({ load, fileSystem }: Machine): void {
  if (load > 0.5)
    progress(`the machine was busy over the past minute (load ${load.toFixed(1)}): figures will suffer`);
  if (fileSystem === "tmpfs")
    progress("the temporary directory is a tmpfs, where an fsync is free: set TMPDIR");
}

async function profile(cases: readonly Case[], options: BenchOptions): Promise<void> {
  const ofBroker = cases.filter(({ target }) => target.name === "broker");
  if (ofBroker.length === 0) throw new UsageError("--profile: expected --only to leave a case of the broker");
  for (const one of ofBroker) {
    progress(`profiling ${one.name}`);
    console.log(await profileBroker(one, durationsOf(options)));
  }
}

async function measure(
  machine: Machine,
  { cases, withMemory, withLoop }: Selection,
  options: BenchOptions,
): Promise<BenchResults> {
  const { corpus, seconds, rounds } = options;
  const results: CaseResult[] = [];
  for (const one of cases) {
    const shape = await findShape(one, { ...durationsOf(options), measureMs: options.trialSeconds * 1_000 });
    progress(`${one.name}: most by ${describeShape(shape)}`);
    results.push({ case: one, shape, visits: [] });
  }
  const memory: MemoryVisit[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const result of results) {
      const one = await visit(result.case, result.shape, durationsOf(options));
      result.visits.push(one);
      const rate = Math.round(rateOf(one.full)).toLocaleString("en");
      const p99 = one.half.latency?.p99Ms.toFixed(2);
      progress(`round ${round} of ${rounds}, ${result.case.name}: ${rate} reports/s, p99 ${p99} ms at half`);
    }
    if (!withMemory) continue;
    memory.push(await measureMemory(corpus));
    progress(`round ${round} of ${rounds}, memory: done`);
  }
  const { weekHosts } = options;
  const windowSeconds = Math.max(seconds, windowSecondsMin);
  const loop = withLoop
    ? await watchLoop({ corpus, hosts: weekHosts, windowMs: windowSeconds * 1_000, pairs: rounds, progress })
    : undefined;
  const { name, samples, bytes } = createReportTemplate(corpus);
  return {
    machine,
    corpus: { name, samples, reportBytes: bytes.length },
    seconds,
    rounds,
    cases: results,
    memory,
    loop,
  };
}

function report(results: BenchResults, { json, write }: BenchOptions): void {
  const text = renderResults(results);
  console.log(text);
  if (json !== undefined) fs.writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
  if (!write) return;
  fs.mkdirSync(path.dirname(resultFile), { recursive: true });
  const head = "# Reports from end to end\n\nWritten by `npm run bench -- --write`; `tools/bench` is how.";
  fs.writeFileSync(resultFile, `${head}\n\n${text.trimEnd()}\n`);
  progress(`written to ${path.relative(root, resultFile)}`);
}

function durationsOf({ warmSeconds, seconds }: BenchOptions): Durations {
  return { warmMs: warmSeconds * 1_000, measureMs: seconds * 1_000 };
}

function describeShape({ connections, streams, window }: Shape): string {
  return `${connections} connections × ${streams} streams × ${window} batches`;
}

function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
