import { EventEmitter, once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  constants,
  createServer,
  type Settings,
} from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { Code } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { MessageProgress } from "../src/doors/message-progress.ts";
import { SessionGuard, type SessionLimits } from "../src/doors/session-guard.ts";
import { BrokerProcess } from "./support/broker-process.ts";
import { answerOf, envelope, RawConnection } from "./support/raw-call.ts";

const timeout = 30_000;
const never = 2_000_000_000;
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** An empty SETTINGS frame. */
const settings = Buffer.from("000000040000000000", "hex");

describe("SessionGuard", { timeout }, () => {
  const unlimited: SessionLimits = {
    connectionsPerAddressMax: 1_000,
    pingIntervalMs: never,
    pingTimeoutMs: never,
    idleMs: never,
    ageMs: 1_000_000_000,
    ageGraceMs: never,
    lingerMs: 20,
    resetsMax: 1_000,
  };
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  /** A real server that answers each call after so long, or never. */
  async function guarded(limits: Partial<SessionLimits>, answers = true) {
    const guard = new SessionGuard({ ...unlimited, ...limits }, () => 0.5);
    const server = createServer();
    guard.guard(server);
    /** Emits `end` when the guard has let go of a session. */
    const sessions = new EventEmitter();
    server.on("session", (session) => session.once("close", () => sessions.emit("end")));
    server.on("stream", (stream) => {
      if (answers) stream.respond({ ":status": 200 }, { endStream: true });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(() => {
      guard.destroyAll();
      server.close();
    });
    return { guard, sessions, port: (server.address() as AddressInfo).port };
  }

  async function connected(port: number): Promise<ClientHttp2Session> {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on("error", () => {});
    closing.push(() => session.destroy());
    await once(session, "connect");
    return session;
  }

  async function rawSocket(port: number): Promise<Socket> {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    closing.push(() => socket.destroy());
    await once(socket, "connect");
    return socket.resume();
  }

  it("destroys a connection whose peer does not answer a ping", async () => {
    const { port } = await guarded({ pingIntervalMs: 30, pingTimeoutMs: 30 });
    const silent = await rawSocket(port);
    silent.write(Buffer.concat([preface, settings]));
    await once(silent, "close");
  });

  it("keeps a connection whose peer answers pings, without adding up listeners", async () => {
    const { guard, port } = await guarded({ pingIntervalMs: 5, pingTimeoutMs: 5_000 });
    const warnings: Error[] = [];
    const note = (warning: Error): number => warnings.push(warning);
    process.on("warning", note);
    const session = await connected(port);
    for (let pings = 0; pings < 15; pings++) await once(session, "ping");
    expect([guard.sessions, warnings]).toEqual([1, []]);
    process.off("warning", note);
  });

  it("closes a connection that has no stream for too long, from its beginning or since its last", async () => {
    const { port } = await guarded({ idleMs: 50 });
    await once(await connected(port), "close");
    const used = await connected(port);
    const stream = used.request({ ":path": "/" });
    await once(stream.resume(), "close");
    await once(used, "close");
  });

  it("keeps a connection with an open stream, however idle", async () => {
    const { guard, sessions, port } = await guarded({ idleMs: 20 }, false);
    const busy = await connected(port);
    busy.request({ ":path": "/" }).on("error", () => {});
    const ended = once(sessions, "end");
    const idle = await connected(port);
    await Promise.all([once(idle, "close"), ended]);
    expect([busy.destroyed, guard.sessions]).toEqual([false, 1]);
  });

  it("asks an old connection to go by GOAWAY, and ends its streams after the grace", async () => {
    const { port } = await guarded({ ageMs: 50, ageGraceMs: 100 }, false);
    const old = await connected(port);
    const stream = old.request({ ":path": "/" });
    stream.on("error", () => {});
    const [code] = await once(old, "goaway");
    expect(code).toBe(constants.NGHTTP2_NO_ERROR);
    expect(stream.closed).toBe(false);
    await once(stream, "close");
  });

  it("ends a connection of too many resets", async () => {
    const { port } = await guarded({ resetsMax: 20 }, false);
    const abusive = await connected(port);
    const gentle = await connected(port);
    for (let i = 0; i <= 20; i++) {
      const stream = abusive.request({ ":path": "/" });
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await once(abusive, "close");
    expect(gentle.destroyed).toBe(false);
  });

  it("refuses connections beyond those that an address may have, until one is gone", async () => {
    const { guard, sessions, port } = await guarded({ connectionsPerAddressMax: 2 });
    const first = await connected(port);
    await connected(port);
    await once(await rawSocket(port), "close");
    expect(guard.sessions).toBe(2);
    const ended = once(sessions, "end");
    first.close();
    await ended;
    await connected(port);
  });

  it("does not wait for a peer that keeps its side of an ended connection open", async () => {
    const { guard, sessions, port } = await guarded({ idleMs: 20 });
    const ended = once(sessions, "end");
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => {});
    closing.push(() => socket.destroy());
    socket.write(Buffer.concat([preface, settings]));
    await once(socket.resume(), "end");
    await ended;
    expect(guard.sessions).toBe(0);
  });
});

describe("MessageProgress", () => {
  async function* pieces(count: number, size: number): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < count; i++) yield new Uint8Array(size);
  }

  async function drained(watched: AsyncIterable<Uint8Array>): Promise<number> {
    let seen = 0;
    for await (const _ of watched) seen++;
    return seen;
  }

  it("passes a thousand tiny pieces on, and not one more", async () => {
    const progress = new MessageProgress(() => 0);
    expect(await drained(progress.watch(pieces(1_000, 1)))).toBe(1_000);
    await expect(drained(progress.watch(pieces(1, 1)))).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
  });

  it("passes any number of pieces of fair size on, and any number of small messages", async () => {
    const progress = new MessageProgress(() => 0);
    expect(await drained(progress.watch(pieces(5_000, 64)))).toBe(5_000);
    progress.messageArrived();
    let seen = 0;
    for await (const _ of progress.watch(pieces(5_000, 1))) {
      seen++;
      progress.messageArrived();
    }
    expect(seen).toBe(5_000);
  });

  it("is stalled when a message has begun and does not end for 30 s, and not between messages", async () => {
    let nowMs = 0;
    const progress = new MessageProgress(() => nowMs);
    nowMs = 100_000;
    expect(progress.isStalled).toBe(false);
    await drained(progress.watch(pieces(2, 10)));
    nowMs = 130_000;
    expect(progress.isStalled).toBe(false);
    nowMs = 130_001;
    expect(progress.isStalled).toBe(true);
    progress.messageArrived();
    expect(progress.isStalled).toBe(false);
  });
});

describe("the doors of a broker", { timeout }, () => {
  let broker: BrokerProcess;
  beforeAll(async () => {
    broker = await BrokerProcess.start({
      args: ["--set", "limits.connectionsPerAddressMax=20", "--set", "limits.httpBodyBytesMax=1KiB"],
    });
  }, timeout);
  // A connection that is closed after its answer may lose the answer when the request is not whole yet.
  const agent = new Agent({ keepAlive: true });
  afterAll(async () => {
    agent.destroy();
    await broker[Symbol.asyncDispose]();
  });

  /** What a caller gets whose headers never end; it takes a while, so the other tests run meanwhile. */
  let slowHeaders: Promise<string>;
  beforeAll(() => {
    const slow = connect(broker.httpPort, "127.0.0.1");
    slow.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
    slowHeaders = text(slow);
  });

  it("7400 tells its limits in its first SETTINGS frame", async () => {
    const session = connectHttp2(broker.grpcUrl);
    const [remote] = (await once(session, "remoteSettings")) as [Settings];
    expect(remote).toMatchObject({
      maxConcurrentStreams: 64,
      maxHeaderListSize: 16_384,
      initialWindowSize: 1_048_576,
      enablePush: false,
    });
    await new Promise((resolve) => session.ping(resolve));
    expect(session.state.remoteWindowSize).toBe(8_388_608);
    session.destroy();
  });

  it("7400 has 64 streams of a connection open at a time", async () => {
    await using connection = await RawConnection.open(broker.grpcUrl);
    await once(connection.session, "remoteSettings");
    let answered = 0;
    for (let i = 0; i < 65; i++) {
      const stream = connection.call("/grpc.health.v1.Health/Watch", "application/grpc+proto");
      stream.on("error", () => {});
      stream.once("response", () => answered++);
      stream.end(envelope(Buffer.alloc(0)));
    }
    while (answered < 64) await new Promise((resolve) => connection.session.ping(resolve));
    await new Promise((resolve) => connection.session.ping(resolve));
    expect(answered).toBe(64);
  });

  it("7400 survives a flood of rapid resets, and ends the connection that made it", async () => {
    await using neighbour = await RawConnection.open(broker.grpcUrl);
    const abusive = await RawConnection.open(broker.grpcUrl);
    const closed = once(abusive.session, "close");
    for (let i = 0; i < 400; i++) {
      const stream = abusive.call("/mon.v1.MonitorService/Report", "application/grpc+proto");
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await closed;
    const health = await neighbour.post(
      "/grpc.health.v1.Health/Check",
      "application/grpc+proto",
      envelope(Buffer.alloc(0)),
    );
    expect(health.code).toBe(0);
  });

  it("a message that trickles in tiny pieces ends its call, and not its connection", async () => {
    await using connection = await RawConnection.open(broker.grpcUrl);
    const stream = connection.call("/mon.v1.MonitorService/Report", "application/grpc+proto");
    const answer = answerOf(stream);
    stream.write(envelope(Buffer.alloc(0), 0, 100_000));
    while (!stream.destroyed) {
      await new Promise((resolve) => stream.write(Buffer.of(0), resolve));
      // Each byte in a frame of its own.
      await new Promise((resolve) => connection.session.ping(resolve));
    }
    expect(await answer).toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringContaining("pieces"),
    });
    const health = await connection.post(
      "/grpc.health.v1.Health/Check",
      "application/grpc+proto",
      envelope(Buffer.alloc(0)),
    );
    expect(health.code).toBe(0);
  });

  it("7400 takes no more connections of one address than it may have", async () => {
    const sockets = Array.from({ length: 40 }, () => connect(broker.grpcPort, "127.0.0.1"));
    const fates = await Promise.all(
      sockets.map(
        (socket) =>
          new Promise((resolve) => {
            socket.on("error", () => {}).once("close", () => resolve("refused"));
            socket.once("data", () => resolve("taken"));
          }),
      ),
    );
    const taken = fates.filter((fate) => fate === "taken").length;
    // Connections of the tests before may not be gone yet.
    expect(taken).toBeLessThanOrEqual(20);
    expect(taken).toBeGreaterThan(0);
    for (const socket of sockets) socket.destroy();
  });

  it("7480 sends security headers with every answer", async () => {
    for (const path of ["/", "/healthz", "/metrics", "/none", "/mon.v1.AdminService/Status"]) {
      const { headers } = await http({ path });
      expect(headers).toMatchObject({
        "content-security-policy": expect.stringContaining("default-src 'self'"),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
      });
    }
  });

  it.each([
    ["a Host that is no name of this machine", { headers: { host: "evil.example" } }, 421],
    [
      "the same, with a call",
      { path: "/mon.v1.AdminService/Status", method: "POST", headers: { host: "evil.example" } },
      421,
    ],
    ["an Origin elsewhere", { headers: { origin: "http://evil.example" } }, 403],
    ["an Origin that is none", { headers: { origin: "null" } }, 403],
    ["a method that nothing has", { path: "/healthz", method: "DELETE" }, 405],
    ["a path that nothing has", { path: "/none" }, 404],
    ["a path that climbs", { path: "/../package.json" }, 404],
    ["headers of more than 8 KiB", { headers: { "x-large": "x".repeat(8_200) } }, 431],
    ["localhost", { path: "/healthz", headers: { host: "localhost:1" } }, 200],
    ["an IPv6 address", { path: "/healthz", headers: { host: "[::1]:7480" } }, 200],
  ] as const)("7480 answers %s", async (_, options, status) => {
    expect((await http(options)).status).toBe(status);
  });

  it("7480 takes an Origin that is its own", async () => {
    const host = `127.0.0.1:${broker.httpPort}`;
    expect((await http({ path: "/healthz", headers: { host, origin: `http://${host}` } })).status).toBe(200);
  });

  it("7480 refuses a body over its limit, and leaves pushes the larger one", async () => {
    const body = JSON.stringify({ hosts: ["x".repeat(2_000)] });
    const headers = { "content-type": "application/json" };
    const query = await http({ path: "/mon.v1.QueryService/QueryLatest", method: "POST", headers }, body);
    expect([query.status, JSON.parse(query.body).code]).toEqual([429, "resource_exhausted"]);
    const padded = JSON.stringify({ reports: [] }).padEnd(100_000);
    expect(
      (await http({ path: "/mon.v1.MonitorService/Push", method: "POST", headers }, padded)).status,
    ).toBe(200);
    const huge = JSON.stringify({ reports: [] }).padEnd(4_194_305);
    const push = await http({ path: "/mon.v1.MonitorService/Push", method: "POST", headers }, huge);
    expect([push.status, JSON.parse(push.body).code]).toEqual([429, "resource_exhausted"]);
  });

  it("7480 has no bidirectional call (R32)", async () => {
    const headers = { "content-type": "application/connect+json" };
    const answer = await http({ path: "/mon.v1.MonitorService/Report", method: "POST", headers }, "{}");
    expect(answer.status).toBe(505);
  });

  it("7480 cuts a connection whose headers do not come within ten seconds", async () => {
    expect(await slowHeaders).toMatch(/^HTTP\/1\.1 408 /);
  });

  async function http(options: RequestOptions, body?: string) {
    const request = httpRequest({ host: "127.0.0.1", port: broker.httpPort, agent, ...options });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on("response", resolve).on("error", reject).end(body);
    });
    return { status: response.statusCode, headers: response.headers, body: await text(response) };
  }
});
