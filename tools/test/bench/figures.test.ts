import { expect, test } from "vitest";
import { byPackage, packageOf, selfTimes } from "../../bench/cpu-profile.ts";
import { cpuSeconds, parseCpuSeconds } from "../../bench/cpu-time.ts";
import type { LoadResult } from "../../bench/job.ts";
import { readOptions } from "../../bench/options.ts";
import { type CaseResult, summarize } from "../../bench/results.ts";
import { targets } from "../../bench/server.ts";

test("processor time is read behind a name with spaces and brackets", () => {
  const stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 900 0 0 0 150 75 0 0 20 0 11 0 100 1000 200";
  expect(parseCpuSeconds(stat)).toBe(2.25);
});

test("processor time of a process is what it says itself, to the grain of /proc", () => {
  const { user, system } = process.cpuUsage();
  expect(Math.abs(cpuSeconds(process.pid) - (user + system) / 1e6)).toBeLessThan(0.1);
});

test("a profile is summed up by function and package, within the time asked for, without idleness", () => {
  const frame = (functionName: string, url: string, lineNumber = 0) => ({ functionName, url, lineNumber });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame("(idle)", "") },
      { id: 2, callFrame: frame("scan", "file:///repo/packages/intake/src/scan.ts", 40) },
      { id: 3, callFrame: frame("(garbage collector)", "") },
      { id: 4, callFrame: frame("scan", "file:///repo/packages/intake/src/scan.ts", 40) },
    ],
    startTime: 1_000,
    samples: [2, 2, 1, 4, 3, 2],
    timeDeltas: [0, 10, 20, 30, 40, 50],
  };
  // Sampled at 1000, 1010, 1030, 1060, 1100, 1150; the first and the last are outside.
  const times = selfTimes(profile, 1_005, 1_120);
  expect(times).toEqual([
    { packageName: "@mon/intake", functionName: "scan scan.ts:41", us: 60 },
    { packageName: "(V8 and native code)", functionName: "(garbage collector)", us: 50 },
  ]);
  expect(byPackage(times)).toEqual([
    { packageName: "@mon/intake", us: 60 },
    { packageName: "(V8 and native code)", us: 50 },
  ]);
});

test.each([
  ["file:///repo/apps/broker/src/main.ts", "@mon/broker"],
  ["file:///repo/node_modules/@connectrpc/connect/dist/esm/envelope.js", "@connectrpc/connect"],
  ["file:///repo/node_modules/a/node_modules/level/index.js", "level"],
  ["node:internal/http2/core", "node"],
])("%s belongs to %s", (url, name) => {
  expect(packageOf(url)).toBe(name);
});

const result = (reports: number, serverCpuSeconds: number): LoadResult => ({
  reports,
  reportsFailed: 1,
  seconds: 2,
  serverCpuSeconds,
  clientCpuSeconds: 0.5,
  startUs: 0,
  endUs: 2_000_000,
  latency: { count: 10, p50Ms: reports / 1_000, p99Ms: 9, maxMs: 10, sendDelayP99Ms: 0.5 },
});
const caseOf = (rounds: readonly LoadResult[]): CaseResult => ({
  case: { name: "batch-100/broker", target: targets[0]!, batchSize: 100, corpus: "compact" },
  shape: { connections: 1, streams: 1, window: 1 },
  visits: rounds.map((one) => ({ full: one, half: one })),
});

test("a case is summed up by medians of its rounds, and compared round by round", () => {
  const broker = caseOf([result(3_000, 0.03), result(1_000, 0.02), result(2_000, 0.02)]);
  const bare = caseOf([result(1_500, 0.03), result(1_000, 0.02), result(500, 0.01)]);
  const summary = summarize(broker, bare, 20);
  expect(summary.reportsPerSecond).toEqual({ median: 1_000, min: 500, max: 1_500 });
  expect(summary.samplesPerSecond).toBe(20_000);
  expect(summary.serverCpuUsPerReport.median).toBeCloseTo(10);
  expect(summary.p50Ms).toEqual({ median: 2, min: 1, max: 3 });
  expect(summary.reportsFailed).toBe(6);
  expect(summary.ratios?.rate).toBe(2);
  expect(summary.ratios?.cpu).toBeCloseTo(0.5);
  expect(summarize(broker, undefined, 20).ratios).toBeUndefined();
});

test.each([
  [["--seconds", "0"], "--seconds: expected a number of at least 0.1"],
  [["--rounds", "two"], '--rounds: expected a number of at least 1, got "two"'],
  [["--only", "("], "--only: Invalid regular expression"],
  [["--corpus", "large"], "--corpus: expected compact or agent, got large"],
  [["--write", "--quick"], "--write: expected a whole run"],
  [["--fast"], "--fast"],
])("%j is refused with a line that says why", (argv, message) => {
  expect(() => readOptions(argv)).toThrow(message);
});

test("a quick run is short unless told otherwise, and help is no run", () => {
  expect(readOptions(["--quick", "--rounds", "3"])).toMatchObject({ seconds: 1, rounds: 3 });
  expect(readOptions(["--help"])).toBeUndefined();
});
