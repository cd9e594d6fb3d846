import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import { ReportSchema } from "@mon/proto";
import {
  Catalogue,
  ColumnBuilder,
  decodeSamples,
  encodeSamples,
  murmur3,
  SampleReader,
  sameShape,
} from "../src/index.ts";
import { createMessage, createSamples, encodeMessage } from "./report.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const filter = new RegExp(positionals[0] ?? "");
const fragmentCount = 100;
const rounds = 15;

/** A case: what it does once for each fragment. */
interface Case {
  readonly name: string;
  /** Passes over all fragments a round. */
  readonly passes: number;
  run(): void;
}

/** What the cases compute goes here, so that no compiler can leave the work out. */
let sink = 0;
let timestampMs = 1_767_225_600_000;

const samples = Array.from({ length: fragmentCount }, (_, i) => createSamples(i));
const fragments = samples.map(encodeSamples);
const messages = samples.map(createMessage);
const reader = new SampleReader();
const catalogue = new Catalogue();

function each(name: string, passes: number, operation: (bytes: Uint8Array, i: number) => number): Case {
  return {
    name,
    passes,
    run: () => {
      for (let pass = 0; pass < passes; pass++) {
        for (let i = 0; i < fragmentCount; i++) sink += operation(fragments[i]!, i);
      }
    },
  };
}

const cases = [
  each("hash/murmur3", 50, (bytes) => murmur3(bytes).low),
  each("encode/mon", 5, (_, i) => encodeSamples(samples[i]!).length),
  each("encode/protobuf-es", 5, (_, i) => encodeMessage(messages[i]!).length),
  each("decode/mon", 10, (bytes) => decodeSamples(bytes).length),
  each("decode/mon-reader", 50, (bytes) => {
    let visited = 0;
    reader.read(bytes, () => {
      visited++;
    });
    return visited;
  }),
  each("decode/protobuf-es", 5, (bytes) => fromBinary(ReportSchema, bytes).samples.length),
  each("shape/same", 50, (bytes) => (sameShape(fragments[0]!, bytes) ? 1 : 0)),
  each("catalogue/repeated-shape", 50, (bytes) => {
    timestampMs++;
    return catalogue.observe({ hostId: "web-1", timestampMs, idHigh: 0, idLow: 0, bytes }).newSeries.length;
  }),
  {
    name: "columns/build",
    passes: 10,
    run: () => {
      const builder = new ColumnBuilder(() => true);
      for (let pass = 0; pass < 10; pass++) for (const bytes of fragments) builder.add(++timestampMs, bytes);
      sink += builder.take().length;
    },
  },
].filter(({ name }) => filter.test(name));

function nanosecondsOf({ passes, run }: Case): number {
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / (passes * fragmentCount);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

const durations = new Map<Case, number[]>(cases.map((one) => [one, []]));
for (const one of cases) for (let warm = 0; warm < 3; warm++) one.run();
for (let round = 0; round < rounds; round++) {
  for (const one of cases) durations.get(one)!.push(nanosecondsOf(one));
}

const results: Record<string, { opsPerSecond: number; unit: string }> = {};
console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}, fragments of 20 samples and ${fragments[0]!.length} bytes, ${rounds} rounds`,
);
for (const [{ name }, nanoseconds] of durations) {
  const middle = median(nanoseconds);
  results[name] = { opsPerSecond: Math.round(1e9 / middle), unit: "fragments/s" };
  const range = `${Math.min(...nanoseconds).toFixed(0)} to ${Math.max(...nanoseconds).toFixed(0)}`;
  console.log(`${name.padEnd(28)} ${middle.toFixed(0).padStart(8)} ns  (${range})`);
}
writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
if (!Number.isFinite(sink)) throw new Error(`expected the cases to compute something, got ${sink}`);
