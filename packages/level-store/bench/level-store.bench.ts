import { writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { Corpus } from "./corpus.ts";
import { growth } from "./growth.ts";
import { dayReads, latestReads } from "./reads.ts";
import { rawPuts, rawValues, storeWrites, type WriteCase } from "./writes.ts";

// Writes through the store beside raw LevelDB with the same bytes, all synced; then reads, growth and start-up. All in
// one run: rounds of the writes alternate, so that a busy moment of the machine hits all of them, and each counts by its
// median round. CPU is that of all threads, that of LevelDB and of the worker among it.

const { values, positionals } = parseArgs({
  options: {
    reports: { type: "string", default: "200000" },
    rounds: { type: "string", default: "5" },
    hosts: { type: "string", default: "1000" },
    stored: { type: "string", default: "1000000" },
    directory: { type: "string", default: tmpdir() },
  },
  allowPositionals: true,
});
const reports = Number(values.reports);
const rounds = Number(values.rounds);
const filter = new RegExp(positionals[0] ?? "");
const corpus = new Corpus(Number(values.hosts));
const results: Record<string, unknown> = {};

function say(name: string, facts: Record<string, number>): void {
  results[name] = facts;
  const columns = Object.entries(facts).map(([unit, value]) => `${format(value).padStart(12)} ${unit}`);
  console.log(`${name.padEnd(34)}${columns.join("")}`);
}

function format(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

console.log(
  `node ${process.version}, ${cpus().length} × ${cpus()[0]!.model}, ${corpus.hosts.length} hosts, ` +
    `reports of ${corpus.reportBytes} bytes, median of ${rounds} rounds`,
);

const singles = Math.max(100, Math.floor(reports / 100));
const writes: readonly WriteCase[] = [
  ...[1_000, 100].flatMap((batch) => [
    rawPuts(corpus, batch, reports),
    rawValues(corpus, batch, reports),
    storeWrites(corpus, batch, reports),
  ]),
  rawPuts(corpus, 1, singles),
  storeWrites(corpus, 1, singles),
].filter(({ name }) => filter.test(name));

const costs = new Map(
  writes.map(({ name }) => [name, { perSecond: [] as number[], cpu: [] as number[], total: [] as number[] }]),
);
for (let round = 0; round < rounds; round++) {
  for (const { name, reports: count, run } of writes) {
    const { accepted, total } = await run(values.directory);
    const cost = costs.get(name)!;
    cost.perSecond.push((1_000 * count) / accepted.ms);
    cost.cpu.push(accepted.cpuUs / count);
    cost.total.push(total.cpuUs / count);
  }
}
for (const [name, { perSecond, cpu, total }] of costs) {
  say(name, { "reports/s": median(perSecond), "CPU-µs": median(cpu), "CPU-µs with chunks": median(total) });
}
if (filter.test("read-day")) {
  for (const { name, perSecond, unit } of await dayReads(corpus, values.directory, rounds)) {
    say(name, { [unit]: perSecond });
  }
}
if (filter.test("latest")) {
  const { name, perSecond, unit } = await latestReads(new Corpus(10_000), values.directory, rounds);
  say(name, { [unit]: perSecond });
}
if (filter.test("growth")) {
  const { stages, openMs, bytesPerReport } = await growth(corpus, values.directory, Number(values.stored));
  for (const { stored, cpuUs, perSecond } of stages) {
    say(`growth/${stored}-stored`, { "reports/s": perSecond, "CPU-µs": cpuUs });
  }
  say("growth/open", { ms: openMs, "bytes/report": bytesPerReport });
}
writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(results, undefined, 2)}\n`);
