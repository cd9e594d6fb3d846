import { expect, test } from "vitest";
import type { LoadResult } from "../../bench/job.ts";
import type { LoopWindow } from "../../bench/loop.ts";
import type { BenchResults, CaseResult } from "../../bench/results.ts";
import { targets } from "../../bench/server.ts";
import { renderResults } from "../../bench/table.ts";

const latency = { count: 10, p50Ms: 1, p99Ms: 9, maxMs: 10, sendDelayP99Ms: 0.5 };

function caseOf(name: string, reports: number): CaseResult {
  const target = targets.find((one) => one.name === name)!;
  const result: LoadResult = {
    reports,
    reportsFailed: 0,
    seconds: 1,
    serverCpuSeconds: 1,
    clientCpuSeconds: 0.5,
    startUs: 0,
    endUs: 1_000_000,
    latency,
  };
  return {
    case: { name: `batch-100/${name}`, target, batchSize: 100, corpus: "compact" },
    shape: { connections: 1, streams: 1, window: 1 },
    visits: [{ full: result, half: result }],
  };
}

function results(change: Partial<BenchResults>): BenchResults {
  return {
    machine: {
      processor: "a processor",
      cores: 2,
      memoryBytes: 2 ** 34,
      system: "Linux",
      node: "v24",
      fileSystem: "ext4",
      libraries: [],
      date: "2026-01-01",
      commit: "abc",
      load: 0,
    },
    corpus: { name: "compact", samples: 20, reportBytes: 545 },
    seconds: 1,
    rounds: 1,
    cases: [],
    memory: [],
    loop: undefined,
    ...change,
  };
}

/** Cells of the table's rows by their first cell. */
function rowsOf(text: string): Map<string, Map<string, string>> {
  const [head = [], , ...rows] = text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return new Map(
    rows.map((row) => [row[0]!, new Map(row.map((cell, column) => [head[column] ?? "", cell]))]),
  );
}

test("samples are compared with VictoriaMetrics where it took part", () => {
  const cases = [caseOf("broker", 3_000), caseOf("connect", 2_000), caseOf("victoria-metrics", 1_500)];
  const text = renderResults(results({ cases }));
  const broker = rowsOf(text).get("mon broker, LevelDB, fsync")!;
  expect([broker.get("× rate"), broker.get("× VM"), broker.get("samples/s")]).toEqual([
    "1.50",
    "2.00",
    "60,000",
  ]);
  expect(text).toContain("from memory");
  expect(renderResults(results({ cases: cases.slice(0, 2) }))).not.toContain("VM");
});

test("the loop's table shows the worst window of each kind, and sums what was asked", () => {
  const window = (isPacking: boolean, maxMs: number, finished?: number): LoopWindow => ({
    delay: { count: 5_000, p999Ms: maxMs / 2, maxMs, stalls: 1, cpuMaxMs: 3 },
    seconds: 5,
    isPacking,
    queries: finished === undefined ? undefined : { finished, failed: 0, samplesRead: finished * 1_000 },
  });
  const loop = {
    hosts: 2,
    series: 200,
    samples: 1_000,
    loadSeconds: 1,
    reportsPerSecond: 5_000,
    phases: [
      {
        windows: [window(true, 10), window(true, 30, 2), window(true, 12), window(true, 20, 3)],
        latency,
        reportsFailed: 0,
      },
      { windows: [window(false, 1), window(false, 2, 7)], latency, reportsFailed: 0 },
    ],
    packing: { rounds: 1, blocks: 336, bytesBefore: 2 ** 20, bytesAfter: 2 ** 19, seconds: 4 },
  } as const;
  const text = renderResults(results({ loop }));
  const rows = rowsOf(text);
  expect([...rows.keys()]).toEqual([
    "reports, packing",
    "reports, packing, queries",
    "reports",
    "reports, queries",
  ]);
  const busiest = rows.get("reports, packing, queries")!;
  expect([busiest.get("max ms"), busiest.get("queries"), busiest.get("samples read/s")]).toEqual([
    "30.0",
    "5",
    "500",
  ]);
  expect(text).toContain("Packing took 4 s in one round for 336 blocks, 1.0 MiB before and 0.5 MiB after.");
  const failed = { ...loop, packing: { ...loop.packing, problem: "no room" } };
  expect(renderResults(results({ loop: failed }))).toContain("The broker did not pack: no room.");
});
