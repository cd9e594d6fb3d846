import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { root, SetupError } from "../setup.mjs";
import { Program } from "./program.ts";

const goPath = "/usr/share/gocode";
const goSource = path.join(root, "tools", "raft-bench", "hashicorp", "main.go");

/** What a number of concurrent proposers got through: a line of either program. */
export interface Throughput {
  readonly proposers: number;
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** The same in one round for each. */
export interface CoreRound {
  readonly floorPerSecond: number;
  readonly mon: readonly Throughput[];
  /** Absent when it does not take part. */
  readonly hashicorp: readonly Throughput[] | undefined;
}

export interface CoreRaceOptions {
  readonly directory: string;
  readonly proposers: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly withHashicorp: boolean;
  readonly progress: (text: string) => void;
}

/** What it costs an entry when the log is so long. */
export interface GrowthStage {
  readonly entries: number;
  readonly cpuUs: number;
  readonly perSecond: number;
}

/** @throws {SetupError} when Go or the library is missing */
export function assertHashicorp(): void {
  const isThere = existsSync(path.join(goPath, "src/github.com/hashicorp/raft"));
  try {
    if (isThere && execFileSync("go", ["version"]).length > 0) return;
  } catch {
    // No go.
  }
  throw new SetupError(
    "hashicorp/raft is missing: apt-get install golang-go golang-github-hashicorp-raft-dev (Debian's packages)",
  );
}

/** Three members in one process, in turns with three of hashicorp/raft; each figure is a process of its own. */
export async function raceCores(options: CoreRaceOptions): Promise<CoreRound[]> {
  const { directory, progress, proposers, rounds, seconds, withHashicorp } = options;
  const rival = withHashicorp ? buildHashicorp(directory) : undefined;
  const results: CoreRound[] = [];
  for (let round = 1; round <= rounds; round++) {
    const [floor] = await runOwn("floor", ["--seconds", String(Math.min(1, seconds))]);
    const mon: Throughput[] = [];
    const hashicorp: Throughput[] = [];
    for (const count of proposers) {
      const args = ["--proposers", String(count), "--seconds", String(seconds)];
      mon.push(...((await runOwn("throughput", args)) as Throughput[]));
      if (rival !== undefined)
        hashicorp.push(...((await Program.start(rival, args).lines()) as Throughput[]));
    }
    const rivals = rival === undefined ? "" : `; hashicorp ${rates(hashicorp)}`;
    progress(`core, round ${round} of ${rounds}: ${rates(mon)}${rivals}`);
    const { perSecond: floorPerSecond } = floor as { perSecond: number };
    results.push({ floorPerSecond, mon, hashicorp: rival === undefined ? undefined : hashicorp });
  }
  return results;
}

/** Cost of an entry, in memory, by the length of the log. */
export async function measureMemoryGrowth(entries: number): Promise<GrowthStage[]> {
  return (await runOwn("growth", ["--entries", String(entries)])) as GrowthStage[];
}

async function runOwn(what: string, args: readonly string[]): Promise<unknown[]> {
  return await Program.startScript("packages/raft/bench/run.ts", [what, ...args]).lines();
}

function buildHashicorp(directory: string): string {
  const binary = path.join(directory, "hashicorp");
  // As Debian builds: libraries are where its packages put them, nothing is downloaded.
  const env = { ...process.env, GO111MODULE: "off", GOPATH: goPath, GOFLAGS: "" };
  execFileSync("go", ["build", "-o", binary, goSource], { env, stdio: ["ignore", "inherit", "inherit"] });
  return binary;
}

function rates(lines: readonly Throughput[]): string {
  return `${lines.map(({ perSecond }) => Math.round(perSecond).toLocaleString("en")).join(", ")} entries/s`;
}
