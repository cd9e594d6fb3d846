/** `npm run chaos -- raft`: clusters of real processes on @mon/raft, under faults, with what their clients saw checked. */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { onStopSignal } from "../../children.mjs";
import { type Plant, plants } from "../../raft-service/service.ts";
import { SetupError } from "../../setup.mjs";
import { Cluster } from "./cluster.ts";
import { Disk } from "./disk.ts";
import { faultKinds } from "./fault.ts";
import { appendRun } from "./ledger.ts";
import { Namespaces } from "./namespaces.ts";
import { failureOf, isValid, type RoundResult, runRound } from "./round.ts";

const help = `Kills, pauses and cuts off real processes of a key-value service on @mon/raft.

  npm run chaos -- raft --rounds 10 --nodes 3

  --rounds N     clusters, one after another (default 5)
  --seed S       of the first round; the next has S + 1 (default: from the clock)
  --nodes 3|5    voters at the start; without it 3 and 5 in turn. One more process runs, to be added
  --seconds N    of faults in a round (default 12)
  --network K    namespaces (root on Linux) or proxies; by default what is possible
  --directory D  for the members' disks (default: the system's for temporary files)
  --plant P      ${plants.join(" or ")}: a mistake on purpose; then a round that finds nothing fails
  --json         results as JSON on standard output, progress on standard error
  --quiet        no line for each fault
  --ledger       add the run to docs/benchmarks/chaos-raft.json
  --help

Faults: SIGKILL and restart, SIGSTOP and SIGCONT, partitions in both and in one direction, full disks (root), transfers of
leadership, changes of membership, snapshots. A seed gives the same schedule again, not the same run: processes and clocks
are real. Required of each round: every history of a key is linearizable and was searched to the end, the members agree
when all is healed, none said or did what it should not. A round without load enough is invalid and does not count; more
than one in ten of them fail the run. Exit code 1 otherwise.

What a process had written survives its SIGKILL: loss of power is for the simulator, npm run sim.
`;

/** The part of rounds that may be invalid. */
const invalidPartMax = 0.1;

/** Runs what the arguments ask for. @returns the exit code */
export async function runRaftChaos(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "5" },
      seed: { type: "string" },
      nodes: { type: "string" },
      seconds: { type: "string", default: "12" },
      network: { type: "string" },
      directory: { type: "string", default: os.tmpdir() },
      plant: { type: "string" },
      json: { type: "boolean", default: false },
      quiet: { type: "boolean", default: false },
      ledger: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const rounds = integer("--rounds", values.rounds, 1, 100_000);
  const firstSeed = integer(
    "--seed",
    values.seed ?? String(Date.now() % 2 ** 31),
    0,
    Number.MAX_SAFE_INTEGER,
  );
  const nodes = values.nodes === undefined ? undefined : integer("--nodes", values.nodes, 3, 5);
  const durationMs = integer("--seconds", values.seconds, 1, 3_600) * 1_000;
  const plant = plants.find((each): each is Plant => each === values.plant);
  if (values.plant !== undefined && plant === undefined) {
    throw new SetupError(`expected --plant ${plants.join(" or ")}, got ${values.plant}`);
  }
  const { network = (await Namespaces.isPossible()) ? "namespaces" : "proxies" } = values;
  if (network !== "namespaces" && network !== "proxies") {
    throw new SetupError(`expected --network namespaces or proxies, got ${network}`);
  }
  const canFillDisks = await Disk.canBeSmall();
  const kinds = faultKinds.filter((kind) => kind !== "full-disk" || canFillDisks);
  const say = values.json ? console.error : console.log;
  const without = canFillDisks ? "" : ", without full disks (needs root)";
  say(`${rounds} rounds from seed ${firstSeed}, network: ${network}${without}`);

  const directory = await mkdtemp(path.join(values.directory, "mon-chaos-"));
  onStopSignal(async () => {
    await Promise.all([...Cluster.open].map((cluster) => cluster.close()));
    await rm(directory, { recursive: true });
    process.exit(130);
  });
  const results: RoundResult[] = [];
  let failures = 0;
  for (let seed = firstSeed; seed < firstSeed + rounds; seed++) {
    const log = values.quiet ? () => {} : (line: string): void => say(`  ${line}`);
    const of = nodes ?? [3, 5][seed % 2]!;
    const result = await runRound({ seed, nodes: of, durationMs, directory, network, kinds, plant, log });
    results.push(result);
    const failure = failureOf(result);
    failures += failure === undefined ? 0 : 1;
    say(describe(result, failure ?? (isValid(result) ? "ok" : "invalid, too little load")));
  }
  const caught = results.filter(({ illegal }) => illegal.length > 0).length;
  const total = totalOf(results, failures);
  say(`${JSON.stringify(total)}${plant === undefined ? "" : `; ${plant} caught in ${caught} rounds`}`);
  if (values.json) console.log(JSON.stringify({ firstSeed, network, plant, total, rounds: results }));
  if (values.ledger && plant === undefined) appendRun({ firstSeed, network, durationMs, ...total });
  if (failures === 0 || plant !== undefined) await rm(directory, { recursive: true });
  else say(`what the members had on disk: ${directory}`);
  if (plant !== undefined) return caught > 0 ? 0 : 1;
  return failures === 0 && total.invalid <= results.length * invalidPartMax ? 0 : 1;
}

/** What several rounds came to. */
export interface ChaosTotal {
  /** With load enough. */
  readonly rounds: number;
  readonly invalid: number;
  readonly failures: number;
  readonly operations: number;
  readonly keys: number;
  readonly illegal: number;
  readonly unknown: number;
  readonly snapshotInstalls: number;
  readonly diskRetries: number;
  readonly faults: Readonly<Record<string, number>>;
}

function totalOf(results: readonly RoundResult[], failures: number): ChaosTotal {
  const sum = (of: (result: RoundResult) => number): number =>
    results.reduce((all, result) => all + of(result), 0);
  const faults: Record<string, number> = {};
  for (const result of results) {
    for (const [kind, count] of Object.entries(result.faults)) faults[kind] = (faults[kind] ?? 0) + count;
  }
  return {
    rounds: results.filter(isValid).length,
    invalid: results.filter((result) => !isValid(result)).length,
    failures,
    operations: sum(({ done, unknown }) => done + unknown),
    keys: sum(({ keys }) => keys),
    illegal: sum(({ illegal }) => illegal.length),
    unknown: sum(({ unknownKeys }) => unknownKeys.length),
    snapshotInstalls: sum(({ installs }) => installs),
    diskRetries: sum(({ retries }) => retries),
    faults,
  };
}

function describe(result: RoundResult, verdict: string): string {
  const {
    done,
    faults,
    installs,
    keys,
    nodes,
    rate,
    refused,
    retries,
    seed,
    settledMs,
    stallMsMax,
    term,
    unknown,
  } = result;
  const what = Object.entries(faults).map(([kind, count]) => `${count} ${kind}`);
  return (
    `seed ${seed}, ${nodes} nodes: ${verdict}; ${done} operations (${rate}/s), ${unknown} unknown, ` +
    `${refused} refused, ${keys} keys, longest stall ${stallMsMax} ms, term ${term}, ${installs} snapshots installed, ${retries} nodes made anew, at rest after ${settledMs} ms; ${what.join(", ")}`
  );
}

function integer(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new SetupError(`expected ${name} to be an integer from ${min} to ${max}, got ${text}`);
}
