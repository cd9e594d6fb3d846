import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { TestAuthority } from "../../../tools/build/certificate.ts";
import { type RedisDeployment, startDeployment } from "../../../tools/redis/deployment.ts";
import { freePorts, RedisServer } from "../../../tools/redis/redis-server.ts";
import type { ServersOptions } from "../src/options.ts";
import { warningsOf } from "../src/servers/facts.ts";
import { assertMode, infoFrom } from "../src/servers/inspection.ts";
import { openServers } from "../src/servers/redis-servers.ts";
import type { Servers } from "../src/servers/servers.ts";
import { admin, batch, open, persist, send } from "./support/servers.ts";

let standalone: RedisDeployment;
let sentinel: RedisDeployment;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "mon-redis-tls-"));
  [standalone, sentinel] = await Promise.all([startDeployment("standalone"), startDeployment("sentinel")]);
});

afterAll(async () => {
  await Promise.all([standalone?.stop(), sentinel?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

async function opened(options: ServersOptions): Promise<Servers> {
  const servers = await openServers(options);
  onTestFinished(() => servers.close());
  return servers;
}

test("a deployment that is not what the configuration says is named, with what it is", async () => {
  const [server] = standalone.addresses;
  const node = new RedisServer({
    kind: "server",
    folder: path.join(folder, "node"),
    port: (await freePorts(1))[0]!,
    directives: { "cluster-enabled": "yes", "cluster-port": (await freePorts(1))[0]!, save: '""' },
  });
  await node.start();
  onTestFinished(() => node.stop());
  const cases: [ServersOptions, string][] = [
    [
      { url: `redis://127.0.0.1:${node.port}` },
      "expected a server of its own, got a node of a cluster; that is configured as cluster",
    ],
    [
      { cluster: [server!] },
      "expected a node of a cluster, got a server of its own; that is configured as url",
    ],
    [
      { sentinels: [server!], masterName: "mon" },
      "expected a sentinel, got a server of its own; that is configured as url",
    ],
    [
      { url: `redis://${sentinel.addresses[0]}` },
      "expected a server of its own, got a sentinel; that is configured as sentinels and masterName",
    ],
    [
      { url: `redis://127.0.0.1:${sentinel.servers[1]!.port}` },
      `expected a primary, got a replica of 127.0.0.1:${sentinel.servers[0]!.port}`,
    ],
  ];
  for (const [options, message] of cases) {
    const error = await openServers(options).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORE_UNUSABLE", fault: "mismatch", isRetryable: false });
    expect((error as Error).message).toContain(message);
  }
});

test("a master name that sentinels do not know, and servers that nobody answers from, are errors", async () => {
  await expect(openServers({ sentinels: sentinel.addresses, masterName: "other" })).rejects.toThrow(
    /No such master/,
  );
  await expect(openServers({ url: "redis://127.0.0.1:1" })).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    fault: "disconnected",
    isRetryable: true,
  });
});

test("servers before 6.2 are too old", () => {
  const address = { host: "127.0.0.1", port: 6379 };
  const info = (version: string) => infoFrom(`redis_version:${version}\r\nredis_mode:standalone\r\n`);
  expect(() => assertMode(address, info("6.0.16"), "standalone")).toThrow(
    "redis at 127.0.0.1:6379: expected version 6.2 or later, got 6.0.16",
  );
  for (const version of ["6.2.0", "7.0.15", "10.1.0"]) assertMode(address, info(version), "standalone");
});

test("a user of an ACL logs in, a wrong password is refused and not repeated", async () => {
  const [server] = standalone.servers;
  await admin(server!, "ACL", "SETUSER", "mon", "on", ">p@ss:w/ord", "~monitor:*", "+@all");
  const url = `redis://mon:p%40ss%3Aw%2Ford@${standalone.addresses[0]}/3`;
  const servers = await opened({ url });
  expect(await send(servers, "a", ["SET monitor:{a} 1"])).toMatchObject({ replies: ["OK"] });
  expect((await send(servers, "a", ["SET x:{a} 1"])).error).toMatchObject({ fault: "not-permitted" });
  expect(await admin(server!, "EXISTS", "monitor:{a}")).toBe(0);
  const error = await openServers({ url: url.replace("%2Ford", "") }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "STORE_UNUSABLE", fault: "not-permitted", isRetryable: false });
  expect(String(error)).toContain("WRONGPASS");
  expect(String(error)).not.toContain("p@ss");
});

test("TLS: a certificate that is trusted, one that is not, and a server that asks for ours", async () => {
  const authority = new TestAuthority();
  const own = authority.issue();
  const client = authority.issue();
  const file = (name: string, content: string) => {
    const place = path.join(folder, name);
    writeFileSync(place, content);
    return place;
  };
  const [port, plainPort] = await freePorts(2);
  const server = new RedisServer({
    kind: "server",
    folder: path.join(folder, "server"),
    port: plainPort!,
    directives: {
      "tls-port": port!,
      "tls-cert-file": file("cert.pem", own.certificate),
      "tls-key-file": file("key.pem", own.key),
      "tls-ca-cert-file": file("ca.pem", authority.certificate),
      save: '""',
    },
  });
  await server.start();
  onTestFinished(() => server.stop());
  const url = `rediss://127.0.0.1:${port}`;
  const tls = { ca: authority.certificate, cert: client.certificate, key: client.key };
  const servers = await opened({ url, tls });
  expect(await send(servers, "a", ["SET x:{a} 1", "INCR x:{a}"])).toMatchObject({ replies: ["OK", 2] });
  await admin(server, "CLIENT", "KILL", "TYPE", "normal");
  await persist(servers, "a", ["SET x:{a} 2"]);
  const stranger = new TestAuthority("another authority").issue();
  const { ca: _, ...untrusting } = tls;
  for (const [wrong, message] of [
    [untrusting, /certificate/],
    [{ ...tls, servername: "elsewhere" }, /does not match/],
    [{ ca: tls.ca }, /certificate|closed|ended|ECONNRESET/i],
    [
      { ca: tls.ca, cert: stranger.certificate, key: stranger.key },
      /unknown ca|certificate|closed|ended|ECONNRESET/i,
    ],
  ] as const) {
    const error = await openServers({ url, tls: wrong }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", fault: "disconnected" });
    expect((error as Error).message).toMatch(message);
  }
  const plain = openServers({ url: `redis://127.0.0.1:${port}`, connectTimeoutMs: 1000 });
  await expect(plain).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

test("what a server's configuration makes of an acknowledgement is known, and looked at again", async () => {
  const servers = await open(standalone);
  const [facts] = servers.facts();
  expect(facts).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    replicas: 0,
    appendOnly: false,
    save: "",
    maxMemoryBytes: 0,
    evictionPolicy: "noeviction",
    minReplicasToWrite: 0,
  });
  expect(warningsOf(facts!)).toEqual([expect.stringContaining("persists nothing")]);
  const [server] = standalone.servers;
  for (const [name, value] of [
    ["maxmemory", "100mb"],
    ["maxmemory-policy", "allkeys-lru"],
    ["appendonly", "yes"],
    ["appendfsync", "always"],
  ] as const)
    await admin(server!, "CONFIG", "SET", name, value);
  const [after] = await servers.refreshFacts();
  expect(after).toMatchObject({
    appendOnly: true,
    appendFsync: "always",
    maxMemoryBytes: 104_857_600,
    evictionPolicy: "allkeys-lru",
  });
  expect(warningsOf(after!)).toEqual([expect.stringContaining("maxmemory-policy allkeys-lru")]);
});

test("a standalone server has no replica to read from: its primary answers", async () => {
  const servers = await open(standalone);
  expect(await servers.read([batch("a", "EXISTS nothing:{a}")], { from: "replica" })).toEqual([
    { replies: [0], ageMs: 0 },
  ]);
});
