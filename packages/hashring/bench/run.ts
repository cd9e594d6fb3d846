import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { bucketStart, createRing, type HashRing, shardKey } from "../src/index.ts";
import { createRandom } from "./names.ts";
import { createConsistentHash, createKetama, createNodeHashring, type Subject } from "./peers.ts";

// Lookups and changes of this ring and its peers, all in one run. Rounds of the cases alternate, so that a busy moment
// of the machine hits all of them; a case counts by its median round.

const { values, positionals } = parseArgs({
  options: { keys: { type: "string", default: "1000000" }, rounds: { type: "string", default: "7" } },
  allowPositionals: true,
});
const keyCount = Number(values.keys);
const rounds = Number(values.rounds);
const filter = new RegExp(positionals[0] ?? "");

/** One measured thing: `run` does it `operations` times. */
interface Case {
  name: string;
  operations: number;
  run(): void;
}

/** What the cases compute goes here, so that no compiler can leave the work out. */
let sink = 0;

function createSubject(nodes: readonly string[]): Subject {
  let ring: HashRing = createRing({ members: nodes.map((id) => ({ id })) });
  return {
    name: "mon",
    lookup: (key) => ring.owner(key),
    add: (id) => {
      ring = ring.add({ id });
    },
    remove: (id) => {
      ring = ring.remove(id);
    },
    points: () => ({ space: 2 ** 32, points: [] }),
  };
}

function lookupCases(nodes: readonly string[], hosts: readonly string[], times: readonly number[]): Case[] {
  const ring = createRing({ members: nodes.map((id) => ({ id })) });
  const starts = times.map((time, i) => bucketStart(hosts[i]!, time, 3_600_000));
  const keys = starts.map((start, i) => shardKey(hosts[i]!, start));
  const area = `lookup-${nodes.length}`;
  const each = (name: string, operation: (i: number) => number): Case => ({
    name: `${area}/${name}`,
    operations: keyCount,
    run: () => {
      for (let i = 0; i < keyCount; i++) sink += operation(i);
    },
  });
  const bytes = keys.map((key) => Buffer.from(key));
  const subjects = [createConsistentHash(nodes), createNodeHashring(nodes), createKetama(nodes)];
  return [
    each("mon-hash-alone", (i) => ring.position(keys[i]!)),
    each("mon", (i) => ring.owner(keys[i]!)!.length),
    each("mon-bytes", (i) => ring.owner(bytes[i]!)!.length),
    each("mon-string-of-host-and-bucket", (i) => ring.owner(`${hosts[i]!}:${starts[i]!}`)!.length),
    each("mon-host-and-bucket", (i) => ring.ownerOfBucket(hosts[i]!, starts[i]!)!.length),
    each("mon-host-and-time", (i) => ring.ownerOf(hosts[i]!, times[i]!)!.length),
    each("mon-three-owners", (i) => ring.owners(keys[i]!, 3).length),
    // node-hashring answers undefined for some keys once two of its positions collide.
    ...subjects.map((subject) => each(subject.name, (i) => subject.lookup(keys[i]!)?.length ?? 0)),
  ];
}

/** Adds one node and removes it again, each time with a lookup, because some rings put the work off until then. */
function changeCases(nodes: readonly string[]): Case[] {
  const makers = [createSubject, createConsistentHash, createNodeHashring, createKetama];
  const repeats = 20;
  return makers.map((make) => {
    const subject = make(nodes);
    return {
      name: `change-${nodes.length}/${subject.name}`,
      operations: 2 * repeats,
      run: () => {
        for (let i = 0; i < repeats; i++) {
          subject.add(`10.99.99.${i}:7400`);
          sink += subject.lookup("web-1")?.length ?? 0;
          subject.remove(`10.99.99.${i}:7400`);
          sink += subject.lookup("web-1")?.length ?? 0;
        }
      },
    };
  });
}

function nanosecondsOf({ operations, run }: Case): number {
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / operations;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

const random = createRandom(1);
const hosts = Array.from({ length: keyCount }, (_, i) => `web-${i % 5000}`);
const times = hosts.map(
  (_, i) => 1_700_000_000_000 + Math.floor(i / 5000) * 3_600_000 + Math.floor(random() * 1000),
);
const cases = [10, 100]
  .flatMap((count) => {
    const nodes = Array.from(
      { length: count },
      (_, i) => `10.20.${Math.floor(i / 250)}.${(i % 250) + 1}:7400`,
    );
    return [...lookupCases(nodes, hosts, times), ...changeCases(nodes)];
  })
  .filter(({ name }) => filter.test(name));

const durations = new Map<Case, number[]>(cases.map((one) => [one, []]));
for (const one of cases) one.run();
for (let round = 0; round < rounds; round++) {
  for (const one of cases) durations.get(one)!.push(nanosecondsOf(one));
}

const results: Record<string, { opsPerSecond: number; unit: string }> = {};
console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}, ${keyCount} keys, ${rounds} rounds`,
);
for (const [{ name }, nanoseconds] of durations) {
  const middle = median(nanoseconds);
  results[name] = { opsPerSecond: Math.round(1e9 / middle), unit: "ops/s" };
  const range = `${Math.min(...nanoseconds).toFixed(1)} to ${Math.max(...nanoseconds).toFixed(1)}`;
  console.log(`${name.padEnd(42)} ${middle.toFixed(1).padStart(12)} ns  (${range})`);
}
writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
if (sink === 0) throw new Error("expected the cases to compute something, got 0");
