import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { type SimulationResult, simulate } from "../../src/testing.ts";
import { type PlantedBug, plantedBugs } from "./planted-bugs.ts";

/** By name of a bug, the first seed that finds it. `REWRITE=1 vitest run sim/planted` looks for them anew. */
const file = new URL("planted-bugs.json", import.meta.url);
const found = JSON.parse(readFileSync(file, "utf8")) as Record<string, { seed: number; by: string }>;
const { REWRITE } = process.env;
const steps = 8000;
const maxSeeds = 500;

async function runWith(bug: PlantedBug, seed: number): Promise<SimulationResult> {
  const undo = bug.plant();
  try {
    return await simulate({ seed, steps, ...bug.options });
  } finally {
    undo();
  }
}

async function search(bug: PlantedBug): Promise<void> {
  for (let seed = 1; seed <= maxSeeds; seed++) {
    const { violation } = await runWith(bug, seed);
    // A seed that fails anyhow shows nothing.
    if (violation !== undefined && (await simulate({ seed, steps })).violation === undefined) {
      found[bug.name] = { seed, by: violation.invariant };
      return;
    }
  }
  delete found[bug.name];
}

it("plants at least 18 bugs", () => {
  expect(plantedBugs.length).toBeGreaterThanOrEqual(18);
});

describe("the simulator finds", () => {
  it.each(plantedBugs.map((bug) => [bug.name, bug] as const))(
    "%s",
    { timeout: REWRITE ? 3_600_000 : 60_000 },
    async (name, bug) => {
      if (REWRITE) {
        await search(bug);
      }
      const { seed, by } = found[name] ?? expect.fail(`expected one of ${maxSeeds} seeds to find it`);
      expect((await runWith(bug, seed)).violation?.invariant).toBe(by);
      expect((await simulate({ seed, steps })).violation).toBeUndefined();
    },
  );
});

if (REWRITE) {
  afterAll(() => {
    const named = plantedBugs.filter(({ name }) => found[name]).map(({ name }) => [name, found[name]]);
    writeFileSync(file, `${JSON.stringify(Object.fromEntries(named), undefined, 2)}\n`);
  });
}
