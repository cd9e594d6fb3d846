import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { root } from "../../setup.mjs";
import type { ChaosTotal } from "./main.ts";

const file = path.join(root, "docs", "benchmarks", "chaos-raft.json");
const sources = ["packages/raft/src", "packages/raft-level/src", "packages/raft-connect/src"];

/** Rounds of one command, on one commit. */
export interface ChaosRun extends ChaosTotal {
  /** With a plus when the sources differed from it. */
  readonly commit: string;
  readonly date: string;
  readonly firstSeed: number;
  readonly network: string;
  readonly durationMs: number;
}

/** Adds a run to all that was ever run and written down; the file need not exist. */
export function appendRun(run: Omit<ChaosRun, "commit" | "date">): void {
  // The file is written here only.
  const before = fs.existsSync(file)
    ? (JSON.parse(fs.readFileSync(file, "utf8")) as { runs: ChaosRun[] })
    : undefined;
  const date = new Date().toISOString().slice(0, 10);
  const runs = [...(before?.runs ?? []), { commit: currentCommit(), date, ...run }];
  const sum = (
    name: "rounds" | "invalid" | "failures" | "operations" | "keys" | "illegal" | "unknown",
  ): number => runs.reduce((all, each) => all + each[name], 0);
  const total = {
    rounds: sum("rounds"),
    invalid: sum("invalid"),
    failures: sum("failures"),
    operations: sum("operations"),
    keys: sum("keys"),
    illegal: sum("illegal"),
    unknown: sum("unknown"),
  };
  fs.writeFileSync(file, `${JSON.stringify({ total, runs }, undefined, 2)}\n`);
}

function currentCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--", ...sources);
  return `${git("rev-parse", "--short=12", "HEAD")}${changed === "" ? "" : "+"}`;
}
