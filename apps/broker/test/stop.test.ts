import { once } from "node:events";
import { Agent, get } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { PushRequestSchema } from "@mon/proto";
import { HealthCheckResponse_ServingStatus as ServingStatus } from "@mon/proto/grpc";
import { describe, expect, it } from "vitest";
import { AsyncQueue } from "./support/async-queue.ts";
import { BrokerProcess } from "./support/broker-process.ts";
import { Ledger } from "./support/ledger.ts";
import { envelope, RawConnection } from "./support/raw-call.ts";
import { readLedger, reportOf } from "./support/reports.ts";
import { TempDirectory } from "./support/temp-directory.ts";
import { Writer } from "./support/writer.ts";

const timeout = 60_000;
const slowStore = new URL("./support/slow-store.ts", import.meta.url).href;

describe("a broker that is asked to stop", { timeout }, () => {
  it("answers what it has taken, exits with 0 within 10 s, and has all of it after a restart", async () => {
    await using directory = await TempDirectory.create();
    const dataDir = `${directory.path}/data`;
    const startMs = Date.now() - 3_600_000;
    const ledger = new Ledger();
    let stopMs = 0;
    {
      await using broker = await BrokerProcess.start({ dataDir });
      await new Writer(ledger, startMs).write(broker, 2_000, async () => {
        const stoppedAt = performance.now();
        expect(await broker.stop()).toEqual({ code: 0, signal: null });
        stopMs = performance.now() - stoppedAt;
      });
      expect(broker.stdout).toContain('"msg":"stopped"');
    }
    expect(stopMs).toBeLessThan(10_000);
    await using broker = await BrokerProcess.start({ dataDir });
    const readings = await readLedger(broker.query, startMs);
    expect(ledger.check(readings)).toEqual({ lost: 0, wrong: 0, duplicates: 0, phantoms: 0 });
    // Whatever was stored was acknowledged too: no outcome was left behind.
    expect(readings).toHaveLength(ledger.acked);
  });

  it("says so to health checks while it drains, and takes no more reports", async () => {
    await using broker = await BrokerProcess.start({ preload: [slowStore] });
    const health = broker.health.watch({})[Symbol.asyncIterator]();
    expect((await health.next()).value).toMatchObject({ status: ServingStatus.SERVING });
    const requests = new AsyncQueue<{ sequence: number; reports: ReturnType<typeof reportOf>[] }>();
    const outcomes = broker.monitor.report(requests)[Symbol.asyncIterator]();
    requests.push({ sequence: 1, reports: [reportOf("web-1", Date.now(), [{ name: "up", value: 1 }])] });
    const outcome = outcomes.next();
    await inFlight(broker);

    broker.signal("SIGTERM");
    await broker.logged("stopping");
    expect((await health.next()).value).toMatchObject({ status: ServingStatus.NOT_SERVING });
    expect(await broker.health.check({})).toMatchObject({ status: ServingStatus.NOT_SERVING });
    await expect(broker.monitor.push({ reports: [] })).rejects.toMatchObject({ code: Code.Unavailable });
    const ready = await fetch(`${broker.httpUrl}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, "draining\nstopping\n"]);
    expect((await fetch(`${broker.httpUrl}/healthz`)).status).toBe(200);

    expect((await outcome).value).toMatchObject({ sequence: 1, outcome: { reportsStored: 1 } });
    await expect(outcomes.next()).rejects.toMatchObject({ code: Code.Unavailable });
    await expect(health.next()).rejects.toMatchObject({ code: Code.Unavailable });
    expect(await broker.exited).toEqual({ code: 0, signal: null });
    requests.end();
  });

  it("exits at once at a second signal", async () => {
    await using broker = await BrokerProcess.start({ preload: [slowStore] });
    await using connection = await RawConnection.open(broker.grpcUrl);
    const request = create(PushRequestSchema, {
      reports: [reportOf("web-1", Date.now(), [{ name: "up", value: 1 }])],
    });
    const push = connection.post(
      "/mon.v1.MonitorService/Push",
      "application/grpc+proto",
      envelope(toBinary(PushRequestSchema, request)),
    );
    await inFlight(broker);
    broker.signal("SIGTERM");
    await broker.logged("stopping");
    broker.signal("SIGTERM");
    expect(await broker.exited).toEqual({ code: 70, signal: null });
    expect(broker.stdout).not.toContain('"msg":"stopped"');
    // Cut off without an outcome: nothing was promised.
    expect((await push).code).toBeUndefined();
  });

  it("waits for no idle connection, watch or stream", async () => {
    await using broker = await BrokerProcess.start();
    const agent = new Agent({ keepAlive: true });
    const [idle] = await once(get(`${broker.httpUrl}/healthz`, { agent }), "response");
    idle.resume();
    await once(idle, "end");
    const health = broker.health.watch({})[Symbol.asyncIterator]();
    await health.next();
    const watch = broker.query.watch({})[Symbol.asyncIterator]();
    const sighting = watch.next();
    const requests = new AsyncQueue<{ sequence: number; reports: ReturnType<typeof reportOf>[] }>();
    const outcomes = broker.monitor.report(requests)[Symbol.asyncIterator]();
    let sequence = 0;
    // A watch begins somewhat after it was asked for: report until it sees something.
    const seen = sighting.then(() => true);
    do {
      const report = reportOf("web-1", Date.now() - ++sequence, [{ name: "up", value: 1 }]);
      requests.push({ sequence, reports: [report] });
      await outcomes.next();
    } while (!(await Promise.race([seen, nextTurn(false)])));

    const ended = Promise.all(
      [lastOf(watch), lastOf(outcomes)].map((last) =>
        expect(last).rejects.toMatchObject({ code: Code.Unavailable }),
      ),
    );
    const stoppedAt = performance.now();
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedAt).toBeLessThan(5_000);
    expect(broker.stdout).not.toContain("cutting off");
    await ended;
    agent.destroy();
    requests.end();
  });
});

/** Reads an iteration to its end. */
async function lastOf(iterator: AsyncIterator<unknown>): Promise<void> {
  while (!(await iterator.next()).done);
}

/** Resolves when the broker has bytes on their way to its store. */
async function inFlight(broker: BrokerProcess): Promise<void> {
  while ((await broker.admin.status({})).intake!.bytesInFlight === 0n);
}
