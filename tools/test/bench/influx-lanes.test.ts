import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { runFixed } from "../../bench/closed-loop.ts";
import { createReportTemplate } from "../../bench/corpus.ts";
import type { LoadJob } from "../../bench/job.ts";
import { runOpenLoop } from "../../bench/open-loop.ts";

const template = createReportTemplate("compact");

/** A server on a free port. */
async function serve(listener: RequestListener): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    // A TCP server's address is never a pipe's.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function job(port: number, change: Partial<LoadJob> = {}): LoadJob {
  return {
    port,
    serverPid: process.pid,
    ack: "no-content",
    corpus: "compact",
    hosts: 7,
    reports: 5,
    shape: { connections: 3, streams: 1, window: 1 },
    load: { kind: "fixed", batches: 40 },
    ...change,
  };
}

test("batches go one by one over connections that are kept, each report for a host and instant of its own", async () => {
  const sockets = new Set<unknown>();
  const lines = new Set<string>();
  await using server = await serve(async (request, response) => {
    sockets.add(request.socket);
    expect([request.method, request.url]).toEqual(["POST", "/write?precision=ms"]);
    for (const line of (await text(request)).trimEnd().split("\n")) {
      const [head = "", , time] = line.split(" ");
      lines.add(`${head} ${time}`);
    }
    response.writeHead(204).end();
  });
  const result = await runFixed(job(server.port), template, { kind: "fixed", batches: 40 });
  expect(result).toMatchObject({ reports: 200, reportsFailed: 0, reportsTaken: 200 });
  expect(sockets.size).toBe(3);
  expect(lines.size).toBe(2 * 200);
});

test("a batch that is answered otherwise than with 204 counts as failed", async () => {
  let requests = 0;
  await using server = await serve((request, response) => {
    request.resume().on("end", () => response.writeHead(++requests % 4 === 0 ? 503 : 204).end());
  });
  const result = await runFixed(job(server.port), template, { kind: "fixed", batches: 40 });
  expect(result).toMatchObject({ reports: 150, reportsFailed: 50, reportsTaken: 150 });
});

test("a server that hangs up ends the load", async () => {
  await using server = await serve((request) => request.socket.destroy());
  await expect(runFixed(job(server.port), template, { kind: "fixed", batches: 40 })).rejects.toThrow();
});

test("what is taken while an open load warms up counts as taken, not as measured", async () => {
  await using server = await serve((request, response) => {
    request.resume().on("end", () => response.writeHead(204).end());
  });
  const load = { kind: "open", batchesPerSecond: 1_000, warmMs: 30, measureMs: 20 } as const;
  const result = await runOpenLoop(job(server.port, { load }), template, load);
  expect(result).toMatchObject({ reports: 100, reportsTaken: 250 });
});

test("a load of a history goes on by a step from pass to pass, from its start", async () => {
  const times = new Set<number>();
  await using server = await serve(async (request, response) => {
    for (const line of (await text(request)).trimEnd().split("\n")) times.add(Number(line.split(" ")[2]));
    response.writeHead(204).end();
  });
  const history = { startMs: 1_767_225_600_000, stepMs: 15_000 };
  const shape = { connections: 1, streams: 1, window: 1 };
  await runFixed(job(server.port, { history, shape }), template, { kind: "fixed", batches: 7 });
  expect([...times]).toEqual([0, 1, 2, 3, 4].map((pass) => history.startMs + pass * history.stepMs));
});

test("more than one request at a time on a connection is refused", async () => {
  const shape = { connections: 1, streams: 1, window: 2 };
  await expect(runFixed(job(1, { shape }), template, { kind: "fixed", batches: 1 })).rejects.toThrow(
    "expected one request at a time on a connection",
  );
});
