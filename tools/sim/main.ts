/**
 * `npm run sim`: runs clusters of `@mon/raft` in virtual time, one from each seed, until one breaks an invariant.
 */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { parseArgs } from "node:util";
import { minimise, type SimulationOptions, type SimulationResult, simulate } from "@mon/raft/testing";
import { main, root, SetupError } from "../setup.mjs";
import { appendRun } from "./ledger.ts";
import { keepRegression } from "./regressions.ts";

const help = `Simulates Raft clusters and checks the invariants after every step.

  npm run sim -- --seeds 1000 --steps 20000 --nodes 5

  --seeds N     runs (default 100)
  --first N     seed of the first run (default: drawn from the clock)
  --seed N      one run, of this seed
  --steps N     events in a run before peace (default 20000)
  --nodes N     machines in a run; without it 3, 5 and 7 in turn
  --seconds N   stop after this time, however many runs are left
  --log         with --seed: what happens, line by line
  --keep-going  do not stop at the first failure
  --ledger      add the run to packages/raft/sim-ledger.json
  --help

A seed that fails is printed with what repeats it, reduced to the faults it needs, and added to
packages/raft/test/sim/regressions.json. Exit code 1 then.
`;

const packageFolder = path.join(root, "packages", "raft");
const progressMs = 2000;

await main(async () => {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "100" },
      first: { type: "string" },
      seed: { type: "string" },
      steps: { type: "string", default: "20000" },
      nodes: { type: "string" },
      seconds: { type: "string" },
      log: { type: "boolean", default: false },
      "keep-going": { type: "boolean", default: false },
      ledger: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const single = values.seed === undefined ? undefined : integer("--seed", values.seed);
  const first = single ?? (values.first === undefined ? Date.now() : integer("--first", values.first));
  const seeds = single === undefined ? integer("--seeds", values.seeds) : 1;
  const steps = integer("--steps", values.steps);
  const nodes = values.nodes === undefined ? undefined : integer("--nodes", values.nodes);
  const seconds =
    values.seconds === undefined ? Number.POSITIVE_INFINITY : integer("--seconds", values.seconds);
  const log = values.log ? (line: string) => console.log(line) : undefined;

  const total = { seeds: 0, steps: 0, virtualMs: 0, violations: 0 };
  const startedAt = performance.now();
  let toldAt = startedAt;
  const elapsed = (): number => (performance.now() - startedAt) / 1000;
  for (let seed = first; seed < first + seeds && elapsed() < seconds; seed++) {
    const options: SimulationOptions = {
      seed,
      steps,
      nodes: nodes ?? [3, 5, 5, 7][seed % 4]!,
      ...(log === undefined ? {} : { log }),
    };
    const result = await simulate(options);
    total.seeds++;
    total.steps += result.steps;
    total.virtualMs += result.virtualMs;
    if (result.violation !== undefined) {
      total.violations++;
      await report(options, result);
      if (!values["keep-going"]) break;
    }
    if (performance.now() - toldAt > progressMs) {
      toldAt = performance.now();
      console.log(progress(total, elapsed()));
    }
    // The simulator leaves no room for signals.
    await turn();
  }
  console.log(progress(total, elapsed()));
  if (values.ledger) {
    appendRun(path.join(packageFolder, "sim-ledger.json"), {
      commit: currentCommit(),
      date: new Date().toISOString().slice(0, 10),
      firstSeed: first,
      stepsPerSeed: steps,
      nodes: nodes ?? "3, 5, 5, 7",
      seeds: total.seeds,
      steps: total.steps,
      violations: total.violations,
    });
  }
  return total.violations === 0 ? 0 : 1;
});

async function report(options: SimulationOptions, result: SimulationResult): Promise<void> {
  const { nodes, seed, steps } = options;
  const { invariant, message } = result.violation!;
  console.log(`\nseed ${seed}: ${invariant}\n  ${message}`);
  console.log(`  after ${result.steps} steps; repeat with --seed ${seed} --steps ${steps} --nodes ${nodes}`);
  const { log: _, ...quiet } = options;
  const least = await minimise(quiet, result);
  console.log(`  needs ${least.options.faults?.length ?? result.faults.length} faults:`);
  for (const fault of least.options.faults ?? []) console.log(`    ${JSON.stringify(fault)}`);
  const { faults } = least.options;
  const kept = { seed, steps: steps!, nodes: nodes!, invariant, ...(faults === undefined ? {} : { faults }) };
  keepRegression(path.join(packageFolder, "test", "sim", "regressions.json"), kept);
}

function progress(
  total: { seeds: number; steps: number; virtualMs: number; violations: number },
  s: number,
): string {
  const rate = Math.round(total.steps / Math.max(s, 0.001)).toLocaleString("en");
  const hours = (total.virtualMs / 3_600_000).toFixed(1);
  return (
    `${total.seeds} seeds, ${total.steps.toLocaleString("en")} steps, ${rate} steps/s, ` +
    `${hours} cluster hours, ${total.violations} violations`
  );
}

/** The commit, with a plus when the package differs from it. */
function currentCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--", "packages/raft/src");
  return `${git("rev-parse", "--short=12", "HEAD")}${changed === "" ? "" : "+"}`;
}

function integer(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new SetupError(`expected ${name} to be an integer of at least 0, got ${text}`);
  }
  return value;
}
