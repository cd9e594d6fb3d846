/** `npm run bench`: reports from end to end, the broker beside bare servers. `--help` shows the options. */
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { onStopSignal } from "../children.mjs";
import { root } from "../setup.mjs";
import { stopChildren } from "./child.ts";
import { createReportTemplate } from "./corpus.ts";
import type { Shape } from "./job.ts";
import { describeMachine, type Machine } from "./machine.ts";
import { batchSizes, type Case, type Durations, findShape, rateOf, visit } from "./measure.ts";
import { type MemoryVisit, measureMemory } from "./memory.ts";
import { type BenchOptions, help, readOptions, UsageError } from "./options.ts";
import { profileBroker } from "./profile.ts";
import type { BenchResults, CaseResult } from "./results.ts";
import { targets } from "./server.ts";
import { renderResults } from "./table.ts";

const resultFile = path.join(root, "docs", "benchmarks", "end-to-end.md");

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
  } else if (isStopped) {
    process.exitCode = 130;
  } else {
    throw error;
  }
}

async function run(options: BenchOptions): Promise<void> {
  const machine = describeMachine();
  warnOf(machine);
  const cases = batchSizes
    .flatMap((batchSize) =>
      targets.map((target): Case => {
        return { name: `batch-${batchSize}/${target.name}`, target, batchSize, corpus: options.corpus };
      }),
    )
    .filter(({ name }) => options.only.test(name));
  const withMemory = options.only.test("memory");
  if (cases.length === 0 && !withMemory)
    throw new UsageError(`--only: expected to name a case, got ${options.only}`);
  if (options.profile) await profile(cases, options);
  else report(await measure(machine, cases, withMemory, options), options);
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
  cases: readonly Case[],
  withMemory: boolean,
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
  const { name, samples, bytes } = createReportTemplate(corpus);
  return {
    machine,
    corpus: { name, samples, reportBytes: bytes.length },
    seconds,
    rounds,
    cases: results,
    memory,
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
