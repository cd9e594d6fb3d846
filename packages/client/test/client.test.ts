import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { Reason } from "@mon/proto";
import { expect, test } from "vitest";
import { TestAuthority } from "../../../tools/build/certificate.ts";
import {
  type ClientOptions,
  createClient,
  type LedgerSnapshot,
  type MonClient,
  type ReportInput,
} from "../src/index.ts";
import { TestBroker } from "./broker.ts";
import { ManualClock } from "./manual-clock.ts";

/** Reconnects at once, so that a test waits for events only. */
const quick = { backoffMsMin: 1, backoffMsMax: 20, stopTimeoutMs: 2_000 } satisfies Partial<ClientOptions>;

function clientOf(brokers: readonly string[], options: Partial<ClientOptions> = {}): MonClient {
  return createClient({ brokers, ...quick, ...options });
}

function reportOf(hostId: string, samples = 1): ReportInput {
  return {
    hostId,
    timestampMs: 1_700_000_000_000,
    samples: Array.from({ length: samples }, (_, index) => ({ name: `m${index}`, value: index })),
  };
}

function expectBalanced({ reports, samples }: LedgerSnapshot): void {
  for (const tally of [reports, samples]) {
    expect(tally.acked + tally.rejected + tally.dropped + tally.buffered).toBe(tally.sent);
  }
}

async function nextEvent<T>(
  client: MonClient,
  name: "connected" | "disconnected" | "rejected" | "dropped",
): Promise<T> {
  const [event] = await once(client, name);
  return event as T;
}

/** Resolves when the client's books fulfil a condition; looked at after each turn of the event loop. */
async function untilLedger(client: MonClient, condition: (ledger: LedgerSnapshot) => boolean): Promise<void> {
  while (!condition(client.ledger)) await new Promise((resolve) => setImmediate(resolve));
}

test("over TLS it reports to a broker whose authority it trusts, and tells why to no other", async () => {
  const authority = new TestAuthority();
  await using broker = await TestBroker.start({ tls: authority.issue() });
  await using trusting = clientOf([broker.url], { tls: { ca: authority.certificate } });
  trusting.start();
  trusting.report(reportOf("web-1"));
  await trusting.flush();
  expect(trusting.ledger.reports).toMatchObject({ sent: 1, acked: 1 });
  for (const tls of [{ ca: new TestAuthority("somebody else").certificate }, {}]) {
    await using doubting = clientOf([broker.url], { tls });
    const disconnected = nextEvent<{ error?: Error }>(doubting, "disconnected");
    doubting.start();
    expect((await disconnected).error).toMatchObject({
      code: "CLIENT_CONNECT_FAILED",
      message: expect.stringContaining("certificate"),
    });
  }
  // In plain text the door does not answer.
  const connectTimeoutMs = 2_000;
  await using plain = clientOf([broker.url.replace("https:", "http:")], { connectTimeoutMs });
  const refused = nextEvent<{ error?: Error }>(plain, "disconnected");
  plain.start();
  expect((await refused).error).toMatchObject({ code: "CLIENT_CONNECT_FAILED" });
  expect(broker.hostIds).toEqual(["web-1"]);
});

test("what is reported arrives, is acked, and is booked", async () => {
  await using broker = await TestBroker.start();
  await using client = clientOf([broker.url]);
  client.start();
  expect(client.report({ ...reportOf("web-1", 3) })).toBe("buffered");
  await client.flush();
  expect(broker.requests[0]?.reports[0]).toMatchObject({
    hostId: "web-1",
    timestampMs: 1_700_000_000_000n,
    samples: [{ name: "m0", value: 0 }, { name: "m1" }, { name: "m2" }],
  });
  expect(client.ledger.samples).toEqual({ sent: 3, acked: 3, rejected: 0, dropped: 0, buffered: 0 });
  expect(client.broker).toBe(broker.url);
});

test("a burst goes in batches of 100 reports, and what is reported before start is not lost", async () => {
  await using broker = await TestBroker.start();
  await using client = clientOf([broker.url]);
  for (let index = 0; index < 1_000; index += 1) client.report(reportOf(`h${index}`));
  client.start();
  await client.flush();
  expect(broker.requests.map((request) => request.reports.length)).toEqual(Array(10).fill(100));
  expect(broker.hostIds).toEqual(Array.from({ length: 1_000 }, (_, index) => `h${index}`));
});

test("no more batches than the window are under way", async () => {
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await using broker = await TestBroker.start();
  broker.behaviour.outcome = async () => {
    await released;
    return {};
  };
  await using client = clientOf([broker.url], { windowBatches: 2, batchReportsMax: 1 });
  for (let index = 0; index < 5; index += 1) client.report(reportOf(`h${index}`));
  client.start();
  await broker.until(() => broker.requests.length === 1);
  expect(client.ledger.reports.buffered).toBe(5);
  release();
  await client.flush();
  expect(broker.requests.length).toBe(5);
});

test("a broker that is killed and comes back on its port loses no report, and the books stay exact", async () => {
  let answers = 0;
  // Answers two batches, then dies with the third unanswered.
  const first = await TestBroker.start();
  await using client = clientOf([first.url], { batchReportsMax: 10, windowBatches: 2 });
  const dead = new Promise<void>((resolve) => {
    first.behaviour.outcome = (request) => {
      answers += 1;
      if (answers <= 2) return { reportsStored: request.reports.length };
      resolve(first.kill());
      return undefined;
    };
  });
  const port = first.port;
  for (let index = 0; index < 100; index += 1) client.report(reportOf(`h${index}`));
  client.start();
  await dead;
  expectBalanced(client.ledger);
  // The second answer may have died with its sender.
  const { acked, buffered } = client.ledger.reports;
  expect(acked).toBeGreaterThanOrEqual(10);
  expect(buffered).toBe(100 - acked);
  await using second = await TestBroker.start({}, port);
  await client.flush();
  expect(client.ledger.reports).toEqual({ sent: 100, acked: 100, rejected: 0, dropped: 0, buffered: 0 });
  // All that has no outcome, in order, and nothing else.
  expect(second.hostIds).toEqual(Array.from({ length: buffered }, (_, index) => `h${index + acked}`));
});

test("with the first broker gone the second takes over, and stays", async () => {
  const first = await TestBroker.start();
  await using second = await TestBroker.start();
  await using client = clientOf([first.url, second.url]);
  client.start();
  client.report(reportOf("a"));
  await client.flush();
  const firstUrl = first.url;
  const gone = nextEvent<{ broker: string; error: { code: string } }>(client, "disconnected");
  await first.kill();
  client.report(reportOf("b"));
  await client.flush();
  expect((await gone).broker).toBe(firstUrl);
  expect(second.hostIds).toEqual(["b"]);
  expect(client.broker).toBe(second.url);
  expect(client.ledger.reports).toMatchObject({ acked: 2, buffered: 0 });
});

test("waits grow while a broker connects but never answers, and are short again after an outcome", async () => {
  await using broker = await TestBroker.start();
  broker.behaviour.outcome = () => {
    if (broker.requests.length > 3) return {};
    throw new ConnectError("not yet", Code.Unavailable);
  };
  const random = { next: () => 1 - Number.EPSILON };
  await using client = createClient({ brokers: [broker.url], backoffMsMin: 2 }, { random });
  const waits: (number | undefined)[] = [];
  client.on("disconnected", ({ retryMs }) => waits.push(retryMs));
  client.report(reportOf("a"));
  client.start();
  await client.flush();
  const ended = nextEvent(client, "disconnected");
  broker.cut();
  await ended;
  expect(waits).toEqual([2, 4, 8, 2]);
});

test("refused reports are sent again after the delay, and only those", async () => {
  await using broker = await TestBroker.start();
  const arrivals: { at: number; hostIds: string[] }[] = [];
  broker.behaviour.outcome = (request) => {
    arrivals.push({ at: performance.now(), hostIds: request.reports.map((report) => report.hostId) });
    return arrivals.length === 1
      ? { reportsStored: 1, refusals: [{ reportIndex: 1, message: "busy" }], retryDelayMs: 60 }
      : { reportsStored: 1 };
  };
  await using client = clientOf([broker.url]);
  client.report(reportOf("a"));
  client.report(reportOf("b"));
  client.start();
  await client.flush();
  expect(arrivals.map(({ hostIds }) => hostIds)).toEqual([["a", "b"], ["b"]]);
  // Timers fire up to a millisecond early.
  expect(arrivals[1]!.at - arrivals[0]!.at).toBeGreaterThanOrEqual(58);
  expect(client.ledger.reports).toMatchObject({ acked: 2, rejected: 0 });
});

test("rejections are final, booked, and told with their reasons", async () => {
  await using broker = await TestBroker.start({
    outcome: () => ({
      samplesStored: 3,
      rejections: [
        { reportIndex: 0, sampleIndex: 1, reason: Reason.NAME_INVALID, field: "reports[0].samples[1].name" },
        { reportIndex: 1, reason: Reason.HOST_ID_INVALID, field: "reports[1].host_id" },
      ],
    }),
  });
  await using client = clientOf([broker.url]);
  const told = nextEvent<{ samples: number; reports: number; rejections: { reason: Reason }[] }>(
    client,
    "rejected",
  );
  client.report(reportOf("a", 4));
  client.report(reportOf("?", 2));
  client.start();
  await client.flush();
  expect(await told).toMatchObject({
    samples: 3,
    reports: 1,
    rejections: [{ reason: Reason.NAME_INVALID }, { reason: Reason.HOST_ID_INVALID }],
  });
  expect(broker.requests.length).toBe(1);
  expect(client.ledger.samples).toEqual({ sent: 6, acked: 3, rejected: 3, dropped: 0, buffered: 0 });
  expect(client.ledger.reports).toEqual({ sent: 2, acked: 1, rejected: 1, dropped: 0, buffered: 0 });
});

test("a stream that never acks is replaced, and what was under way is sent again", async () => {
  await using silent = await TestBroker.start({ outcome: () => undefined });
  await using lively = await TestBroker.start();
  await using client = clientOf([silent.url, lively.url], { ackTimeoutMs: 50 });
  const replaced = nextEvent<{ error: { code: string } }>(client, "disconnected");
  client.report(reportOf("a"));
  client.start();
  expect((await replaced).error.code).toBe("CLIENT_ACK_TIMEOUT");
  await client.flush();
  expect(silent.hostIds).toEqual(["a"]);
  expect(lively.hostIds).toEqual(["a"]);
});

test("an idle stream is left alone by the ack timeout", async () => {
  await using broker = await TestBroker.start();
  const clock = new ManualClock();
  await using client = createClient({ brokers: [broker.url], ackTimeoutMs: 5_000 }, { clock });
  client.start();
  await nextEvent(client, "connected");
  clock.advance(19_000);
  client.report(reportOf("a"));
  await client.flush();
  expect(broker.streams).toBe(1);
});

test("GOAWAY is obeyed without loss: the stream ends in good order and the same broker is asked again", async () => {
  await using broker = await TestBroker.start();
  await using other = await TestBroker.start();
  broker.behaviour.outcome = (request) => {
    if (request.reports[0]?.hostId === "h5") broker.goAway();
    return { reportsStored: request.reports.length };
  };
  await using client = clientOf([broker.url, other.url], { batchReportsMax: 1, windowBatches: 3 });
  const released = nextEvent<{ error: unknown }>(client, "disconnected");
  for (let index = 0; index < 20; index += 1) client.report(reportOf(`h${index}`));
  client.start();
  await client.flush();
  expect((await released).error).toBeUndefined();
  expect(broker.streams).toBe(2);
  expect(broker.streamsEnded).toBeGreaterThanOrEqual(1);
  expect(broker.hostIds).toEqual(Array.from({ length: 20 }, (_, index) => `h${index}`));
  expect(client.ledger.reports).toMatchObject({ acked: 20, buffered: 0 });
});

test("connections cut again and again lose nothing", async () => {
  await using broker = await TestBroker.start();
  let batches = 0;
  broker.behaviour.outcome = (request) => {
    batches += 1;
    if (batches % 4 === 0) broker.cut();
    return { reportsStored: request.reports.length };
  };
  await using client = clientOf([broker.url], { batchReportsMax: 5, windowBatches: 3 });
  for (let index = 0; index < 200; index += 1) client.report(reportOf(`h${index}`));
  client.start();
  await client.flush();
  expect(new Set(broker.hostIds).size).toBe(200);
  expect(client.ledger.reports).toEqual({ sent: 200, acked: 200, rejected: 0, dropped: 0, buffered: 0 });
});

test("a stream that the broker ends with an error is told with its status", async () => {
  await using broker = await TestBroker.start({
    outcome: () => {
      throw new ConnectError("who are you", Code.Unauthenticated);
    },
  });
  await using client = clientOf([broker.url], { stopTimeoutMs: 0 });
  const told = nextEvent<{ error: Error & { code: string; cause: ConnectError } }>(client, "disconnected");
  client.report(reportOf("a"));
  client.start();
  const { error } = await told;
  expect(error.code).toBe("CLIENT_STREAM_FAILED");
  expect(error.cause.code).toBe(Code.Unauthenticated);
  expect(client.ledger.reports.buffered).toBe(1);
});

test("an outcome for a batch that is not under way ends the stream", async () => {
  await using broker = await TestBroker.start();
  broker.behaviour.outcome = (request) => {
    // The adapter copies the number from the request.
    if (broker.streams === 1) request.sequence += 7;
    return {};
  };
  await using client = clientOf([broker.url]);
  const told = nextEvent<{ error: { code: string; message: string } }>(client, "disconnected");
  client.report(reportOf("a"));
  client.start();
  expect((await told).error).toMatchObject({
    code: "CLIENT_PROTOCOL",
    message: "expected the outcome of a batch under way, got one for number 8",
  });
  await client.flush();
  expect(client.ledger.reports.acked).toBe(1);
});

test("a port where nothing listens fails at once, one that says nothing after the connect timeout", async () => {
  const mute = createTcpServer(() => {});
  mute.listen(0, "127.0.0.1");
  await once(mute, "listening");
  const muteUrl = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
  const gone = await TestBroker.start();
  const goneUrl = gone.url;
  await gone.kill();
  const client = clientOf([goneUrl, muteUrl], { connectTimeoutMs: 30 });
  client.start();
  const refused = await nextEvent<{ broker: string; error: { code: string } }>(client, "disconnected");
  const late = await nextEvent<{ broker: string; error: { code: string } }>(client, "disconnected");
  expect([refused.broker, refused.error.code]).toEqual([goneUrl, "CLIENT_CONNECT_FAILED"]);
  expect([late.broker, late.error.code]).toEqual([muteUrl, "CLIENT_CONNECT_TIMEOUT"]);
  await client.stop();
  mute.close();
});

test("with brokers away a full buffer drops the oldest, counts them, and tells", async () => {
  await using client = clientOf(["http://127.0.0.1:1"], { bufferReportsMax: 10 });
  const told = nextEvent<{ reason: string; reports: number; samples: number }>(client, "dropped");
  const results = Array.from({ length: 13 }, (_, index) => client.report(reportOf(`h${index}`, 2)));
  expect(results.slice(8)).toEqual(["buffered", "buffered", "displaced", "displaced", "displaced"]);
  expect(await told).toEqual({ reason: "buffer-full", reports: 3, samples: 6 });
  expect(client.ledger.samples).toEqual({ sent: 26, acked: 0, rejected: 0, dropped: 6, buffered: 20 });
});

test("a report that no message can hold is dropped and told as too large", async () => {
  await using client = clientOf(["http://127.0.0.1:1"], { messageBytesMax: 1_024 });
  const told = nextEvent<{ reason: string }>(client, "dropped");
  expect(client.report(reportOf("a", 200))).toBe("dropped");
  expect((await told).reason).toBe("too-large");
  expect(client.ledger.samples).toMatchObject({ sent: 200, dropped: 200, buffered: 0 });
});

test("stop sends what is left, closes the stream in good order, and drops what comes after", async () => {
  await using broker = await TestBroker.start();
  const client = clientOf([broker.url]);
  client.start();
  await nextEvent(client, "connected");
  client.report(reportOf("a"));
  await client.stop();
  expect(client.state).toBe("stopped");
  expect(broker.hostIds).toEqual(["a"]);
  expect(broker.streamsEnded).toBe(1);
  expect(client.report(reportOf("b"))).toBe("dropped");
  expect(client.ledger.reports).toEqual({ sent: 2, acked: 1, rejected: 0, dropped: 1, buffered: 0 });
});

test("stop gives up at its deadline and books what is left as dropped", async () => {
  await using broker = await TestBroker.start({ outcome: () => undefined });
  const client = clientOf([broker.url], { stopTimeoutMs: 30 });
  client.report(reportOf("a"));
  client.start();
  await broker.until(() => broker.requests.length === 1);
  await client.stop();
  expect(client.ledger.reports).toEqual({ sent: 1, acked: 0, rejected: 0, dropped: 1, buffered: 0 });
});

test("stop is safe before start, twice, and while no broker answers", async () => {
  const idle = clientOf(["http://127.0.0.1:1"]);
  idle.report(reportOf("a"));
  await Promise.all([idle.stop(), idle.stop()]);
  expect(idle.ledger.reports).toMatchObject({ dropped: 1, buffered: 0 });
  expect(() => idle.start()).toThrow("the client is stopped");
  const lost = clientOf(["http://127.0.0.1:1"], { backoffMsMin: 20_000, backoffMsMax: 20_000 });
  lost.start();
  await nextEvent(lost, "disconnected");
  await lost.stop();
  expect(lost.state).toBe("stopped");
});

test("a cancelled flush says so and loses nothing", async () => {
  await using broker = await TestBroker.start({ outcome: () => undefined });
  await using client = clientOf([broker.url], { stopTimeoutMs: 0 });
  client.report(reportOf("a"));
  const abort = new AbortController();
  const flushed = client.flush({ signal: abort.signal });
  abort.abort("enough");
  await expect(flushed).rejects.toMatchObject({ name: "AbortError", cause: "enough" });
  expect(client.ledger.reports.buffered).toBe(1);
});

test("reports that linger go together", async () => {
  await using broker = await TestBroker.start();
  await using client = clientOf([broker.url], { lingerMs: 20 });
  client.start();
  await nextEvent(client, "connected");
  client.report(reportOf("a"));
  await new Promise((resolve) => setImmediate(resolve));
  client.report(reportOf("b"));
  await untilLedger(client, ({ reports }) => reports.buffered === 0);
  expect(broker.requests.map((request) => request.reports.length)).toEqual([2]);
});

test("headers are sent with the stream", async () => {
  const seen: (string | null)[] = [];
  await using broker = await TestBroker.start({
    outcome: (_, context) => {
      seen.push(context.requestHeader.get("authorization"));
      return {};
    },
  });
  await using client = clientOf([broker.url], { headers: { authorization: "Bearer t" } });
  client.start();
  client.report(reportOf("a"));
  await client.flush();
  expect(seen).toEqual(["Bearer t"]);
});

test("register tells who reports, again after a reconnect, and narrows the limits", async () => {
  await using broker = await TestBroker.start({
    register: () => ({ brokerId: "b7", heartbeatIntervalMs: 30_000, samplesMax: 4, messageBytesMax: 2_048 }),
  });
  await using client = clientOf([broker.url]);
  const registered = client.register({
    hostId: "web-1",
    agentName: "test",
    agentVersion: "1.0.0",
    metadata: { os: "linux" },
  });
  client.start();
  expect((await registered).brokerId).toBe("b7");
  expect(broker.registrations[0]).toMatchObject({ hostId: "web-1", metadata: { os: "linux" } });
  for (const hostId of ["a", "b", "c"]) client.report(reportOf(hostId, 2));
  expect(client.report(reportOf("d", 300))).toBe("dropped");
  await client.flush();
  expect(broker.requests.map((request) => request.reports.length)).toEqual([2, 1]);
  broker.cut();
  await broker.until(() => broker.registrations.length === 2);
});

test("heartbeats follow at the interval that the broker names", async () => {
  await using broker = await TestBroker.start({ register: () => ({ heartbeatIntervalMs: 2_000 }) });
  const clock = new ManualClock();
  await using client = createClient({ brokers: [broker.url] }, { clock });
  client.start();
  await client.register({ hostId: "web-1", agentName: "test", agentVersion: "1.0.0" });
  clock.advance(6_000);
  await broker.until(() => broker.heartbeats.length === 3);
  expect(broker.heartbeats[0]?.hostId).toBe("web-1");
});

test("register without a broker can be cancelled, and ends with the client", async () => {
  const client = clientOf(["http://127.0.0.1:1"]);
  const registration = { hostId: "web-1", agentName: "test", agentVersion: "1.0.0" };
  const abort = new AbortController();
  const cancelled = client.register(registration, { signal: abort.signal });
  const waiting = client.register(registration);
  abort.abort();
  await expect(cancelled).rejects.toMatchObject({ name: "AbortError" });
  const ended = expect(waiting).rejects.toMatchObject({ code: "CLIENT_STOPPED" });
  await client.stop();
  await ended;
});

test("a connection whose pings go unanswered is replaced", async () => {
  // Speaks HTTP/2 just enough to be believed: its settings, and then nothing.
  const mute = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  });
  mute.listen(0, "127.0.0.1");
  await once(mute, "listening");
  const client = clientOf([`http://127.0.0.1:${(mute.address() as AddressInfo).port}`], {
    pingIntervalMs: 20,
    pingTimeoutMs: 20,
  });
  client.start();
  const { error } = await nextEvent<{ error: { code: string } }>(client, "disconnected");
  expect(error.code).toBe("CLIENT_PING_TIMEOUT");
  await client.stop();
  mute.close();
});

test.each([
  [{ brokers: [] }, "expected brokers to name at least one address"],
  [
    { brokers: ["127.0.0.1:7400"] },
    "expected brokers[0] to be http://host:port or https://host:port, got 127.0.0.1:7400",
  ],
  [{ brokers: ["http://a:1/path"] }, "expected brokers[0] to be"],
  [
    { brokers: ["http://a:1"], windowBatches: 0 },
    "expected windowBatches to be an integer from 1 to 1000, got 0",
  ],
  [{ brokers: ["http://a:1"], lingerMs: 0.5 }, "expected lingerMs to be an integer"],
  [
    { brokers: ["http://a:1"], backoffMsMax: 5 },
    "expected backoffMsMax to be at least backoffMsMin (100), got 5",
  ],
  [{ brokers: ["http://a:1"], windowSize: 5 }, "unknown option windowSize"],
])("an option out of range is named: case %#", (options, message) => {
  expect(() => createClient(options as unknown as ClientOptions)).toThrow(message);
});
