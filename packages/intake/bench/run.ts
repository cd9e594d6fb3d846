import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import { ReportSchema } from "@mon/proto";
import type { WriteFate } from "@mon/store";
import { BatchReader, type Clock, defaultRules, Intake } from "../src/index.ts";
import { createReports } from "./reports.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const filter = new RegExp(positionals[0] ?? "");
const batchReports = 100;
const batches = 200;
const rounds = 15;
const nowMs = 1_767_225_600_000;

/** A case: what it does with one batch. */
interface Case {
  readonly name: string;
  run(reports: readonly Uint8Array[]): number | Promise<number>;
  readonly reports: readonly Uint8Array[];
}

/** What the cases compute goes here, so that no compiler can leave the work out. */
let sink = 0;

const canonical = createReports(batchReports, nowMs, true);
const reversed = createReports(batchReports, nowMs, false);
const reader = new BatchReader(defaultRules);
/** Reads every report as if it came for the first time. */
const forgetful = new BatchReader(defaultRules, 0);
const stored: WriteFate = { status: "stored", durability: "memory", copies: 1 };
/** Stands still: no timer is ever due. */
const clock: Clock = { now: () => nowMs, setTimeout: () => ({ cancel() {} }) };
const store = { write: async (fragments: readonly unknown[]) => fragments.map(() => stored) };
const intake = new Intake({ store, clock });
let passes = 0;

const read =
  (by: BatchReader) =>
  (reports: readonly Uint8Array[]): number =>
    by.read(reports, nowMs).fragments.length;

const all: readonly Case[] = [
  {
    name: "floor/host-and-time",
    reports: canonical,
    run: (reports) => {
      let found = 0;
      for (const report of reports) found += walk(report);
      return found;
    },
  },
  { name: "read/known-layout", reports: canonical, run: read(reader) },
  { name: "read/known-layout-not-canonical", reports: reversed, run: read(reader) },
  { name: "read/new-layout", reports: canonical, run: read(forgetful) },
  { name: "read/new-layout-not-canonical", reports: reversed, run: read(forgetful) },
  {
    name: "read/protobuf-es",
    reports: canonical,
    run: (reports) => {
      let samples = 0;
      for (const report of reports) samples += fromBinary(ReportSchema, report).samples.length;
      return samples;
    },
  },
  {
    name: "submit/stored-at-once",
    reports: canonical,
    run: async (reports) => (await intake.submit(atAnotherTime(reports))).reportsStored,
  },
];
const cases = all.filter(({ name }) => filter.test(name));

/** The least that can be done with a report: checks its framing, sample by sample, and finds its host and time. */
function walk(report: Uint8Array): number {
  const view = new DataView(report.buffer, report.byteOffset, report.byteLength);
  let position = 0;
  let hostEnd = 0;
  let time = 0;
  while (position < report.length) {
    const tag = report[position++]!;
    if (tag === 0x11) {
      time = view.getUint32(position, true) + view.getUint32(position + 4, true) * 2 ** 32;
      position += 8;
      continue;
    }
    let length = report[position++]!;
    if (length >= 0x80) length = (length & 0x7f) | (report[position++]! << 7);
    position += length;
    if (tag === 0x0a) hostEnd = position;
  }
  return position === report.length && hostEnd > 0 && time > 0 ? 1 : 0;
}

/** The same reports, each pass a millisecond later, so that none repeats another. The times are theirs to change. */
function atAnotherTime(reports: readonly Uint8Array[]): readonly Uint8Array[] {
  passes = (passes + 1) % 500_000;
  for (const report of reports) {
    const at = 3 + report[1]!;
    new DataView(report.buffer, report.byteOffset).setBigUint64(at, BigInt(nowMs - passes), true);
  }
  return reports;
}

/** CPU time of this process for each report, in microseconds. */
async function microsecondsOf({ run, reports }: Case): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < batches; i++) sink += await run(reports);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (batches * batchReports);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

const durations = new Map<Case, number[]>(cases.map((one) => [one, []]));
for (const one of cases) await microsecondsOf(one);
for (let round = 0; round < rounds; round++) {
  for (const one of cases) durations.get(one)!.push(await microsecondsOf(one));
}

const results: Record<string, { opsPerSecond: number; unit: string }> = {};
console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}, reports of 20 metrics and ${canonical[0]!.length} bytes in batches of ${batchReports}, ${rounds} rounds`,
);
for (const [{ name }, microseconds] of durations) {
  const middle = median(microseconds);
  results[name] = { opsPerSecond: Math.round(1e6 / middle), unit: "reports per CPU second" };
  const range = `${Math.min(...microseconds).toFixed(2)} to ${Math.max(...microseconds).toFixed(2)}`;
  console.log(`${name.padEnd(32)} ${middle.toFixed(2).padStart(8)} CPU-µs a report  (${range})`);
}
writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
if (sink === 0) throw new Error("expected the cases to compute something, got 0");
