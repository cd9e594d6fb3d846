/**
 * `npm run sim`: runs clusters of `@mon/raft` in virtual time, one from each seed, until one breaks an invariant.
 */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { parseArgs } from "node:util";
import { simulate } from "@mon/raft/testing";
import { main, root, SetupError } from "../setup.mjs";
import { reportFailure } from "./failure.ts";
import { type SimulatedRun, startFleet } from "./fleet.ts";
import { appendRun } from "./ledger.ts";

const help = `Simulates Raft clusters and checks the invariants after every step.

  npm run sim -- --seeds 1000 --steps 20000 --nodes 5 --workers 2

  --seeds N             runs (default 100)
  --first N             seed of the first run (default: drawn from the clock)
  --seed N              one run, of this seed
  --steps N             events in a run before peace (default 20000)
  --nodes N             machines in a run; without it 3, 5, 5 and 7 in turn
  --workers N           threads (default 1)
  --seconds N           begin no run after this time, however many are left
  --log                 with --seed: what happens, line by line
  --keep-going          do not stop at the first failure
  --ledger              add the runs to packages/raft/sim-ledger.json
  --ledger-file F       to this file instead
  --regressions-file F  where seeds that fail are kept (default packages/raft/test/sim/regressions.json)
  --help

A seed that fails is printed with what repeats it, reduced to the faults it needs, and kept. Exit code 1 then.
SIGINT and SIGTERM let the runs under way end; what was done is told and written down.
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
      workers: { type: "string", default: "1" },
      seconds: { type: "string" },
      log: { type: "boolean", default: false },
      "keep-going": { type: "boolean", default: false },
      ledger: { type: "boolean", default: false },
      "ledger-file": { type: "string" },
      "regressions-file": {
        type: "string",
        default: path.join(packageFolder, "test", "sim", "regressions.json"),
      },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const steps = integer("--steps", values.steps, 1);
  const nodes = values.nodes === undefined ? [3, 5, 5, 7] : [integer("--nodes", values.nodes, 1)];
  if (values.seed !== undefined) {
    const seed = integer("--seed", values.seed, 0);
    return await runOne({ seed, steps, nodes: nodes[seed % nodes.length]! }, values);
  }
  const first = values.first === undefined ? Date.now() : integer("--first", values.first, 0);
  const seeds = integer("--seeds", values.seeds, 1);
  const workers = integer("--workers", values.workers, 1);
  const seconds = values.seconds === undefined ? undefined : integer("--seconds", values.seconds, 1);

  const total = { seeds: 0, steps: 0, virtualMs: 0, violations: 0 };
  const failed: SimulatedRun[] = [];
  const startedAt = performance.now();
  const tell = (): void => console.log(progress(total, (performance.now() - startedAt) / 1000));
  const fleet = startFleet({ first, seeds, steps, nodes, workers }, (run) => {
    total.seeds++;
    total.steps += run.steps;
    total.virtualMs += run.virtualMs;
    if (run.violation !== undefined) {
      total.violations++;
      failed.push(run);
      if (!values["keep-going"]) fleet.stop();
    }
  });
  const progressTimer = setInterval(tell, progressMs);
  const timer = seconds === undefined ? undefined : setTimeout(fleet.stop, seconds * 1000);
  process.on("SIGINT", fleet.stop).on("SIGTERM", fleet.stop);
  try {
    await fleet.done;
  } finally {
    clearInterval(progressTimer);
    clearTimeout(timer);
  }
  tell();
  const ledger =
    values["ledger-file"] ?? (values.ledger ? path.join(packageFolder, "sim-ledger.json") : undefined);
  if (ledger !== undefined) {
    appendRun(ledger, {
      commit: currentCommit(),
      date: new Date().toISOString().slice(0, 10),
      firstSeed: first,
      stepsPerSeed: steps,
      nodes: nodes.length === 1 ? nodes[0]! : nodes.join(", "),
      seeds: total.seeds,
      steps: total.steps,
      violations: total.violations,
    });
  }
  for (const run of failed) {
    await runOne({ seed: run.seed, steps, nodes: run.nodes }, values);
  }
  return total.violations === 0 ? 0 : 1;
});

/** Runs one seed here, and tells what is wrong with it. */
async function runOne(
  options: { readonly seed: number; readonly steps: number; readonly nodes: number },
  { log, "regressions-file": regressions }: { readonly log: boolean; readonly "regressions-file": string },
): Promise<number> {
  const startedAt = performance.now();
  const print = (line: string): void => console.log(line);
  const result = await simulate({ ...options, ...(log ? { log: print } : {}) });
  const violations = result.violation === undefined ? 0 : 1;
  print(progress({ ...result, seeds: 1, violations }, (performance.now() - startedAt) / 1000));
  if (violations > 0) {
    await reportFailure(options, result, regressions, print);
  }
  return violations;
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

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new SetupError(`expected ${name} to be an integer of at least ${least}, got ${text}`);
  }
  return value;
}
