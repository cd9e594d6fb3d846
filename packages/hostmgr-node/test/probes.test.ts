import type { Socket } from "node:net";
import { type CheckInput, outcomeOf, resolveCheck } from "@mon/hostmgr";
import { afterEach, describe, expect, it } from "vitest";
import { createNodeProbes } from "../src/index.ts";
import { grpcServer, httpServer, rawServer, type TestServer } from "./support/servers.ts";

const probes = createNodeProbes({ ranges: ["127.0.0.0/8", "::1"] });

/** Runs a check with a time that is short, and says how it went. */
async function run(input: CheckInput, timeoutMs = 250): Promise<string> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new Error("no answer in time")), timeoutMs);
  const { status, output } = await outcomeOf(resolveCheck(input), probes, abort.signal, () =>
    performance.now(),
  );
  clearTimeout(timer);
  return `${status}: ${output}`;
}

const get = (port: number, more: object = {}): CheckInput => ({
  checkId: "web",
  kind: "http",
  url: `http://127.0.0.1:${port}/health`,
  ...more,
});
const health = (port: number, service = ""): CheckInput => ({
  checkId: "grpc",
  kind: "grpc",
  host: "127.0.0.1",
  port,
  service,
});

/** Waits for a number to come down, some turns of the event loop: handles of ours go a turn after theirs. */
async function settles(read: () => number, to: number): Promise<number> {
  for (let turn = 0; turn < 100 && read() > to; turn++) await new Promise((resolve) => setImmediate(resolve));
  return read();
}

const servers: TestServer[] = [];
async function using<Server extends TestServer>(server: Promise<Server>): Promise<Server> {
  servers.push(await server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) {
    await server.allClosed();
    await server[Symbol.asyncDispose]();
  }
});

describe("a TCP check", () => {
  it("passes when a connection is accepted, and lets go of it", async () => {
    const { port } = await using(rawServer(() => {}));
    expect(await run({ checkId: "ssh", kind: "tcp", host: "127.0.0.1", port })).toBe(
      `passing: 127.0.0.1:${port} accepts connections`,
    );
  });

  it("fails when it is refused", async () => {
    const server = await rawServer(() => {});
    await server[Symbol.asyncDispose]();
    expect(await run({ checkId: "ssh", kind: "tcp", host: "127.0.0.1", port: server.port })).toContain(
      "ECONNREFUSED",
    );
  });
});

describe("an HTTP check", () => {
  it.each([
    [200, {}, "passing: 200"],
    [204, {}, "passing: 204"],
    [404, {}, "critical: expected 200–399, got 404"],
    [429, {}, "warning: expected 200–399, got 429"],
    [429, { statuses: [[429, 429]] }, "passing: 429"],
    [500, {}, "critical: expected 200–399, got 500"],
    [200, { statuses: [[201, 201]] }, "critical: expected 201, got 200"],
  ])("that is answered %i, with %o, is %s", async (status, more, expected) => {
    const server = await using(
      httpServer((_, response) => {
        response.writeHead(status).end();
      }),
    );
    expect(await run(get(server.port, more))).toBe(expected);
  });

  it("follows no redirect", async () => {
    const other = await using(httpServer((_, response) => response.end()));
    const server = await using(
      httpServer((_, response) => {
        response.writeHead(302, { location: `http://127.0.0.1:${other.port}/` }).end();
      }),
    );
    expect(await run(get(server.port))).toBe("passing: 302");
    expect(await run(get(server.port, { statuses: [[200, 299]] }))).toBe(
      "critical: expected 200–299, got 302",
    );
    expect(other.accepted).toBe(0);
  });

  it("matches the body, by an expression that cannot run away", async () => {
    const server = await using(httpServer((_, response) => response.end(`state: ${"a".repeat(3_000)}`)));
    expect(await run(get(server.port, { bodyMatch: "^state: a+$" }))).toBe("passing: 200");
    expect(await run(get(server.port, { bodyMatch: "(a+)+b" }))).toContain(
      "critical: 200; expected the first 3007 bytes",
    );
  });

  it("reads 4 KB of a body of a megabyte, and matches no more", async () => {
    const server = await using(
      httpServer((_, response) => response.end(`${"x".repeat(4_095)}yz${"x".repeat(1_000_000)}`)),
    );
    expect(await run(get(server.port, { bodyMatch: "y" }))).toBe("passing: 200");
    expect(await run(get(server.port, { bodyMatch: "z" }))).toContain("critical");
  });

  it("has read enough of a body without end after 4 KB", async () => {
    const server = await using(
      httpServer((_, response) => {
        const more = (): void => {
          if (!response.destroyed) response.write("x".repeat(1_000), () => setImmediate(more));
        };
        more();
      }),
    );
    expect(await run(get(server.port, { bodyMatch: "^x+$" }))).toBe("passing: 200");
  });

  it("warns of a good answer that was slow", async () => {
    const server = await using(
      httpServer((_, response) => {
        setTimeout(() => response.end(), 30);
      }),
    );
    expect(await run(get(server.port, { latencyMsMax: 5 }))).toMatch(
      /^warning: 200; expected an answer within 5 ms/,
    );
  });

  it.each([
    ["accepts and is silent", () => {}, "no answer in time"],
    [
      "drips headers",
      (socket: Socket) => {
        socket.write("HTTP/1.1 200 OK\r\n");
        const timer = setInterval(() => socket.write("x: y\r\n"), 10);
        socket.on("close", () => clearInterval(timer));
      },
      "no answer in time",
    ],
    [
      "drips a body",
      (socket: Socket) => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        const timer = setInterval(() => socket.write("."), 10);
        socket.on("close", () => clearInterval(timer));
      },
      "no answer in time",
    ],
    [
      "sends headers without end",
      (socket: Socket) => {
        socket.on("error", () => {});
        socket.write(`HTTP/1.1 200 OK\r\n${"x: ".padEnd(1_000, "y")}\r\n`.repeat(20));
      },
      "Parse Error",
    ],
    ["speaks something else", (socket: Socket) => void socket.end("SSH-2.0-OpenSSH_9.2\r\n"), "Parse Error"],
    ["hangs up", (socket: Socket) => void socket.destroy(), "socket hang up"],
    [
      "changes the protocol",
      (socket: Socket) =>
        void socket.write("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
      "got another protocol",
    ],
  ])("fails when the server %s", async (_, serve, expected) => {
    const { port } = await using(rawServer(serve));
    expect(await run(get(port))).toMatch(/^critical: /);
    expect(await run(get(port))).toContain(expected);
  });

  it("tells nothing of the body to whoever asked for it", async () => {
    const server = await using(httpServer((_, response) => response.end("secret")));
    expect(await run(get(server.port, { bodyMatch: "other" }))).not.toContain("secret");
  });
});

describe("a gRPC check", () => {
  const frame = (...message: number[]) => Buffer.of(0, 0, 0, 0, message.length, ...message);
  const ok = { "grpc-status": "0" };

  it.each([
    ["SERVING", frame(0x08, 1), "passing: the server is SERVING"],
    ["NOT_SERVING", frame(0x08, 2), "critical: the server is NOT_SERVING"],
    ["UNKNOWN, which is left out", frame(), "critical: the server is UNKNOWN"],
    ["SERVICE_UNKNOWN", frame(0x08, 3), "critical: the server is SERVICE_UNKNOWN"],
    ["something else", frame(0x10, 3), "critical: expected a HealthCheckResponse, got other bytes"],
    ["nothing", Buffer.alloc(0), "critical: expected a HealthCheckResponse, got other bytes"],
    ["too much", Buffer.alloc(1_000_000), "critical: expected at most 4096 bytes"],
  ])("that is answered %s", async (_, body, expected) => {
    const server = await using(grpcServer({ body, trailers: ok }));
    expect(await run(health(server.port))).toContain(expected);
  });

  it("asks for the service by its name", async () => {
    const asked: unknown[] = [];
    const server = await using(
      grpcServer({
        body: frame(0x08, 1),
        trailers: ok,
        asked: (path, body) => asked.push(path, body.subarray(5).toString("latin1")),
      }),
    );
    expect(await run(health(server.port, "mon.v1.Query"))).toBe("passing: mon.v1.Query is SERVING");
    expect(asked).toEqual(["/grpc.health.v1.Health/Check", "\n\x0cmon.v1.Query"]);
  });

  it.each([
    ["12", "critical: UNIMPLEMENTED: it speaks gRPC and has no grpc.health.v1.Health"],
    ["5", "critical: gRPC status 5: unknown service"],
  ])("that is answered status %s", async (code, expected) => {
    const server = await using(
      grpcServer({ trailers: { "grpc-status": code, "grpc-message": "unknown service" } }),
    );
    expect(await run(health(server.port))).toBe(expected);
  });

  it("fails when the server speaks HTTP/1", async () => {
    const server = await using(httpServer((_, response) => response.end("hello")));
    expect(await run(health(server.port))).toMatch(/^critical: /);
  });

  it("fails when the server is silent, or hangs up", async () => {
    const silent = await using(rawServer(() => {}));
    expect(await run(health(silent.port))).toBe("critical: no answer in time");
    const rude = await using(rawServer((socket) => void socket.destroy()));
    expect(await run(health(rude.port))).toMatch(/^critical: /);
  });
});

it("500 checks against servers of all sorts leave no socket and no process behind", async () => {
  const silent = await using(rawServer(() => {}));
  const web = await using(httpServer((_, response) => response.end("x".repeat(10_000))));
  const grpc = await using(
    grpcServer({ body: Buffer.of(0, 0, 0, 0, 2, 8, 1), trailers: { "grpc-status": "0" } }),
  );
  const handles = (): number =>
    process.getActiveResourcesInfo().filter((name) => /TCP|Pipe|Process/.test(name)).length;
  const before = handles();
  for (let round = 0; round < 50; round++) {
    await Promise.all([
      ...[1, 2, 3].map(() => run(get(web.port))),
      ...[1, 2, 3].map(() => run(health(grpc.port))),
      run(get(silent.port), 1),
      run(health(silent.port), 1),
      run({ checkId: "t", kind: "tcp", host: "127.0.0.1", port: silent.port }),
      run({ checkId: "t", kind: "tcp", host: "127.0.0.1", port: silent.port }, 0),
    ]);
  }
  await Promise.all([silent, web, grpc].map((server) => server.allClosed()));
  expect(await settles(handles, before)).toBeLessThanOrEqual(before);
});
