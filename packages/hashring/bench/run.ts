import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { bucketStart, createRing, type HashRing, shardKey } from "../src/index.ts";
import { type Case, measure, type Timing } from "./measure.ts";
import { createConsistentHash, createKetama, createNodeHashring, type Subject } from "./peers.ts";

// Lookups and changes of this ring and its peers, all in one run. Prints a table and what the goals come to, and writes
// results.json: `npm run bench -- [--keys n] [--rounds n] [pattern]`.

const { values, positionals } = parseArgs({
  options: { keys: { type: "string", default: "1000000" }, rounds: { type: "string", default: "7" } },
  allowPositionals: true,
});
const keyCount = Number(values.keys);
const rounds = Number(values.rounds);
const filter = new RegExp(positionals[0] ?? "");

const LOOKUPS_A_BATCH = 10_000;
const CHANGES_A_ROUND = 20;
const HOUR_MS = 3_600_000;

if (
  !Number.isInteger(keyCount / LOOKUPS_A_BATCH) ||
  keyCount < 1 ||
  !Number.isInteger(rounds) ||
  rounds < 1
) {
  throw new RangeError(
    `expected --keys by ${LOOKUPS_A_BATCH} and --rounds from 1, got ${keyCount} and ${rounds}`,
  );
}

/** A string as it comes from a socket: flat, not the rope that concatenation leaves behind. */
function flat(text: string): string {
  return Buffer.from(text).toString("latin1");
}

const hosts = Array.from({ length: keyCount }, (_, i) => flat(`web-${i % 5000}`));
const times = hosts.map((_, i) => 1_700_000_000_000 + Math.floor(i / 5000) * HOUR_MS + (i % 1000));
const starts = times.map((time, i) => bucketStart(hosts[i]!, time, HOUR_MS));
const keys = starts.map((start, i) => flat(shardKey(hosts[i]!, start)));
const bytes = keys.map((key) => Buffer.from(key));
if (new Set(keys).size !== keyCount) throw new Error(`expected ${keyCount} distinct keys`);

function createSubject(nodes: readonly string[]): Subject {
  let ring: HashRing = createRing({ members: nodes.map((id) => ({ id })) });
  return {
    name: "mon",
    lookUp: (keys, from, to) => {
      let lengths = 0;
      for (let i = from; i < to; i++) lengths += ring.owner(keys[i]!)!.length;
      return lengths;
    },
    add: (id) => {
      ring = ring.add({ id });
    },
    remove: (id) => {
      ring = ring.remove(id);
    },
  };
}

/** Each case has a loop of its own, so that each is compiled for what it calls. */
function lookupCases(nodes: readonly string[]): Case[] {
  const ring = createRing({ members: nodes.map((id) => ({ id })) });
  const each = (name: string, lookUp: (from: number, to: number) => number): Case => ({
    name: `lookup-${nodes.length}/${name}`,
    batches: keyCount / LOOKUPS_A_BATCH,
    operations: LOOKUPS_A_BATCH,
    run: (batch) => lookUp(batch * LOOKUPS_A_BATCH, (batch + 1) * LOOKUPS_A_BATCH),
  });
  const subjects = [createSubject, createConsistentHash, createNodeHashring, createKetama].map((make) =>
    make(nodes),
  );
  return [
    each("mon-hash-alone", (from, to) => {
      let positions = 0;
      for (let i = from; i < to; i++) positions += ring.position(keys[i]!);
      return positions;
    }),
    ...subjects.map((subject) => each(subject.name, (from, to) => subject.lookUp(keys, from, to))),
    each("mon-bytes", (from, to) => {
      let lengths = 0;
      for (let i = from; i < to; i++) lengths += ring.owner(bytes[i]!)!.length;
      return lengths;
    }),
    each("mon-string-of-host-and-bucket", (from, to) => {
      let lengths = 0;
      for (let i = from; i < to; i++) lengths += ring.owner(`${hosts[i]!}:${starts[i]!}`)!.length;
      return lengths;
    }),
    each("mon-host-and-bucket", (from, to) => {
      let lengths = 0;
      for (let i = from; i < to; i++) lengths += ring.ownerOfBucket(hosts[i]!, starts[i]!)!.length;
      return lengths;
    }),
    each("mon-host-and-time", (from, to) => {
      let lengths = 0;
      for (let i = from; i < to; i++) lengths += ring.ownerOf(hosts[i]!, times[i]!)!.length;
      return lengths;
    }),
    each("mon-three-owners", (from, to) => {
      let lengths = 0;
      for (let i = from; i < to; i++) lengths += ring.owners(keys[i]!, 3).length;
      return lengths;
    }),
  ];
}

/** Each change counts together with the lookup after it, because some rings put the work off until then. */
function changeCases(nodes: readonly string[]): Case[] {
  const makers = [createSubject, createConsistentHash, createNodeHashring, createKetama];
  const key = ["web-1"];
  return makers.flatMap((make): Case[] => {
    const subject = make(nodes);
    const add = (i: number): number => {
      subject.add(`10.99.99.${i}:7400`);
      return subject.lookUp(key, 0, 1);
    };
    const remove = (i: number): number => {
      subject.remove(`10.99.99.${i}:7400`);
      return subject.lookUp(key, 0, 1);
    };
    const sizes = { batches: CHANGES_A_ROUND, operations: 1 };
    return [
      { name: `add-${nodes.length}/${subject.name}`, ...sizes, run: add, after: remove },
      { name: `remove-${nodes.length}/${subject.name}`, ...sizes, before: add, run: remove },
    ];
  });
}

/** What two cases' medians should come to: the first at most `atMost`, or at least `atLeast`, times the second. */
interface Goal {
  readonly name: string;
  readonly of: string;
  readonly over: readonly string[];
  readonly atMost?: number;
  readonly atLeast?: number;
}

function goals(count: number): Goal[] {
  const peers = (area: string): string[] =>
    ["consistent-hash", "node-hashring", "hashring"].map((name) => `${area}-${count}/${name}`);
  const lookup = `lookup-${count}`;
  return [
    { name: "lookup over hash alone", of: `${lookup}/mon`, over: [`${lookup}/mon-hash-alone`], atMost: 1.35 },
    { name: "fastest peer over lookup", of: `${lookup}/mon`, over: peers("lookup"), atLeast: 2 },
    { name: "hashring over lookup", of: `${lookup}/mon`, over: [`${lookup}/hashring`], atLeast: 25 },
    {
      name: "string and lookup over host and bucket",
      of: `${lookup}/mon-host-and-bucket`,
      over: [`${lookup}/mon-string-of-host-and-bucket`],
      atLeast: 3,
    },
    { name: "fastest peer over add", of: `add-${count}/mon`, over: peers("add"), atLeast: 1 },
    { name: "fastest peer over remove", of: `remove-${count}/mon`, over: peers("remove"), atLeast: 1 },
  ];
}

function printGoal({ name, of, over, atMost, atLeast }: Goal, timings: ReadonlyMap<string, Timing>): void {
  const medianOf = (name: string): number => timings.get(name)?.median ?? Number.NaN;
  const other = Math.min(...over.map(medianOf));
  const ratio = atMost === undefined ? other / medianOf(of) : medianOf(of) / other;
  if (Number.isNaN(ratio)) return;
  const goal = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  const met = atMost === undefined ? ratio >= atLeast! : ratio <= atMost;
  console.log(
    `${`${of}: ${name}`.padEnd(66)} ${ratio.toFixed(2).padStart(7)}  ${goal}${met ? "" : ": MISSED"}`,
  );
}

const counts = [10, 100];
const cases = counts
  .flatMap((count) => {
    const nodes = Array.from({ length: count }, (_, i) => `10.20.0.${i + 1}:7400`);
    return [...lookupCases(nodes), ...changeCases(nodes)];
  })
  .filter(({ name }) => filter.test(name));
const timings = measure(cases, rounds);

const machine = `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${cpus().length} cores`;
const node = process.version;
console.log(
  `${machine}, Node ${node}, ${keyCount} distinct keys, ${rounds} rounds, nanoseconds an operation`,
);
console.log(`${"".padEnd(44)} ${"median".padStart(12)} ${"p99".padStart(12)} ${"n".padStart(6)}`);
for (const [name, { n, median, p99 }] of timings) {
  console.log(
    `${name.padEnd(44)} ${median.toFixed(1).padStart(12)} ${p99.toFixed(1).padStart(12)} ${`${n}`.padStart(6)}`,
  );
}
console.log();
for (const goal of counts.flatMap(goals)) printGoal(goal, timings);

const results = Object.fromEntries(
  [...timings].map(([name, { n, median, p99 }]) => [
    name,
    { opsPerSecond: Math.round(1e9 / median), unit: "ops/s", medianNs: median, p99Ns: p99, n, machine, node },
  ]),
);
writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
