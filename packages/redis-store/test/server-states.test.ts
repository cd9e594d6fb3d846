import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { type RedisDeployment, startDeployment } from "../../../tools/redis/deployment.ts";
import type { RedisServer } from "../../../tools/redis/redis-server.ts";
import { Script } from "../src/servers/script.ts";
import { slotOf } from "../src/servers/slot.ts";
import { admin, batch, encoded, open, persist, send, textOf, until } from "./support/servers.ts";

let deployment: RedisDeployment;
let other: RedisDeployment;
let server: RedisServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "mon-redis-states-"));
  const directives = {
    dir: folder,
    "enable-debug-command": "local",
    "busy-reply-threshold": 1,
    // What is asked while it loads is answered this often.
    "loading-process-events-interval-bytes": 1024,
  };
  [deployment, other] = await Promise.all([
    startDeployment("standalone", { directives }),
    startDeployment("standalone"),
  ]);
  server = deployment.servers[0]!;
});

beforeEach(async () => {
  await admin(server, "FLUSHALL");
});

afterAll(async () => {
  await Promise.all([deployment?.stop(), other?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Sets a directive until the test ends. */
async function configure(name: string, value: string): Promise<void> {
  const [, before] = (await admin(server, "CONFIG", "GET", name)) as Uint8Array[];
  await admin(server, "CONFIG", "SET", name, value);
  onTestFinished(async () => {
    await admin(server, "CONFIG", "SET", name, textOf(before!));
  });
}

test("batches are answered each by itself, in order, with the command's own errors among the replies", async () => {
  const servers = await open(deployment);
  const outcomes = await servers.send([
    batch("a", "SET x:{a} 1", "INCR x:{a}"),
    batch("b", "LPUSH y:{b} 1", "INCR y:{b}", "LLEN y:{b}"),
    batch("a", "INCR x:{a}"),
  ]);
  expect(outcomes[0]).toMatchObject({ replies: ["OK", 2], copies: 1 });
  expect(outcomes[1]).toMatchObject({ replies: [1, { code: "WRONGTYPE" }, 1] });
  expect(outcomes[2]).toMatchObject({ replies: [3] });
});

test("views of one buffer go out in one write, in any order of buffers", async () => {
  const servers = await open(deployment, { connectionsPerNode: 3 });
  const tags = Array.from({ length: 500 }, (_, i) => `h${i}`);
  const parts = tags.map((tag) => encoded(`SET k:{${tag}} ${tag}`, `GET k:{${tag}}`));
  const whole = Buffer.concat(parts.map(({ commands }) => commands));
  let at = 0;
  const batches = parts.map(({ commands, count }, i) => {
    const view = whole.subarray(at, at + commands.length);
    at += commands.length;
    return { slot: slotOf(tags[i]!), commands: view, count };
  });
  for (const order of [batches, batches.toReversed()]) {
    const outcomes = await servers.send(order);
    const values = outcomes.map((outcome) =>
      textOf(outcome.error === undefined ? outcome.replies[1]! : null),
    );
    expect(values).toEqual(order === batches ? tags : tags.toReversed());
  }
  expect(servers.use().find(({ purpose }) => purpose === "write")).toMatchObject({
    connections: 3,
    inFlightBytes: 0,
  });
});

test("OOM: the batch is refused, retryably, its transaction undone, until memory is there again", async () => {
  const servers = await open(deployment);
  await send(servers, "a", ["SET x:{a} 1"]);
  await admin(server, "CONFIG", "SET", "maxmemory", "1");
  const transaction = ["MULTI", "DEL x:{a}", "SET y:{a} 1", "EXEC"];
  const refused = await send(servers, "a", transaction);
  expect(refused.error).toMatchObject({
    code: "STORE_UNAVAILABLE",
    fault: "out-of-memory",
    isRetryable: true,
    isInDoubt: false,
  });
  expect(refused.error?.message).toContain("OOM");
  const [read] = await servers.read([batch("a", "EXISTS x:{a}")]);
  expect(read).toMatchObject({ replies: [1] });
  await admin(server, "CONFIG", "SET", "maxmemory", "0");
  expect(await send(servers, "a", transaction)).toMatchObject({
    replies: ["OK", "QUEUED", "QUEUED", [1, "OK"]],
  });
});

test("OOM within a script is the server's state, not the script's error", async () => {
  const script = new Script("return redis.call('SET', KEYS[1], ARGV[1])");
  const servers = await open(deployment, {}, { scripts: [script] });
  await configure("maxmemory", "1");
  const outcome = await send(servers, "a", [`EVALSHA ${script.sha} 1 x:{a} 1`]);
  expect(outcome.error).toMatchObject({ fault: "out-of-memory" });
});

test("NOREPLICAS: refused until there are replicas enough", async () => {
  const servers = await open(deployment);
  await configure("min-replicas-to-write", "1");
  const outcome = await send(servers, "a", ["SET x:{a} 1"]);
  expect(outcome.error).toMatchObject({ fault: "too-few-replicas", isRetryable: true, isInDoubt: false });
});

test("MISCONF: a server that cannot save refuses writes, and answers reads", async () => {
  const directory = mkdtempSync(path.join(tmpdir(), "mon-redis-misconf-"));
  await using lost = await startDeployment("standalone", { directives: { dir: directory, save: "3600 1" } });
  const servers = await open(lost);
  rmSync(directory, { recursive: true });
  await admin(lost.servers[0]!, "BGSAVE");
  await until("a failed save", async () =>
    textOf(await admin(lost.servers[0]!, "INFO", "persistence")).includes("rdb_last_bgsave_status:err"),
  );
  const outcome = await send(servers, "a", ["SET x:{a} 1"]);
  expect(outcome.error).toMatchObject({ fault: "cannot-persist", isRetryable: true, isInDoubt: false });
  expect(await servers.read([batch("a", "EXISTS x:{a}")])).toMatchObject([{ replies: [0] }]);
  // Asked to end, it would refuse for what it cannot save.
  await lost.servers[0]!.kill();
});

test("READONLY: a primary that has become a replica takes no writes, and its name is looked up again", async () => {
  const servers = await open(deployment);
  const before = servers.incarnation(0);
  await admin(server, "REPLICAOF", "127.0.0.1", String(other.servers[0]!.port));
  const outcome = await send(servers, "a", ["SET x:{a} 1"]);
  await admin(server, "REPLICAOF", "NO", "ONE");
  expect(outcome.error).toMatchObject({ fault: "read-only", isRetryable: true, isInDoubt: false });
  await persist(servers, "a", ["SET x:{a} 1"]);
  expect(servers.incarnation(0)).toBeGreaterThan(before);
});

test("MASTERDOWN: a replica without its primary that may not serve old data answers nothing", async () => {
  const servers = await open(deployment);
  await configure("replica-serve-stale-data", "no");
  await admin(server, "REPLICAOF", "127.0.0.1", "1");
  const [outcome] = await servers.read([batch("a", "GET x:{a}")]);
  await admin(server, "REPLICAOF", "NO", "ONE");
  expect(outcome?.error).toMatchObject({ fault: "busy", isRetryable: true });
  expect(outcome?.error?.message).toContain("MASTERDOWN");
});

test("LOADING: a server that reads its data is waited for, and its breaker opens", async () => {
  const servers = await open(deployment, { breakerFailures: 2, breakerOpenMs: 50 });
  await admin(server, "DEBUG", "POPULATE", "1000", "key", "100");
  await configure("key-load-delay", "1000");
  const loaded = admin(server, "DEBUG", "RELOAD");
  await until("LOADING", async () => {
    const { error } = await send(servers, "a", ["SET x:{a} 1"]);
    return error?.message.includes("LOADING") ?? false;
  });
  const { error } = await send(servers, "a", ["SET x:{a} 1"]);
  expect(error).toMatchObject({ fault: "busy", isRetryable: true, isInDoubt: false });
  expect(await send(servers, "a", ["SET x:{a} 1"])).toMatchObject({ error: { fault: "broken-circuit" } });
  expect(servers.use().find(({ purpose }) => purpose === "write")?.breaker).not.toBe("closed");
  await loaded;
  await persist(servers, "a", ["SET x:{a} 1"]);
  expect(servers.use().find(({ purpose }) => purpose === "write")?.breaker).toBe("closed");
});

test("BUSY: a script that does not end blocks the server, until it is killed", async () => {
  const servers = await open(deployment);
  const running = admin(server, "EVAL", "while true do end", "0").catch((error: Error) => error.message);
  await until("BUSY", async () => {
    const { error } = await send(servers, "a", ["SET x:{a} 1"]);
    return error?.fault === "busy" && error.message.includes("BUSY") && error.isRetryable;
  });
  await admin(server, "SCRIPT", "KILL");
  await running;
  await persist(servers, "a", ["SET x:{a} 1"]);
});

test("NOSCRIPT: a server that has forgotten its scripts gets them again, and the rest of the batch stands", async () => {
  const script = new Script("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  const servers = await open(deployment, {}, { scripts: [script] });
  const lines = ["INCR y:{a}", `EVALSHA ${script.sha} 1 x:{a} 5`, "INCR y:{a}"];
  expect(await send(servers, "a", lines)).toMatchObject({ replies: [1, 5, 2] });
  await admin(server, "SCRIPT", "FLUSH");
  expect(await send(servers, "a", lines)).toMatchObject({ replies: [3, 10, 4] });
});

test("NOSCRIPT: a script that nobody gave is an error", async () => {
  const servers = await open(deployment, { redirectionsMax: 2 });
  const outcome = await send(servers, "a", [`EVALSHA ${new Script("return 1").sha} 0`]);
  expect(outcome.error).toMatchObject({ fault: "unexpected" });
});

test("a user without the rights is refused, retryably: reports are not thrown away for it", async () => {
  await admin(server, "ACL", "SETUSER", "reader", "on", ">s3cret", "~*", "+@all", "-@write");
  const servers = await open(deployment, { username: "reader", password: "s3cret" });
  const outcome = await send(servers, "a", ["SET x:{a} 1"]);
  expect(outcome.error).toMatchObject({ fault: "not-permitted", isRetryable: true, isInDoubt: false });
  await admin(server, "ACL", "DELUSER", "reader");
});

test("a cut connection: what was under way is in doubt, and the next link has another incarnation", async () => {
  const servers = await open(deployment);
  const slot = slotOf("a");
  const before = servers.incarnation(slot);
  expect(before).toBeGreaterThan(0);
  expect(await send(servers, "a", ["SET x:{a} 1"])).toMatchObject({ incarnation: before });
  let changes = 0;
  servers.on("changed", () => changes++);
  const pending = send(servers, "a", ["BLPOP nothing:{a} 0"]);
  await until("a blocked client", async () =>
    textOf(await admin(server, "INFO", "clients")).includes("blocked_clients:1"),
  );
  await admin(server, "CLIENT", "KILL", "TYPE", "normal");
  expect((await pending).error).toMatchObject({ fault: "cut", isRetryable: true, isInDoubt: true });
  expect(servers.incarnation(slot)).toBe(0);
  expect(await send(servers, "a", ["SET x:{a} 1"])).toMatchObject({
    error: { fault: "disconnected", isRetryable: true, isInDoubt: false },
  });
  await persist(servers, "a", ["SET x:{a} 1"]);
  expect(servers.incarnation(slot)).toBeGreaterThan(before);
  expect(changes).toBeGreaterThanOrEqual(2);
});

test("SIGSTOP: a server that hangs is cut off, its breaker opens, and closes when it goes on", async () => {
  const servers = await open(deployment, {
    commandTimeoutMs: 200,
    waitTimeoutMs: 100,
    connectTimeoutMs: 100,
    breakerFailures: 2,
    inFlightBytesMax: 1024,
  });
  const write = () => servers.use().find(({ purpose }) => purpose === "write")!;
  expect(write().breaker).toBe("closed");
  server.signal("SIGSTOP");
  const first = send(servers, "a", [`SET x:{a} ${"x".repeat(900)}`]);
  const second = send(servers, "a", [`SET y:{a} ${"x".repeat(900)}`]);
  expect((await second).error).toMatchObject({ fault: "congested", isRetryable: true, isInDoubt: false });
  expect((await first).error).toMatchObject({ fault: "cut", isInDoubt: true });
  await until("an open breaker", () => write().breaker === "open");
  server.signal("SIGCONT");
  await persist(servers, "a", ["SET x:{a} 1"]);
  expect(write()).toMatchObject({ breaker: "closed", inFlightBytes: 0 });
  expect(write().refused).toBeGreaterThan(0);
  expect(write().broken).toBeGreaterThan(1);
});

test("a password that was changed is named, not hidden behind a missing connection", async () => {
  await admin(server, "ACL", "SETUSER", "writer", "on", ">s3cret", "~*", "+@all");
  const servers = await open(deployment, { username: "writer", password: "s3cret" });
  await admin(server, "ACL", "DELUSER", "writer");
  await until("a refused login", async () =>
    /not connected .*WRONGPASS/.test((await send(servers, "a", ["SET x:{a} 1"])).error?.message ?? ""),
  );
  expect(servers.use()[0]?.failure).toContain("WRONGPASS");
});

test("a caller that gives up gets its outcome at once; nothing is sent when it had before", async () => {
  const servers = await open(deployment);
  const controller = new AbortController();
  const pending = servers.send([batch("a", "BLPOP nothing:{a} 0")], { signal: controller.signal });
  controller.abort(new Error("enough"));
  expect(await pending).toMatchObject([{ error: { fault: "aborted", isInDoubt: true } }]);
  expect(await servers.send([batch("a", "SET x:{a} 1")], { signal: controller.signal })).toMatchObject([
    { error: { fault: "aborted", isInDoubt: false } },
  ]);
});

test("more copies than there are servers is an error, and the data is in doubt", async () => {
  const servers = await open(deployment, { waitTimeoutMs: 20 });
  const outcome = await send(servers, "a", ["SET x:{a} 1"], { copies: 2 });
  expect(outcome.error).toMatchObject({ fault: "too-few-copies", isRetryable: true, isInDoubt: true });
  expect(outcome.error?.message).toContain("expected 2 copies within 20 ms, got 1");
});

test("closed servers say so", async () => {
  const servers = await open(deployment);
  await servers.close();
  await servers.close();
  expect((await send(servers, "a", ["SET x:{a} 1"])).error).toMatchObject({ code: "STORE_NOT_OPEN" });
  expect(servers.incarnation(1)).toBe(0);
});

test("a primary is called by itself, and every primary has a tag of its own", async () => {
  const servers = await open(deployment);
  const [primary] = servers.primaries();
  expect(primary?.slots).toEqual([[0, 16_383]]);
  const { commands, count } = encoded(`SET z:{${primary?.tag}} 1`, "DBSIZE");
  expect(await primary?.call(commands, count)).toEqual(["OK", 1]);
  expect(await servers.forEachPrimary(async ({ name }) => name)).toEqual(deployment.addresses);
});
