/**
 * CPU time of encoding and decoding chunks of recorded readings, beside copying the same columns and a naive JSON codec,
 * in one run: prints a table and writes chunk-speed.json. `npm run bench:chunks -- small` selects cases.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { Chunk, encodeChunk, joinChunk, mergeColumns, type SeriesColumn } from "../src/index.ts";
import { cut, type RecordedColumn, readRecording } from "./chunk-recording.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const filter = new RegExp(positionals[0] ?? "");
const rounds = 15;
/** Each round of a case goes on for so long, so that the clock does not matter. */
const roundMs = 50;

const { about, columns } = readRecording();
const complete = columns.filter(({ values }) => values.length === columns[0]!.values.length);
const byAgent = complete.filter(({ by }) => by === "agent");
const twenty = byAgent.filter((_, i) => i % 4 === 0).slice(0, 20);

function chunksOf(given: readonly RecordedColumn[], count: number, chunks: number): SeriesColumn[][] {
  return Array.from({ length: chunks }, (_, i) => cut(given, i * count, count));
}

const corpora: Readonly<Record<string, SeriesColumn[][]>> = {
  [`${complete.length}x1440`]: chunksOf(complete, 1_440, 1),
  [`${byAgent.length}x240`]: chunksOf(byAgent, 240, 6),
  "20x6": chunksOf(twenty, 6, 100),
};

/** What the cases compute goes here, so that no compiler can leave the work out. */
let sink = 0;

interface Case {
  readonly name: string;
  readonly corpus: string;
  readonly samples: number;
  run(): void;
}

/** Samples as arrays of numbers. What JSON cannot say, such as NaN, is not in the recording. */
function toJson(chunk: readonly SeriesColumn[]): string {
  return JSON.stringify(
    chunk.map(({ series, timestampsMs, values, flags }) => ({
      series,
      timestampsMs: [...timestampsMs],
      values: [...values],
      flags: [...flags],
    })),
  );
}

function fromJson(text: string): SeriesColumn[] {
  const parsed: {
    series: SeriesColumn["series"];
    timestampsMs: number[];
    values: number[];
    flags: number[];
  }[] = JSON.parse(text);
  return parsed.map(({ series, timestampsMs, values, flags }) => ({
    series,
    timestampsMs: Float64Array.from(timestampsMs),
    values: Float64Array.from(values),
    flags: Uint32Array.from(flags),
  }));
}

function decode(bytes: Uint8Array): void {
  const chunk = Chunk.parse(bytes);
  for (let i = 0; i < chunk.series.length; i++) sink += chunk.column(i).values.length;
}

function casesOf(corpus: string, chunks: readonly SeriesColumn[][]): Case[] {
  const samples = chunks.flat().reduce((sum, { values }) => sum + values.length, 0);
  const fast = chunks.map((chunk) => joinChunk(encodeChunk(chunk)));
  const small = chunks.map((chunk) => joinChunk(encodeChunk(chunk, { effort: "small" })));
  const json = chunks.map(toJson);
  const halves = chunks.flat().map((column) => {
    const half = column.values.length >> 1;
    const part = (from: number, to?: number): SeriesColumn => ({
      series: column.series,
      timestampsMs: column.timestampsMs.slice(from, to),
      values: column.values.slice(from, to),
      flags: column.flags.slice(from, to),
    });
    return [part(0, half), part(half)];
  });
  const each = <T>(name: string, inputs: readonly T[], operation: (input: T) => void): Case => ({
    name,
    corpus,
    samples,
    run: () => {
      for (const input of inputs) operation(input);
    },
  });
  return [
    each("memcpy", chunks.flat(), ({ timestampsMs, values, flags }) => {
      sink += timestampsMs.slice().length + values.slice().length + flags.slice().length;
    }),
    each("encode/fast", chunks, (chunk) => {
      sink += encodeChunk(chunk).idLow;
    }),
    each("encode/small", chunks, (chunk) => {
      sink += encodeChunk(chunk, { effort: "small" }).idLow;
    }),
    each("encode/json", chunks, (chunk) => {
      sink += toJson(chunk).length;
    }),
    each("decode/fast", fast, decode),
    each("decode/small", small, decode),
    each("decode/json", json, (text) => {
      sink += fromJson(text).length;
    }),
    each("merge/halves", halves, (parts) => {
      sink += mergeColumns(parts).conflicts;
    }),
  ].filter(({ name }) => name === "memcpy" || filter.test(name));
}

/** CPU nanoseconds a sample, of this process: what others do on the machine counts less than by the clock. */
function measure({ run, samples }: Case): number {
  const start = process.cpuUsage();
  const deadline = performance.now() + roundMs;
  let runs = 0;
  do {
    run();
    runs++;
  } while (performance.now() < deadline);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1_000) / (runs * samples);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

const results: Record<string, { opsPerSecond: number; unit: string }> = {};
console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}, ${rounds} rounds; ${about}`,
);
for (const [corpus, chunks] of Object.entries(corpora)) {
  const cases = casesOf(corpus, chunks);
  for (const one of cases) for (let warm = 0; warm < 3; warm++) measure(one);
  const durations = new Map<Case, number[]>(cases.map((one) => [one, []]));
  for (let round = 0; round < rounds; round++)
    for (const one of cases) durations.get(one)!.push(measure(one));
  const copying = median(durations.get(cases[0]!)!);
  for (const [{ name }, nanoseconds] of durations) {
    const middle = median(nanoseconds);
    results[`chunk/${corpus}/${name}`] = { opsPerSecond: Math.round(1e9 / middle), unit: "samples/s" };
    const range = `${Math.min(...nanoseconds).toFixed(1)} to ${Math.max(...nanoseconds).toFixed(1)}`;
    console.log(
      `${corpus.padEnd(10)} ${name.padEnd(14)} ${middle.toFixed(1).padStart(8)} ns a sample  ${(middle / copying).toFixed(1).padStart(7)} × memcpy  (${range})`,
    );
  }
}
writeFileSync(new URL("chunk-speed.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
if (!Number.isFinite(sink)) throw new Error(`expected the cases to compute something, got ${sink}`);
