import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { aggregations, queryRange } from "../src/index.ts";
import { createSource } from "./columns.ts";

// Samples a second through a range query, beside a loop that only adds up the same columns. Rounds of the cases
// alternate, so that a busy moment of the machine hits all of them; a case counts by its median round.

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, series: { type: "string", default: "40" } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
const series = Number(values.series);
const hours = 24;
const samples = series * hours * 3_600;
const filter = new RegExp(positionals[0] ?? "");
const source = createSource(series, hours);

/** What the cases compute goes here, so that no compiler can leave the work out. */
let sink = 0;

/** One way to go through all samples. */
interface Case {
  name: string;
  run(): Promise<void>;
}

function queryCase(name: string, stepMs: number, aggregation?: (typeof aggregations)[number]): Case {
  const request = {
    startMs: 0,
    endMs: hours * 3_600_000 - 1,
    stepMs,
    ...(aggregation !== undefined && { aggregation }),
  };
  return {
    name,
    run: async () => {
      for await (const batch of queryRange(source, request)) sink += batch.length;
    },
  };
}

function sumOf(column: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < column.length; i++) sum += column[i]!;
  return sum;
}

const plainLoop: Case = {
  name: "columns/plain-sum",
  run: async () => {
    for (const column of source.columns) sink += sumOf(column);
  },
};

const cases = [
  plainLoop,
  queryCase("minute/look-back", 60_000),
  ...aggregations.map((aggregation) => queryCase(`minute/${aggregation}`, 60_000, aggregation)),
  queryCase("ten-seconds/avg", 10_000, "avg"),
  queryCase("hour/rate", 3_600_000, "rate"),
  queryCase("stored/raw", 0),
].filter(({ name }) => filter.test(name));

async function secondsOf({ run }: Case): Promise<number> {
  const start = process.hrtime.bigint();
  await run();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

const durations = new Map<Case, number[]>(cases.map((one) => [one, []]));
for (const one of cases) await one.run();
for (let round = 0; round < rounds; round++) {
  for (const one of cases) durations.get(one)!.push(await secondsOf(one));
}

const results: Record<string, { opsPerSecond: number; unit: string }> = {};
console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}, ${samples} samples of ${series} series, ${rounds} rounds`,
);
for (const [{ name }, seconds] of durations) {
  const rate = (duration: number) => samples / duration;
  results[name] = { opsPerSecond: Math.round(rate(median(seconds))), unit: "samples/s" };
  const range = `${rate(Math.max(...seconds)).toExponential(2)} to ${rate(Math.min(...seconds)).toExponential(2)}`;
  console.log(
    `${name.padEnd(24)} ${rate(median(seconds)).toExponential(2).padStart(12)} samples/s  (${range})`,
  );
}
writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
if (sink === 0) throw new Error("expected the cases to compute something, got 0");
