import { parseArgs } from "node:util";
import { SeededRandom, SimProcess, simulate, VirtualLoop } from "../src/testing.ts";

// What the simulator costs: `node --conditions=@mon/source packages/raft/bench/sim.ts [--seeds N] [--steps N]`. Steps of
// whole runs with all invariants, and events of an empty loop: as many, in which nothing happens but that each of five
// processes draws the time of its next one. One core.

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "100" }, steps: { type: "string", default: "20000" } },
});
const seeds = Number(values.seeds);
const steps = Number(values.steps);
const rounds = 3;

// As `npm run sim` does.
Error.stackTraceLimit = 0;
await runs(10);
await emptyLoop(100_000);
const simulated: number[] = [];
const empty: number[] = [];
for (let round = 0; round < rounds; round++) {
  const { perSecond, count } = await runs(seeds);
  simulated.push(perSecond);
  empty.push(await emptyLoop(count));
}
const [real, floor] = [median(simulated), median(empty)];
console.log(`node ${process.version}, ${seeds} seeds of ${steps} steps, median of ${rounds}\n`);
console.log("| | per second |\n| --- | ---: |");
console.log(`| steps, with every invariant | ${Math.round(real).toLocaleString("en")} |`);
console.log(`| events of an empty loop | ${Math.round(floor).toLocaleString("en")} |`);
console.log(`| ratio | ${(floor / real).toFixed(1)} |`);

async function runs(count: number): Promise<{ perSecond: number; count: number }> {
  const startedAt = performance.now();
  let sum = 0;
  for (let seed = 1; seed <= count; seed++) {
    const { steps: done, violation } = await simulate({ seed, steps, nodes: [3, 5, 5, 7][seed % 4]! });
    if (violation !== undefined) throw new Error(`expected no violation, got one with seed ${seed}`);
    sum += done;
  }
  return { perSecond: (1000 * sum) / (performance.now() - startedAt), count: sum };
}

async function emptyLoop(count: number): Promise<number> {
  const loop = new VirtualLoop();
  const random = new SeededRandom(1);
  for (let node = 1; node <= 5; node++) {
    const process = new SimProcess(`n${node}`, 1, loop);
    const again = (): void => {
      process.setTimeout(again, random.exponential(10));
    };
    again();
  }
  const startedAt = performance.now();
  let done = 0;
  await loop.run(Number.POSITIVE_INFINITY, () => ++done < count);
  return (1000 * count) / (performance.now() - startedAt);
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[figures.length >> 1]!;
}
