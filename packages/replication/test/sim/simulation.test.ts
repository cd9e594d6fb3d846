import { expect, it } from "vitest";
import { type Simulation, type SimulationOptions, simulate } from "./simulation.ts";

const seeds = process.env.SEED === undefined ? range(1, 12) : [Number(process.env.SEED)];

it.each(seeds)("keeps what it promises under faults that are drawn by seed %i", async (seed) => {
  const result = await simulate({ seed });
  expect(result.violations).toEqual([]);
  // A run in which little happens proves little.
  expect(result.acked).toBeGreaterThan(100);
  expect(result.completeReads).toBeGreaterThan(20);
  expect(result.changes).toBeGreaterThan(2);
});

it("the same seed gives the same run", async () => {
  const [first, second] = [await simulate({ seed: 7 }), await simulate({ seed: 7 })];
  expect(second).toEqual(first);
});

const copySteps = new Set(["partitions", "manifest", "fetch", "receipt", "give"]);

/** Who is killed at a step: who asks (the target of a copy), who is asked (its source), or who leads. */
type Role = "asker" | "asked" | "leader";

/** A broker joins, and at the n-th step of what follows somebody is killed for a while. */
function crashAt(
  step: number,
  role: Role,
  killed: () => void,
): Partial<SimulationOptions> & { prepare(simulation: Simulation): void } {
  return {
    faultsMs: 6_000,
    script: [{ atMs: 2_000, run: (simulation) => simulation.join("d") }],
    prepare: (simulation) => {
      let steps = 0;
      simulation.network.onCall = (from, to, name) => {
        if (simulation.loop.now < 2_000 || !copySteps.has(name) || ++steps !== step) return;
        killed();
        if (role !== "leader") simulation.restart(role === "asker" ? from : to, 700);
        else {
          simulation.raft.loss = 1;
          simulation.loop.schedule(700, () => {
            simulation.raft.loss = 0;
          });
        }
      };
    },
  };
}

it.each(["asker", "asked", "leader"] as const)(
  "a hand-over outlives a crash of the %s at any step",
  async (role) => {
    let kills = 0;
    for (let step = 1; step <= 120; step += 8) {
      const { violations, changes } = await simulate({
        seed: 100 + step,
        ...crashAt(step, role, () => kills++),
      });
      expect({ step, violations }).toEqual({ step, violations: [] });
      expect(changes).toBe(3);
    }
    expect(kills).toBe(15);
  },
);

it("two changes at once wait for each other, and one that is called off leaves nothing behind", async () => {
  for (const seed of range(1, 6)) {
    const { violations, changes } = await simulate({
      seed,
      faultsMs: 8_000,
      script: [
        { atMs: 2_000, run: (simulation) => simulation.join("d") },
        { atMs: 2_001, run: (simulation) => simulation.join("e") },
        { atMs: 3_000, run: (simulation) => simulation.order({ kind: "leave", nodeId: "a" }) },
        { atMs: 5_000, run: (simulation) => simulation.order({ kind: "leave", nodeId: "b" }) },
        { atMs: 5_100, run: (simulation) => simulation.abort() },
      ],
    });
    expect({ seed, violations }).toEqual({ seed, violations: [] });
    expect(changes).toBeGreaterThan(4);
  }
});

it("a broker that is dead for good loses nothing, and its share is copied again", async () => {
  for (const seed of range(1, 6)) {
    const { violations, changes } = await simulate({
      seed,
      faultsMs: 8_000,
      script: [
        { atMs: 1_800, run: (simulation) => simulation.join("d") },
        { atMs: 4_000, run: (simulation) => simulation.bury("b") },
      ],
    });
    expect({ seed, violations }).toEqual({ seed, violations: [] });
    expect(changes).toBe(4);
  }
});

it("R26: what a disk has lost is copied again, and without repair it is not", async () => {
  const lossy = {
    seed: 3,
    faultsMs: 6_000,
    doubt: 0,
    script: [{ atMs: 4_000, run: (simulation: Simulation) => void simulation.stores.get("b")!.lose() }],
  };
  expect((await simulate(lossy)).violations).toEqual([]);
  const { violations } = await simulate({ ...lossy, doesRepair: false });
  expect(violations).toEqual([expect.stringContaining("did not settle")]);
});

it("the whole cluster may be started again at once", async () => {
  for (const seed of range(1, 4)) {
    const all = (simulation: Simulation): void => {
      for (const nodeId of simulation.brokers.keys()) simulation.restart(nodeId, 500);
    };
    const script = [2_000, 3_000, 4_500].map((atMs) => ({ atMs, run: all }));
    const joins = { atMs: 2_500, run: (simulation: Simulation) => simulation.join("d") };
    const { violations } = await simulate({ seed, faultsMs: 6_000, script: [...script, joins] });
    expect({ seed, violations }).toEqual({ seed, violations: [] });
  }
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
