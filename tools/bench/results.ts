import type { ReportTemplate } from "./corpus.ts";
import type { LoadResult, Shape } from "./job.ts";
import type { LoopVisit } from "./loop.ts";
import type { Machine } from "./machine.ts";
import { type Case, rateOf, type Visit } from "./measure.ts";
import type { MemoryVisit } from "./memory.ts";
import { median } from "./verdict.ts";

/** What a run measured of one case, round by round. */
export interface CaseResult {
  readonly case: Case;
  /** The load that got most. */
  readonly shape: Shape;
  readonly visits: Visit[];
}

/** What a run measured. */
export interface BenchResults {
  readonly machine: Machine;
  readonly corpus: Pick<ReportTemplate, "name" | "samples"> & { readonly reportBytes: number };
  readonly seconds: number;
  readonly rounds: number;
  readonly cases: readonly CaseResult[];
  readonly memory: readonly MemoryVisit[];
  readonly loop: LoopVisit | undefined;
}

/** A figure of several rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The figures of a case. Times in milliseconds unless the name says otherwise. */
export interface CaseSummary {
  readonly reportsPerSecond: Spread;
  readonly samplesPerSecond: number;
  readonly serverCpuUsPerReport: Spread;
  /** Cores that each side kept busy at the maximum. */
  readonly serverCores: number;
  readonly clientCores: number;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
  readonly sendDelayP99Ms: number;
  readonly reportsFailed: number;
  /** Against the bare Connect server: medians of the rounds' ratios. Absent when it did not take part. */
  readonly ratios: { readonly rate: number; readonly cpu: number } | undefined;
  /** Samples a second against VictoriaMetrics, likewise. */
  readonly rateToVictoria: number | undefined;
}

/**
 * Sums a case up.
 *
 * @param baseline - the same rounds of the bare Connect server with the same batches
 * @param victoria - those of VictoriaMetrics
 */
export function summarize(
  { visits }: CaseResult,
  baseline: CaseResult | undefined,
  samplesPerReport: number,
  victoria?: CaseResult,
): CaseSummary {
  const reportsPerSecond = spread(visits.map(({ full }) => rateOf(full)));
  const latencies = visits.map(({ half }) => half.latency!);
  return {
    reportsPerSecond,
    samplesPerSecond: reportsPerSecond.median * samplesPerReport,
    serverCpuUsPerReport: spread(visits.map(({ full }) => cpuUsPerReport(full))),
    serverCores: median(visits.map(({ full }) => full.serverCpuSeconds / full.seconds)),
    clientCores: median(visits.map(({ full }) => full.clientCpuSeconds / full.seconds)),
    p50Ms: spread(latencies.map(({ p50Ms }) => p50Ms)),
    p99Ms: spread(latencies.map(({ p99Ms }) => p99Ms)),
    sendDelayP99Ms: median(latencies.map(({ sendDelayP99Ms }) => sendDelayP99Ms)),
    reportsFailed: visits.reduce((sum, { full, half }) => sum + full.reportsFailed + half.reportsFailed, 0),
    ratios:
      baseline === undefined
        ? undefined
        : {
            rate: ratio(visits, baseline.visits, rateOf),
            cpu: ratio(visits, baseline.visits, cpuUsPerReport),
          },
    // All servers get the same reports, so that the ratio of samples is that of reports.
    rateToVictoria: victoria === undefined ? undefined : ratio(visits, victoria.visits, rateOf),
  };
}

/** Processor time of the server, in microseconds. */
export function cpuUsPerReport({ serverCpuSeconds, reports }: LoadResult): number {
  return (serverCpuSeconds * 1e6) / reports;
}

function ratio(
  visits: readonly Visit[],
  baseline: readonly Visit[],
  measure: (result: LoadResult) => number,
): number {
  return median(visits.map(({ full }, round) => measure(full) / measure(baseline[round]!.full)));
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}
