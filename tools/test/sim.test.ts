import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Entry, FSM } from "@mon/raft";
import { simulate } from "@mon/raft/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../setup.mjs";
import { reportFailure } from "../sim/failure.ts";
import { appendRun, type Ledger } from "../sim/ledger.ts";

let folder = "";
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "mon-sim-"));
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true });
});

/** Starts the command; lines come as they are printed. */
function start(...args: string[]) {
  const script = path.join(root, "tools", "sim", "main.ts");
  const child = spawn(process.execPath, ["--conditions=@mon/source", script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { child, lines: createInterface({ input: child.stdout }), exited: once(child, "exit") };
}

async function run(...args: string[]): Promise<{ code: number; output: string }> {
  const { exited, lines } = start(...args);
  const printed: string[] = [];
  for await (const line of lines) {
    printed.push(line);
  }
  const [code] = (await exited) as [number];
  return { code, output: printed.join("\n") };
}

function read(file: string): Ledger {
  return JSON.parse(fs.readFileSync(file, "utf8")) as Ledger;
}

describe("npm run sim", () => {
  it("runs every seed once on two threads, and adds them to the ledger", async () => {
    const ledger = path.join(folder, "two.json");
    const args = ["--first", "1", "--seeds", "5", "--steps", "500", "--nodes", "3", "--ledger-file", ledger];
    const one = await run(...args);
    const two = await run(...args, "--workers", "2");
    expect([one.code, two.code]).toEqual([0, 0]);
    expect(two.output).toMatch(/^5 seeds, [\d,]+ steps, [\d,]+ steps\/s, .* 0 violations$/m);
    const { runs, total } = read(ledger);
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[0]).toMatchObject({ firstSeed: 1, seeds: 5, stepsPerSeed: 500, nodes: 3, violations: 0 });
    expect(total).toEqual({ seeds: 10, steps: 2 * runs[0]!.steps, violations: 0 });
  });

  it("stops at SIGINT after the runs under way, and writes down what was done", async () => {
    const ledger = path.join(folder, "stopped.json");
    const { child, exited, lines } = start(
      ...["--seeds", "1000000", "--steps", "500", "--workers", "2", "--ledger-file", ledger],
    );
    for await (const line of lines) {
      if (/^[1-9]\d* seeds/.test(line)) {
        break;
      }
    }
    child.kill("SIGINT");
    expect(await exited).toEqual([0, null]);
    const { seeds } = read(ledger).total;
    expect(seeds).toBeGreaterThan(0);
    expect(seeds).toBeLessThan(1_000_000);
  });

  it("repeats one seed in words", async () => {
    const { code, output } = await run("--seed", "7", "--steps", "500", "--nodes", "3", "--log");
    expect(code).toBe(0);
    expect(output).toMatch(/^ +[\d.]+ n\d → n\d: /m);
    expect(output).toMatch(/^1 seeds, /m);
  });

  it("refuses what it does not understand", async () => {
    const { code } = await run("--workers", "0");
    expect(code).toBeGreaterThan(0);
  });
});

describe("a seed that fails", () => {
  it("is printed with what repeats it, reduced to the faults it needs, and kept once", async () => {
    class Fragile implements FSM<number> {
      apply(entries: readonly Entry[]): number[] {
        return entries.map(() => 0);
      }
      snapshot() {
        return { chunks: () => [new Uint8Array(1)] };
      }
      async restore(): Promise<void> {
        throw new Error("a bug");
      }
    }
    const options = {
      seed: 1,
      steps: 4000,
      nodes: 3,
      workload: { createFsm: () => new Fragile(), command: () => new Uint8Array([1]) },
      profile: {
        voters: 3,
        learners: 0,
        clients: 3,
        thinkMsMean: 20,
        queryRate: 0.1,
        options: { snapshotEveryEntries: 5, tickMs: 100 },
        faultGapMsMean: { crash: 4000, pause: 8000 },
      },
    };
    const result = await simulate(options);
    const file = path.join(folder, "regressions.json");
    fs.writeFileSync(file, "[]");
    const printed: string[] = [];
    await reportFailure(options, result, file, (line) => printed.push(line));
    await reportFailure(options, result, file, () => undefined);
    expect(printed.join("\n")).toMatch(/seed 1: no internal failure[\s\S]*--seed 1 --steps 4000 --nodes 3/);
    const kept = JSON.parse(fs.readFileSync(file, "utf8"));
    expect(kept).toHaveLength(1);
    expect(kept[0]).toMatchObject({ seed: 1, invariant: "no internal failure" });
    expect(kept[0].faults.length).toBeLessThan(result.faults.length);
  });
});

describe("the ledger", () => {
  it("adds up", () => {
    const file = path.join(folder, "sum.json");
    const run = { commit: "c", date: "2026-01-01", firstSeed: 1, stepsPerSeed: 10, nodes: 3, violations: 0 };
    appendRun(file, { ...run, seeds: 2, steps: 20 });
    appendRun(file, { ...run, seeds: 3, steps: 31, violations: 1 });
    expect(read(file).total).toEqual({ seeds: 5, steps: 51, violations: 1 });
  });
});
