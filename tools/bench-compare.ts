/**
 * Compares the benchmarks of this checkout with those of another commit, on this machine:
 *
 *     node tools/run.mjs tools/bench-compare.ts --base origin/main [--rounds 7] [--project @mon/hashring]…
 *
 * Each round runs base and head, swapping which goes first. Exits with 1 when a case is slower beyond its noise bound.
 * A project takes part when it has a `bench` script on both sides.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { compareRates, median } from "./bench/verdict.ts";
import { readManifest } from "./checks/workspace.ts";
import { root } from "./setup.mjs";

/** Of `bench/results.json`: `area/case` → its rate and more. */
type Results = Readonly<Record<string, { readonly opsPerSecond: number }>>;

const { values } = parseArgs({
  options: {
    base: { type: "string", default: "origin/main" },
    rounds: { type: "string", default: "7" },
    project: { type: "string", multiple: true },
  },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 3)
  throw new RangeError(`expected --rounds of at least 3, got ${values.rounds}`);

const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "mon-bench-base-")));
try {
  run(root, "git", ["worktree", "add", "--detach", "--force", base, values.base]);
  run(base, "node", ["tools/run.mjs", "node", "--version"]);
  process.exitCode = compareTrees() ? 0 : 1;
} finally {
  run(root, "git", ["worktree", "remove", "--force", base]);
}

/** @returns whether no case became slower */
function compareTrees(): boolean {
  const folders = benchFolders(root).filter((folder) => benchFolders(base).includes(folder));
  const rates = new Map<string, { base: number[]; head: number[] }>();
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? (["base", "head"] as const) : (["head", "base"] as const)) {
      console.log(`round ${round + 1} of ${rounds}: ${side}`);
      for (const folder of folders) {
        for (const [name, { opsPerSecond }] of Object.entries(
          runBench(side === "base" ? base : root, folder),
        )) {
          const key = `${folder} ${name}`;
          if (!rates.has(key)) rates.set(key, { base: [], head: [] });
          rates.get(key)?.[side].push(opsPerSecond);
        }
      }
    }
  }
  return printTable(rates);
}

/** Folders of the projects that have a `bench` script, of all or of those asked for. */
function benchFolders(tree: string): string[] {
  return ["packages", "apps"]
    .flatMap((parent) => fs.readdirSync(path.join(tree, parent)).map((name) => `${parent}/${name}`))
    .filter((folder) => fs.existsSync(path.join(tree, folder, "package.json")))
    .filter((folder) => {
      const { name, scripts } = readManifest(path.join(tree, folder));
      return scripts?.bench !== undefined && (values.project?.includes(name) ?? true);
    });
}

function runBench(tree: string, folder: string): Results {
  const file = path.join(tree, folder, "bench", "results.json");
  fs.rmSync(file, { force: true });
  // Each tree brings its own Node and tools.
  run(tree, "node", ["tools/run.mjs", "npm", "run", "--silent", "bench", "-w", folder]);
  if (!fs.existsSync(file))
    throw new Error(`${folder}: expected its bench script to write bench/results.json`);
  return JSON.parse(fs.readFileSync(file, "utf8"));
}

/** Prints Markdown, so that CI can show it as it is. */
function printTable(rates: ReadonlyMap<string, { base: number[]; head: number[] }>): boolean {
  console.log(
    `\n| case | base | head | ratio | noise bound | verdict |\n| --- | ---: | ---: | ---: | ---: | --- |`,
  );
  let isFine = true;
  for (const [name, sides] of [...rates].sort()) {
    const isPaired = sides.base.length === rounds && sides.head.length === rounds;
    const verdict = isPaired ? compareRates(sides.base, sides.head) : undefined;
    if (verdict?.outcome === "slower") isFine = false;
    const cells = [
      name,
      formatRate(sides.base),
      formatRate(sides.head),
      verdict === undefined ? "" : verdict.ratio.toFixed(3),
      verdict === undefined ? "" : `±${(verdict.bound * 100).toFixed(0)} %`,
      verdict?.outcome ?? (sides.base.length === 0 ? "new" : "gone"),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
  console.log(
    `\n${rates.size} cases over ${rounds} rounds; ${isFine ? "none" : "some"} slower beyond the noise bound`,
  );
  return isFine;
}

function formatRate(series: readonly number[]): string {
  return series.length === 0 ? "" : `${Math.round(median(series)).toLocaleString("en")}/s`;
}

function run(cwd: string, command: string, args: readonly string[]): void {
  execFileSync(command, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}
