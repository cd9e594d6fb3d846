import { setTimeout as sleep } from "node:timers/promises";
import { type CorpusName, createReportTemplate } from "./corpus.ts";
import { cpuSeconds } from "./cpu-time.ts";
import type { LoadJob, LoadResult, Shape } from "./job.ts";
import { LoadProcess } from "./load-process.ts";
import type { RunningServer, Target } from "./server.ts";

/** Sizes of batches that are measured. */
export const batchSizes = [100, 1] as const;
export type BatchSize = (typeof batchSizes)[number];

/** Hosts that report in turn. */
export const hosts = 1_000;

/** Loads that are tried in search of the one that gets most out of a server; the last one floods it. */
export const shapes: Readonly<Record<BatchSize, readonly Shape[]>> = {
  100: [
    { connections: 1, streams: 1, window: 16 },
    { connections: 2, streams: 4, window: 8 },
    { connections: 4, streams: 8, window: 4 },
  ],
  1: [
    { connections: 1, streams: 1, window: 256 },
    { connections: 2, streams: 4, window: 128 },
    { connections: 4, streams: 8, window: 128 },
  ],
};

/** As {@link shapes}, for a server that takes one batch at a time on a connection. */
const requestShapes: readonly Shape[] = [
  { connections: 2, streams: 1, window: 1 },
  { connections: 4, streams: 1, window: 1 },
  { connections: 8, streams: 1, window: 1 },
];

/** For a fixed rate: room enough that batches wait in the server, and not in the client, for a while. */
const openShapes: Readonly<Record<BatchSize, Shape>> = {
  100: { connections: 2, streams: 4, window: 64 },
  1: { connections: 2, streams: 4, window: 256 },
};
const openRequestShape: Shape = { connections: 16, streams: 1, window: 1 };

const settleCheckMs = 200;
/** After five seconds a server is measured as it is. */
const settleChecksMax = 25;
const settledCpuSeconds = 0.02;

/** What is asked of one server with one size of batch. */
export interface Case {
  readonly name: string;
  readonly target: Target;
  readonly batchSize: BatchSize;
  readonly corpus: CorpusName;
}

/** How long the parts of a visit take, in milliseconds. */
export interface Durations {
  readonly warmMs: number;
  readonly measureMs: number;
}

/** One visit to a server: as fast as it can, then at half of that. */
export interface Visit {
  readonly full: LoadResult;
  readonly half: LoadResult;
}

/** Tries each shape on a fresh server, and says which got most. */
export async function findShape(one: Case, { warmMs, measureMs }: Durations): Promise<Shape> {
  await using server = await one.target.start();
  await using client = new LoadProcess();
  const tried = takesRequests(one) ? requestShapes : shapes[one.batchSize];
  let best = { shape: tried[0]!, rate: 0 };
  for (const shape of tried) {
    const result = await client.run(
      jobOf(one, server, shape, { kind: "closed", warmMs: best.rate === 0 ? warmMs : warmMs / 4, measureMs }),
    );
    if (rateOf(result) > best.rate) best = { shape, rate: rateOf(result) };
  }
  return best.shape;
}

/** Measures a fresh server with a fresh client. */
export async function visit(one: Case, shape: Shape, { warmMs, measureMs }: Durations): Promise<Visit> {
  await using server = await one.target.start();
  await using client = new LoadProcess();
  const full = await client.run(jobOf(one, server, shape, { kind: "closed", warmMs, measureMs }));
  const batchesPerSecond = rateOf(full) / one.batchSize / 2;
  if (batchesPerSecond === 0) throw new Error(`${one.name}: expected reports to be taken, none was`);
  await settle(server);
  const open = { kind: "open", batchesPerSecond, warmMs: warmMs / 2, measureMs } as const;
  const openShape = takesRequests(one) ? openRequestShape : openShapes[one.batchSize];
  const half = await client.run(jobOf(one, server, openShape, open));
  await assertHeld(one, server, full.reportsTaken + half.reportsTaken);
  return { full, half };
}

function takesRequests({ target }: Case): boolean {
  return target.ack === "no-content";
}

/** Has a server count what it holds, where its answers do not say. @throws when it holds more or less than it took */
async function assertHeld(one: Case, server: RunningServer, reports: number): Promise<void> {
  const samples = reports * createReportTemplate(one.corpus).samples;
  const held = await server.countSamples?.();
  if (held === undefined || held === samples) return;
  throw new Error(`${one.name}: expected all ${samples} samples that were taken to be held, got ${held}`);
}

/** Waits until a server has caught up with itself, compactions and all: a fifth of a second of hardly any work. */
async function settle({ pid }: RunningServer): Promise<void> {
  for (let checks = 0; checks < settleChecksMax; checks++) {
    const before = cpuSeconds(pid);
    await sleep(settleCheckMs);
    if (cpuSeconds(pid) - before <= settledCpuSeconds) return;
  }
}

/** Reports answered a second. */
export function rateOf({ reports, seconds }: LoadResult): number {
  return reports / seconds;
}

/** Builds the job of a case. */
export function jobOf(
  { target, batchSize, corpus }: Case,
  server: RunningServer,
  shape: Shape,
  load: LoadJob["load"],
): LoadJob {
  const { port, pid } = server;
  return { port, serverPid: pid, ack: target.ack, corpus, hosts, reports: batchSize, shape, load };
}
