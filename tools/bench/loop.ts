import { setTimeout as sleep } from "node:timers/promises";
import { type CorpusName, createReportTemplate } from "./corpus.ts";
import type { LatencySummary } from "./job.ts";
import { LoadProcess } from "./load-process.ts";
import type { LoopDelayReading } from "./loop-delay.ts";
import { hosts as reportingHosts } from "./measure.ts";
import { type Packing, PackingLog, packEveryMs } from "./packing-log.ts";
import { type QueryTally, RangeQueries } from "./range-queries.ts";
import { type RunningBroker, startBroker } from "./server.ts";

/** A stretch of time over which the delay of the broker's main loop was taken. */
export interface LoopWindow {
  readonly delay: LoopDelayReading;
  readonly seconds: number;
  /** Whether the broker was packing as it began. */
  readonly isPacking: boolean;
  /** Absent when nobody asked anything. */
  readonly queries: QueryTally | undefined;
}

/** Windows without and with queries in turn, and what became of the reports meanwhile. */
export interface LoopPhase {
  readonly windows: readonly LoopWindow[];
  /** From when a batch was due to its outcome, queries or not. */
  readonly latency: LatencySummary;
  readonly reportsFailed: number;
}

/** What was seen of the main loop of a broker that holds a week. */
export interface LoopVisit {
  readonly hosts: number;
  readonly series: number;
  readonly samples: number;
  readonly loadSeconds: number;
  readonly reportsPerSecond: number;
  /** While the broker packs the week, for as long as that takes, and when it has. */
  readonly phases: readonly [LoopPhase, LoopPhase];
  readonly packing: Packing;
}

/** How the main loop is watched. */
export interface LoopOptions {
  readonly corpus: CorpusName;
  /** Hosts with a week of data. */
  readonly hosts: number;
  /** Length of a window, in milliseconds. */
  readonly windowMs: number;
  /** Pairs of windows in a phase, without and with queries; fewer when they do not fit into a minute. */
  readonly pairs: number;
  readonly progress: (text: string) => void;
}

const day = 86_400_000;
const rangeMs = 7 * day;
/** Distance of a host's reports in the week, in milliseconds. */
const stepMs = 15_000;
/** How long the broker keeps samples: longer than the range, so that its first day does not end before its last. */
const retention = "8d";

/** Reports come for so long before the first window, and windows end so long before the broker may pack again. */
const marginMs = 3_000;
const packTimeoutMs = 900_000;

/** Divides the reports that a host has in a week. */
const loadBatchReports = 40;
const batchReports = 100;
const batchesPerSecond = 50;

/**
 * Lets a broker take a week of some hosts, and watches the delay of its main loop in pairs of windows: without queries,
 * and with queries over all of the week, one after another. It does so from the next time
 * that the broker may begin to pack, and once more when it has packed all of the week. Reports come at a moderate rate all along.
 *
 * @throws {Error} when a report of the week is not stored, or the week is not packed within a quarter of an hour
 */
export async function watchLoop(options: LoopOptions): Promise<LoopVisit> {
  const { corpus, hosts, windowMs, progress } = options;
  const log = new PackingLog();
  await using broker = await startBroker({
    args: ["--set", `store.retentionMs=${retention}`],
    hasLoopDelay: true,
    logged: (line) => log.take(line, performance.now()),
  });
  log.serving(performance.now());
  await using client = new LoadProcess();
  const endMs = Math.floor(Date.now() / stepMs) * stepMs;
  const range = { startMs: endMs - rangeMs, endMs };
  const week = await loadWeek(client, broker, hosts, range.startMs);
  progress(`loop: ${week.samples.toLocaleString("en")} samples loaded in ${week.loadSeconds.toFixed(0)} s`);

  const pairsMax = Math.floor((packEveryMs - marginMs) / (2 * windowMs));
  const pairs = Math.max(1, Math.min(options.pairs, pairsMax));
  using queries = new RangeQueries(broker.port, hosts, range);
  const phase = (startMs: number): Promise<LoopPhase> =>
    watchPairs({ broker, client, corpus, queries, log, windowMs, pairs, startMs });

  const packed = log.loaded(performance.now());
  const first = await phase(log.nextMs(performance.now() + marginMs));
  if (log.isPacking(performance.now())) progress("loop: waiting for the packing to end");
  const packing = await Promise.race([packed, broker.ended(), tooLate()]);
  return {
    ...week,
    reportsPerSecond: batchReports * batchesPerSecond,
    phases: [first, await phase(performance.now() + marginMs)],
    packing,
  };
}

/** Watches a broker from an instant on; reports come from now on. */
async function watchPairs({
  broker,
  client,
  corpus,
  queries,
  log,
  windowMs,
  pairs,
  startMs,
}: {
  readonly broker: RunningBroker;
  readonly client: LoadProcess;
  readonly corpus: CorpusName;
  readonly queries: RangeQueries;
  readonly log: PackingLog;
  readonly windowMs: number;
  readonly pairs: number;
  readonly startMs: number;
}): Promise<LoopPhase> {
  const warmMs = startMs - performance.now();
  const reported = client.run({
    port: broker.port,
    serverPid: broker.pid,
    ack: "outcome",
    corpus,
    hosts: reportingHosts,
    reports: batchReports,
    shape: { connections: 2, streams: 4, window: 64 },
    load: { kind: "open", batchesPerSecond, warmMs, measureMs: 2 * windowMs * pairs },
  });
  // Whoever waits for the load hears of it; until then the windows are taken.
  reported.catch(() => {});
  await sleep(warmMs);
  const windows: LoopWindow[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    windows.push(await watchWindow(broker, log, () => sleep(windowMs)));
    windows.push(await watchWindow(broker, log, () => queries.run(windowMs)));
  }
  const { latency, reportsFailed } = await reported;
  return { windows, latency: latency!, reportsFailed };
}

async function tooLate(): Promise<never> {
  await sleep(packTimeoutMs, undefined, { ref: false });
  throw new Error(`expected the week to be packed within ${packTimeoutMs} ms`);
}

async function watchWindow(
  { loopDelay }: RunningBroker,
  log: PackingLog,
  during: () => Promise<QueryTally | undefined>,
): Promise<LoopWindow> {
  if (loopDelay === undefined) throw new Error("expected a broker whose loop is watched");
  const isPacking = log.isPacking(performance.now());
  await loopDelay.next();
  const startMs = performance.now();
  const queries = await during();
  const delay = await loopDelay.next();
  return { delay, seconds: (performance.now() - startMs) / 1_000, isPacking, queries };
}

async function loadWeek(
  client: LoadProcess,
  { port, pid }: RunningBroker,
  hosts: number,
  startMs: number,
): Promise<Pick<LoopVisit, "hosts" | "series" | "samples" | "loadSeconds">> {
  const { samples: series } = createReportTemplate("wide");
  const reports = hosts * (rangeMs / stepMs);
  const { reportsTaken, seconds } = await client.run({
    port,
    serverPid: pid,
    ack: "outcome",
    corpus: "wide",
    hosts,
    reports: loadBatchReports,
    shape: { connections: 2, streams: 4, window: 8 },
    load: { kind: "fixed", batches: reports / loadBatchReports },
    history: { startMs, stepMs },
  });
  if (reportsTaken !== reports)
    throw new Error(`expected ${reports} reports to be stored, got ${reportsTaken}`);
  return { hosts, series: hosts * series, samples: reports * series, loadSeconds: seconds };
}
