import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RedisDeployment, startDeployment } from "../../../tools/redis/deployment.ts";
import type { RedisServer } from "../../../tools/redis/redis-server.ts";
import type { Servers } from "../src/servers/servers.ts";
import { admin, batch, encoded, open, persist, send, serverAt, textOf, until } from "./support/servers.ts";

let deployment: RedisDeployment;

beforeAll(async () => {
  deployment = await startDeployment("sentinel", { downAfterMs: 1000 });
});

afterAll(async () => {
  await deployment?.stop();
});

function primaryOf(servers: Servers): RedisServer {
  return serverAt(deployment, servers.primaries()[0]!.address);
}

/** Writes keys until it is told to stop; gives those that were acknowledged. */
function startWriting(servers: Servers, copies: number): { acknowledged: string[]; stop(): Promise<void> } {
  const acknowledged: string[] = [];
  let isStopped = false;
  const done = (async () => {
    for (let i = 0; !isStopped; i++) {
      const { error } = await send(servers, "a", [`SET k${i}:{a} 1`], { copies });
      if (error === undefined) acknowledged.push(`k${i}:{a}`);
      else await delay(error.retryDelayMs);
    }
  })();
  return {
    acknowledged,
    stop: async () => {
      isStopped = true;
      await done;
    },
  };
}

async function countOf(servers: Servers, keys: readonly string[]): Promise<number> {
  const [outcome] = await servers.read([batch("a", `EXISTS ${keys.join(" ")}`)]);
  if (outcome?.error !== undefined) throw outcome.error;
  return outcome?.replies[0] as number;
}

/** Makes a server that was primary follow the present one; sentinels would do the same some ten seconds later. */
async function follow(servers: Servers, old: RedisServer): Promise<void> {
  await admin(old, "REPLICAOF", "127.0.0.1", String(primaryOf(servers).port));
  await until("two replicas in sync", async () => {
    const info = textOf(await admin(primaryOf(servers), "INFO", "replication"));
    return /role:master[\s\S]*state=online[\s\S]*state=online/.test(info);
  });
}

test("the primary is found by its name; three copies are its and the replicas'", async () => {
  const servers = await open(deployment);
  expect(servers.deployment).toBe("sentinel");
  expect(servers.primaries()).toMatchObject([{ name: `127.0.0.1:${deployment.servers[0]!.port}` }]);
  expect(servers.facts()).toMatchObject([{ replicas: 2, evictionPolicy: "noeviction", appendOnly: false }]);
  expect(await send(servers, "a", ["SET x:{a} 1"], { copies: 3 })).toMatchObject({ copies: 3 });
  const [read] = await servers.read([batch("a", "GET x:{a}")], { from: "replica" });
  expect(read?.error === undefined && read?.ageMs).toBeGreaterThanOrEqual(1000);
});

test("SIGKILL of the primary: writers go on at a replica, and nothing with all copies is lost", async () => {
  const servers = await open(deployment);
  const before = servers.incarnation(0);
  const writing = startWriting(servers, 3);
  await until("some writes", () => writing.acknowledged.length > 50);
  const old = primaryOf(servers);
  await old.kill();
  await writing.stop();
  await persist(servers, "a", ["SET last:{a} 1"]);
  expect(primaryOf(servers)).not.toBe(old);
  expect(servers.incarnation(0)).toBeGreaterThan(before);
  expect(await countOf(servers, writing.acknowledged)).toBe(writing.acknowledged.length);
  await old.start();
  await follow(servers, old);
});

test("SIGSTOP of the primary: what it has under way is in doubt as soon as another is primary", async () => {
  const servers = await open(deployment, { commandTimeoutMs: 60_000 });
  const old = primaryOf(servers);
  old.signal("SIGSTOP");
  try {
    const pending = send(servers, "a", ["SET zombie:{a} 1"]);
    expect((await pending).error).toMatchObject({ fault: "cut", isRetryable: true, isInDoubt: true });
    await persist(servers, "a", ["SET new:{a} 1"]);
    expect(primaryOf(servers)).not.toBe(old);
  } finally {
    old.signal("SIGCONT");
  }
  await follow(servers, old);
  expect(await countOf(servers, ["zombie:{a}", "new:{a}"])).toBe(1);
});

test("negative control: one copy, replicas that do not follow, and the death of the primary lose what was acknowledged", async () => {
  const servers = await open(deployment, { waitTimeoutMs: 50 });
  const old = primaryOf(servers);
  const replicas = deployment.servers.filter((server) => server !== old);
  for (const replica of replicas) replica.signal("SIGSTOP");
  // More than sockets hold, or the kernel would bring it to them later.
  const value = "x".repeat(1024 * 1024);
  const keys = Array.from({ length: 48 }, (_, i) => `big${i}:{a}`);
  const acknowledged: string[] = [];
  for (const key of keys) {
    const { error } = await send(servers, "a", [`SET ${key} ${value}`]);
    if (error === undefined) acknowledged.push(key);
  }
  expect(acknowledged).toEqual(keys);
  expect((await send(servers, "a", ["SET x:{a} 1"], { copies: 2 })).error).toMatchObject({
    fault: "too-few-copies",
  });
  await old.kill();
  for (const replica of replicas) replica.signal("SIGCONT");
  await persist(servers, "a", ["SET last:{a} 1"]);
  expect(await countOf(servers, acknowledged)).toBeLessThan(acknowledged.length);
});

test("sentinels that are gone are not missed", async () => {
  const [first, ...others] = deployment.sentinels;
  await first!.kill();
  const servers = await open(deployment);
  const { commands, count } = encoded("PING");
  expect(await servers.primaries()[0]!.call(commands, count)).toEqual(["PONG"]);
  expect(others).toHaveLength(2);
});
