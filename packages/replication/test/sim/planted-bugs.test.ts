import { expect, it } from "vitest";
import { plantedBugs } from "./planted-bugs.ts";
import { type SimulationResult, simulate } from "./simulation.ts";

/** Runs seeds until one finds something: another change may draw other numbers than those that found it once. */
async function firstFound(
  from: number,
  run: (seed: number) => Promise<SimulationResult>,
): Promise<number | undefined> {
  for (let seed = from; seed < from + 40; seed++) {
    if ((await run(seed)).violations.length > 0) return seed;
  }
  return undefined;
}

it.each(plantedBugs)("$rule: it is found when $name", async ({ seed: from, plant, options, sound }) => {
  const unplant = plant?.();
  let seed: number | undefined;
  try {
    seed = await firstFound(from, (each) => simulate({ seed: each, ...options }));
  } finally {
    unplant?.();
  }
  expect(seed).toBeDefined();
  // The same run without the bug keeps its promises: it is the bug that was found.
  const { violations } = await simulate({ seed: seed!, ...options, ...sound });
  expect(violations).toEqual([]);
});
