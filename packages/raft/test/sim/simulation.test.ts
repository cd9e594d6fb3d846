import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Entry, FSM } from "../../src/index.ts";
import {
  drawFaults,
  minimise,
  SeededRandom,
  type SimulationOptions,
  type SimulationWorkload,
  simulate,
} from "../../src/testing.ts";

const { MON_SIM_SECONDS, MON_TEST, SEED } = process.env;
const full = MON_TEST === "full";

/** Runs that failed once, each kept for ever. */
const regressions = JSON.parse(
  readFileSync(new URL("regressions.json", import.meta.url), "utf8"),
) as readonly (SimulationOptions & { readonly seed: number })[];

describe("a simulated cluster", () => {
  it("keeps every invariant and recovers, from many seeds", { timeout: 3_600_000 }, async () => {
    const first = SEED === undefined ? 1 : Number(SEED) % 1_000_000_000;
    const wallMs = 1000 * Number(MON_SIM_SECONDS ?? (full ? 90 : 40));
    const startedAt = performance.now();
    const sum = { recoveries: 0, committed: 0, elections: 0, queries: 0 };
    let seed = first;
    for (; performance.now() - startedAt < wallMs; seed++) {
      const nodes = [3, 5, 5, 7][seed % 4]!;
      const { counts, violation } = await simulate({ seed, steps: 4000, nodes });
      expect(violation, `npm run sim -- --seed ${seed} --steps 4000 --nodes ${nodes}`).toBeUndefined();
      sum.recoveries += counts.recoveries;
      sum.committed += counts.committed;
      sum.elections += counts.elections;
      sum.queries += counts.queries;
    }
    // Runs in which nothing happens prove nothing.
    const runs = seed - first;
    expect(sum.recoveries).toBeGreaterThan(runs * 0.9);
    expect(sum.committed / runs).toBeGreaterThan(20);
    expect(sum.elections / runs).toBeGreaterThan(1.5);
    expect(sum.queries / runs).toBeGreaterThan(5);
  });

  it("repeats a run exactly from its seed", { timeout: 60_000 }, async () => {
    const hashes = new Set<string>();
    for (let seed = 1; seed <= (full ? 50 : 4); seed++) {
      const once = await simulate({ seed, steps: 3000 });
      const again = await simulate({ seed, steps: 3000 });
      expect(again).toEqual(once);
      hashes.add(once.traceHash);
    }
    expect(hashes.size).toBe(full ? 50 : 4);
  });

  it.each(regressions)(
    "stays correct where it once was not: seed $seed",
    { timeout: 60_000 },
    async (run) => {
      expect((await simulate(run)).violation).toBeUndefined();
    },
  );

  it("shows a state machine that is no function of its commands", async () => {
    let random = 0;
    class Moody implements FSM<number> {
      apply(entries: readonly Entry[]): number[] {
        return entries.map(() => random++ % 7);
      }
      snapshot() {
        return { chunks: () => [new Uint8Array(1)] };
      }
      async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
        for await (const _ of chunks) {
          // Nothing to keep.
        }
      }
    }
    const workload = { createFsm: () => new Moody(), command: () => new Uint8Array([1]) };
    const { violation } = await simulate({ seed: 3, steps: 4000, profile: { voters: 3 }, workload });
    expect(violation).toMatchObject({ invariant: "state machine safety" });
  });

  it("shows no query a state machine in the middle of something", { timeout: 60_000 }, async () => {
    class Slow implements FSM<number> {
      busy = 0;
      async apply(entries: readonly Entry[]): Promise<number[]> {
        return await this.#work(entries.map(() => 0));
      }
      async snapshot() {
        return await this.#work({ chunks: () => [new Uint8Array(1)] });
      }
      async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
        for await (const chunk of chunks) {
          await this.#work(chunk);
        }
      }
      async #work<Value>(value: Value): Promise<Value> {
        this.busy++;
        await Promise.resolve();
        this.busy--;
        return value;
      }
    }
    const workload: SimulationWorkload<Slow> = {
      createFsm: () => new Slow(),
      command: () => new Uint8Array([1]),
      query: () => ({ input: "busy", run: ({ busy }) => busy }),
      judge: (calls) => (calls.every(({ output }) => output === 0) ? undefined : "a query saw it busy"),
    };
    const busy = { clients: 6, thinkMsMean: 5, queryRate: 0.5 };
    const profile = { voters: 3, learners: 0, ...busy, faultGapMsMean: {} };
    for (let seed = 1; seed <= 10; seed++) {
      expect((await simulate({ seed, steps: 4000, nodes: 3, workload, profile })).violation).toBeUndefined();
    }
  });

  it("leaves out the faults that a failure does not need", { timeout: 60_000 }, async () => {
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
    const workload = { createFsm: () => new Fragile(), command: () => new Uint8Array([1]) };
    const profile = {
      voters: 3,
      learners: 0,
      clients: 3,
      thinkMsMean: 20,
      queryRate: 0.1,
      options: { snapshotEveryEntries: 5, tickMs: 100 },
      faultGapMsMean: { crash: 4000, partition: 8000, pause: 8000 },
    };
    const options = { seed: 1, steps: 4000, nodes: 3, workload, profile };
    const failing = await simulate(options);
    expect(failing.violation).toMatchObject({ invariant: "no internal failure" });
    const least = await minimise(options, failing);
    expect(least.result.violation).toMatchObject({ invariant: "no internal failure" });
    expect(least.options.faults!.length).toBeLessThanOrEqual(2);
  });
});

describe("drawn faults", () => {
  it("are ascending, and those of one kind do not depend on which other kinds there are", () => {
    const nodes = ["a", "b", "c"];
    const both = drawFaults(new SeededRandom(7), { crash: 100, pause: 200 }, nodes, 10_000);
    const one = drawFaults(new SeededRandom(7), { pause: 200 }, nodes, 10_000);
    expect(both.map(({ atMs }) => atMs)).toEqual(both.map(({ atMs }) => atMs).sort((a, b) => a - b));
    expect(both.filter(({ kind }) => kind === "pause")).toEqual(one);
  });
});
