import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Durability, MonitorService, type ReportRequest } from "@mon/proto";
import { expect, test } from "vitest";
import { runFixed } from "../../bench/closed-loop.ts";
import { createReportTemplate } from "../../bench/corpus.ts";
import type { LoadJob } from "../../bench/job.ts";
import { runOpenLoop } from "../../bench/open-loop.ts";

type Answers = (batches: AsyncIterable<ReportRequest>) => AsyncGenerator<object>;

const template = createReportTemplate("compact");

/** A server on a free port that answers as it is told. */
async function serve(answers: Answers): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer(
    connectNodeAdapter({ routes: (router) => router.rpc(MonitorService.method.report, answers) }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    // A TCP server's address is never a pipe's.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function job(port: number, change: Partial<LoadJob>): LoadJob {
  return {
    port,
    serverPid: process.pid,
    ack: "outcome",
    corpus: "compact",
    hosts: 7,
    reports: 5,
    shape: { connections: 2, streams: 2, window: 3 },
    load: { kind: "fixed", batches: 40 },
    ...change,
  };
}

const stored = ({ sequence, reports }: ReportRequest) => ({
  sequence,
  outcome: {
    reportsStored: reports.length,
    samplesStored: reports.length * 20,
    durability: Durability.FSYNC,
    copies: 1,
  },
});

test("a fixed load sends so many batches, each report for a host and instant of its own", async () => {
  const seen = new Set<string>();
  await using server = await serve(async function* (batches) {
    for await (const batch of batches) {
      for (const { hostId, timestampMs } of batch.reports) seen.add(`${hostId} ${timestampMs}`);
      yield stored(batch);
    }
  });
  const result = await runFixed(job(server.port, {}), template, { kind: "fixed", batches: 40 });
  expect(result).toMatchObject({ reports: 200, reportsFailed: 0 });
  expect(seen.size).toBe(200);
});

test("batches of which something is not stored on stable storage count as failed", async () => {
  const flaws = new Map<number, object>([
    [3, { durability: Durability.MEMORY }],
    [7, { samplesStored: 99 }],
    [9, { refusals: [{ reportIndex: 0, message: "later" }] }],
  ]);
  let batch = 0;
  await using server = await serve(async function* (batches) {
    for await (const request of batches) {
      const { sequence, outcome } = stored(request);
      yield { sequence, outcome: { ...outcome, ...flaws.get(++batch) } };
    }
  });
  const result = await runFixed(job(server.port, {}), template, { kind: "fixed", batches: 40 });
  expect(result).toMatchObject({ reports: 185, reportsFailed: 15 });
});

test("a server that ends the call ends the load", async () => {
  // biome-ignore lint/correctness/useYield: it answers nothing.
  await using server = await serve(async function* () {
    throw new Error("no");
  });
  await expect(runFixed(job(server.port, {}), template, { kind: "fixed", batches: 40 })).rejects.toThrow(
    "the server ended a stream: grpc-status",
  );
});

test("latency counts from when a batch was due, also of those that a stalled server kept from being sent", async () => {
  const batches = 100;
  const window = 10;
  await using server = await serve(async function* (requests) {
    let isFirst = true;
    for await (const request of requests) {
      // The stall itself: meanwhile the client fills its slots, and can send no more.
      if (isFirst) await new Promise((resolve) => setTimeout(resolve, batches));
      isFirst = false;
      yield stored(request);
    }
  });
  const load = { kind: "open", batchesPerSecond: 1_000, warmMs: 0, measureMs: batches } as const;
  const shape = { connections: 1, streams: 1, window };
  const { reports, latency } = await runOpenLoop(job(server.port, { shape, load }), template, load);
  expect(reports).toBe(batches * 5);
  expect(latency).toMatchObject({ count: batches });
  // Batch k is due at k ms and none is answered before 100 ms: a median of half of that, at least.
  expect(latency!.p50Ms).toBeGreaterThan(batches / 2);
  expect(latency!.maxMs).toBeGreaterThan(batches - 1);
});
