/** `npm run bench:raft`: what `@mon/raft` costs, beside others. `--help` shows the options. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { describeMachine, type Machine } from "../bench/machine.ts";
import { onStopSignal } from "../children.mjs";
import { root, SetupError } from "../setup.mjs";
import { assertHashicorp, type GrowthStage, measureMemoryGrowth, raceCores } from "./core-race.ts";
import { describeEtcd } from "./etcd-cluster.ts";
import { measureFailovers } from "./failover.ts";
import { Program } from "./program.ts";
import { racePuts } from "./put-race.ts";
import {
  coreSection,
  failoverSection,
  growthSection,
  putSection,
  type Restart,
  unarySection,
} from "./report.ts";
import { profileUnary } from "./unary-profile.ts";

const sections = ["core", "hashicorp", "flat", "etcd", "failover"] as const;
type Section = (typeof sections)[number];

const help = `npm run bench:raft -- [${sections.join("|")}]... [--quick] [--write]

  core       three members in memory, by number of proposers, against encoding and checksums alone
  hashicorp  the same beside hashicorp/raft (needs Debian's golang-go and golang-github-hashicorp-raft-dev)
  flat       cost of an entry by length of the log, in memory and on disk; time of a restart
  etcd       a replicated key-value service beside etcd (needs Debian's etcd-server)
  failover   the leader is killed under load
             (all of them, unless some are named)

  --quick    a look at each, in about two minutes: worth nothing as a figure
  --write    writes docs/benchmarks/raft.md, too`;

const resultFile = path.join(root, "docs", "benchmarks", "raft.md");

/** How much of everything. */
interface Effort {
  /** Of one figure. */
  readonly coreSeconds: number;
  readonly putSeconds: number;
  readonly warmSeconds: number;
  readonly rounds: number;
  readonly entries: number;
  readonly failovers: number;
}
const full: Effort = {
  coreSeconds: 3,
  putSeconds: 4,
  warmSeconds: 1,
  rounds: 3,
  entries: 1_000_000,
  failovers: 30,
};
const quick: Effort = {
  coreSeconds: 1,
  putSeconds: 1,
  warmSeconds: 0.5,
  rounds: 1,
  entries: 100_000,
  failovers: 3,
};

// Programs go with it, and the directory.
onStopSignal(() => process.exit(130));

try {
  await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const unknown = positionals.find((name) => !sections.some((section) => section === name));
  if (values.help || unknown !== undefined) {
    console.log(unknown === undefined ? help : `expected a section, got ${unknown}\n${help}`);
    process.exitCode = unknown === undefined ? 0 : 64;
    return;
  }
  const wanted = new Set<Section>(
    sections.filter((name) => positionals.length === 0 || positionals.includes(name)),
  );
  // Before anything is measured.
  if (wanted.has("hashicorp")) assertHashicorp();
  const etcd = wanted.has("etcd") ? describeEtcd() : undefined;
  const machine = describeMachine(etcd === undefined ? [] : [etcd]);
  warnOf(machine);
  const effort = values.quick ? quick : full;
  const directory = mkdtempSync(path.join(os.tmpdir(), "mon-raft-bench-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 10 }));
  const beganMs = performance.now();
  const command = ["npm run bench:raft --", ...process.argv.slice(2)].join(" ");
  const parts = [head(machine, command)];
  for (const section of sections) {
    const text = wanted.has(section)
      ? await measure(section, wanted, effort, directory, etcd ?? "")
      : undefined;
    if (text === undefined) continue;
    parts.push(text);
    console.log(text);
  }
  progress(`took ${Math.round((performance.now() - beganMs) / 1_000)} s`);
  if (!values.write) return;
  writeFileSync(resultFile, `${parts.join("\n").trimEnd()}\n`);
  progress(`written to ${path.relative(root, resultFile)}`);
}

/** Measures a section; undefined when it is part of another that is wanted too. */
async function measure(
  section: Section,
  wanted: ReadonlySet<Section>,
  effort: Effort,
  directory: string,
  etcd: string,
): Promise<string | undefined> {
  const { coreSeconds, entries, failovers, putSeconds, rounds, warmSeconds } = effort;
  switch (section) {
    case "core":
    case "hashicorp": {
      if (section === "core" && wanted.has("hashicorp")) return undefined;
      const withHashicorp = section === "hashicorp";
      const proposers = [1, 64, 256];
      const seconds = coreSeconds;
      const results = await raceCores({ directory, proposers, seconds, rounds, withHashicorp, progress });
      return coreSection(results, seconds);
    }
    case "flat": {
      const memory = await measureMemoryGrowth(entries);
      progress("cost by length of the log, in memory: done");
      const args = ["--directory", directory, "--entries", String(entries)];
      const lines = (await Program.startScript("tools/raft-bench/log-growth.ts", args).lines()) as {
        kind: string;
      }[];
      progress("cost by length of the log, on disk: done");
      const of = (kind: string): unknown[] => lines.filter((line) => line.kind === kind);
      return growthSection(memory, of("growth") as GrowthStage[], of("restart") as Restart[]);
    }
    case "etcd": {
      const clients = [1, 64, 256, 1_000];
      const seconds = putSeconds;
      const race = await racePuts({ directory, clients, seconds, warmSeconds, rounds, progress });
      const profile = await profileUnary(directory, seconds);
      progress("profile of unary puts: done");
      return `${putSection(race, seconds, etcd)}\n${unarySection(profile)}`;
    }
    case "failover":
      return failoverSection(await measureFailovers({ directory, rounds: failovers, progress }));
  }
}

function head(machine: Machine, command: string): string {
  const { commit, cores, date, fileSystem, memoryBytes, node, processor, system } = machine;
  const memory = `${Math.round(memoryBytes / 2 ** 30)} GiB`;
  return `# Raft

Written by \`${command}\`; \`tools/raft-bench\` is how.

${date}, commit ${commit}: ${processor}, ${cores} cores, ${memory}, ${system}, data on ${fileSystem}, Node ${node}.
`;
}

function warnOf({ fileSystem, load }: Machine): void {
  if (load > 0.5)
    progress(`the machine was busy over the past minute (load ${load.toFixed(1)}): figures will suffer`);
  if (fileSystem === "tmpfs")
    progress("the temporary directory is a tmpfs, where an fsync is free: set TMPDIR");
}

function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
