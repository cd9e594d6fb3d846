import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type RedisDeployment, startDeployment } from "../../../tools/redis/deployment.ts";
import type { RedisServer } from "../../../tools/redis/redis-server.ts";
import { Script } from "../src/servers/script.ts";
import { slotOf } from "../src/servers/slot.ts";
import { StoreMarks } from "../src/servers/store-marks.ts";
import { admin, batch, encoded, open, persist, send, serverAt, textOf, until } from "./support/servers.ts";

let deployment: RedisDeployment;

beforeAll(async () => {
  deployment = await startDeployment("cluster", { downAfterMs: 1000 });
});

afterAll(async () => {
  await deployment?.stop();
});

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A slot on its way from one primary to another, step by step as an operator's tool does it. */
class Migration {
  readonly source: RedisServer;
  readonly target: RedisServer;
  readonly #slot: string;
  #targetId = "";
  readonly #primaries: readonly RedisServer[];

  constructor(
    slot: number,
    [source, target]: readonly [RedisServer, RedisServer],
    all: readonly RedisServer[],
  ) {
    this.#slot = String(slot);
    this.source = source;
    this.target = target;
    this.#primaries = all;
  }

  async begin(): Promise<void> {
    const sourceId = textOf(await admin(this.source, "CLUSTER", "MYID"));
    this.#targetId = textOf(await admin(this.target, "CLUSTER", "MYID"));
    await admin(this.target, "CLUSTER", "SETSLOT", this.#slot, "IMPORTING", sourceId);
    await admin(this.source, "CLUSTER", "SETSLOT", this.#slot, "MIGRATING", this.#targetId);
  }

  async move(key: string): Promise<void> {
    await admin(this.source, "MIGRATE", "127.0.0.1", String(this.target.port), key, "0", "5000");
  }

  async finish(): Promise<void> {
    const left = (await admin(this.source, "CLUSTER", "GETKEYSINSLOT", this.#slot, "100")) as Uint8Array[];
    for (const key of left) await this.move(textOf(key));
    for (const server of [this.target, this.source, ...this.#primaries])
      await admin(server, "CLUSTER", "SETSLOT", this.#slot, "NODE", this.#targetId);
  }
}

/** Servers that look at the topology only when there is an occasion, and a slot to be moved away from its primary. */
async function openWithMigration(tag: string, scripts: readonly Script[] = [], redirectionsMax = 8) {
  const servers = await open(deployment, { redirectionsMax, refreshIntervalMs: 3_600_000 }, { scripts });
  const slot = slotOf(tag);
  const primaries = servers.primaries();
  const source = primaries.find(({ slots }) => slots.some(([first, last]) => first <= slot && slot <= last))!;
  const target = primaries.find((primary) => primary !== source)!;
  const pair = [serverAt(deployment, source.address), serverAt(deployment, target.address)] as const;
  const all = primaries.map(({ address }) => serverAt(deployment, address));
  return { servers, slot, migration: new Migration(slot, pair, all) };
}

test("every slot's tag leads to it, as the cluster reckons", async () => {
  const servers = await open(deployment);
  expect(servers.deployment).toBe("cluster");
  const primaries = servers.primaries();
  expect(primaries).toHaveLength(3);
  for (const { tag, slots, address } of primaries) {
    expect(await admin(serverAt(deployment, address), "CLUSTER", "KEYSLOT", `x:{${tag}}`)).toBe(slots[0]![0]);
    const { commands, count } = encoded(`SET x:{${tag}} 1`);
    const primary = primaries.find((one) => one.tag === tag);
    expect(await primary?.call(commands, count)).toEqual(["OK"]);
  }
  for (const tag of ["web-1", "a.b_c", "123456789", "x"])
    expect(await admin(deployment.servers[0]!, "CLUSTER", "KEYSLOT", `monitor:metrics:{${tag}}:1`)).toBe(
      slotOf(tag),
    );
});

test("batches for all primaries go out at once and come back in order", async () => {
  const servers = await open(deployment);
  const tags = Array.from({ length: 300 }, (_, i) => `h${i}`);
  const outcomes = await servers.send(
    tags.map((tag) => batch(tag, `SET k:{${tag}} ${tag}`, `GET k:{${tag}}`)),
  );
  expect(outcomes.map((outcome) => outcome.error ?? textOf(outcome.replies[1]!))).toEqual(tags);
  expect(new Set(outcomes.map((outcome) => outcome.error ?? outcome.incarnation)).size).toBe(3);
});

test("every primary gets a mark of the same store, which goes where its slot goes", async () => {
  const [tag] = (await open(deployment)).primaries().map((primary) => primary.tag);
  const { servers, migration } = await openWithMigration(tag!);
  const deps = { servers, cluster: "", keyOf: (tag: string) => `monitor:meta:{${tag}}`, onEmptied: () => {} };
  const all = Array.from(
    { length: 3 },
    (_, i) => new StoreMarks({ ...deps, newStoreId: () => `store-${i}` }),
  );
  onTestFinished(() => {
    for (const marks of all) marks.close();
  });
  const reports = await Promise.all(all.map((marks) => marks.start()));
  const { store } = reports[0]!;
  expect(reports.map((report) => report.store)).toEqual([store, store, store]);
  for (const { address, tag } of servers.primaries())
    expect(textOf(await admin(serverAt(deployment, address), "GET", `monitor:meta:{${tag}}`))).toContain(
      store,
    );
  await migration.begin();
  await migration.finish();
  const source = `127.0.0.1:${migration.source.port}`;
  const firstTag = () => servers.primaries().find(({ name }) => name === source)?.tag;
  // Asking for what has moved leads to asking who serves what.
  await send(servers, tag!, [`SET x:{${tag}} 1`]);
  await until("the new topology", () => firstTag() !== tag);
  expect(await all[0]!.look()).toEqual({ store, emptied: [], marked: [source] });
});

test("copies are counted on the primary that has the slot", async () => {
  const servers = await open(deployment, { waitTimeoutMs: 200 });
  expect(await send(servers, "a", ["SET x:{a} 1"], { copies: 2 })).toMatchObject({
    replies: ["OK"],
    copies: 2,
  });
  expect(await send(servers, "a", ["SET x:{a} 1"], { copies: 3 })).toMatchObject({
    error: { fault: "too-few-copies", isInDoubt: true },
  });
});

test("replicas answer reads, and say how old they may be", async () => {
  const servers = await open(deployment);
  await send(servers, "a", ["SET x:{a} 7"], { copies: 2 });
  const [answer] = await servers.read([batch("a", "GET x:{a}")], { from: "replica" });
  expect(answer).toMatchObject({ replies: [bytesOf("7")] });
  expect(answer?.error === undefined && answer?.ageMs).toBeGreaterThanOrEqual(1000);
  // Three primaries with links for writes and for reads, and the replica that was asked.
  expect(new Set(servers.use().map(({ name }) => name)).size).toBe(4);
  expect(await servers.read([batch("a", "GET x:{a}")])).toMatchObject([{ ageMs: 0 }]);
});

test("ASK: what has left the slot's old server is done at the new one, the rest where it is", async () => {
  const { servers, migration } = await openWithMigration("ask");
  await send(servers, "ask", ["SET stays:{ask} 1", "SET moves:{ask} 1"]);
  await migration.begin();
  await migration.move("moves:{ask}");
  const lines = [
    "INCR stays:{ask}",
    "INCR moves:{ask}",
    "MULTI",
    "INCR moves:{ask}",
    "INCR moves:{ask}",
    "EXEC",
    "GET stays:{ask}",
  ];
  const outcome = await send(servers, "ask", lines, { copies: 2 });
  expect(outcome).toMatchObject({
    replies: [2, 2, "OK", "QUEUED", "QUEUED", [3, 4], bytesOf("2")],
    copies: 2,
    incarnation: 0,
  });
  // Nothing was made at the new server that the old one has yet, so that the rest can follow.
  await migration.finish();
  expect(await send(servers, "ask", ["GET stays:{ask}", "GET moves:{ask}"])).toMatchObject({
    replies: [bytesOf("2"), bytesOf("4")],
  });
});

test("MOVED: the batch is done at the slot's new server, the next goes there at once", async () => {
  const { servers, slot, migration } = await openWithMigration("moved");
  const before = await send(servers, "moved", ["SET x:{moved} 1"]);
  expect(before.error ?? before.incarnation).toBe(servers.incarnation(slot));
  await migration.begin();
  await migration.finish();
  expect(await send(servers, "moved", ["INCR x:{moved}", "INCR x:{moved}"], { copies: 2 })).toMatchObject({
    replies: [2, 3],
    copies: 2,
    incarnation: 0,
  });
  const after = await send(servers, "moved", ["INCR x:{moved}"]);
  expect(after).toMatchObject({ replies: [4], incarnation: servers.incarnation(slot) });
  expect(servers.incarnation(slot)).not.toBe(before.error ?? before.incarnation);
});

test("TRYAGAIN: a transaction over keys on both sides waits until the slot is whole again", async () => {
  const script = new Script("return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2])");
  const { servers, migration } = await openWithMigration("both", [script], 64);
  await send(servers, "both", ["SET a:{both} 1", "SET b:{both} 1"]);
  await migration.begin();
  await migration.move("a:{both}");
  const lines = [`EVALSHA ${script.sha} 2 a:{both} b:{both}`];
  const impatient = await open(deployment, { redirectionsMax: 2 }, { scripts: [script] });
  const refused = await send(impatient, "both", lines);
  expect(refused.error).toMatchObject({ fault: "unserved", isRetryable: true });
  expect(refused.error?.message).toContain("TRYAGAIN");
  const pending = send(servers, "both", lines);
  await migration.finish();
  expect(await pending).toMatchObject({ replies: [4] });
});

test("a slot that moves on and on under load: nothing acknowledged is lost, nothing done twice that may not be", async () => {
  const { servers, migration } = await openWithMigration("load", [], 16);
  const acknowledged: number[] = [];
  let isMoving = true;
  const writing = (async () => {
    for (let i = 0; isMoving; i++) {
      const lines = [`HSET h${i % 7}:{load} ${i} ${i}`, `ZADD z:{load} ${i} ${i}`];
      const { error } = await send(servers, "load", lines);
      if (error === undefined) acknowledged.push(i);
      else {
        expect(error).toMatchObject({ isRetryable: true });
        await delay(error.retryDelayMs);
      }
    }
  })();
  const back = new Migration(slotOf("load"), [migration.target, migration.source], [migration.source]);
  for (const one of [migration, back, migration, back]) {
    await one.begin();
    await one.finish();
  }
  isMoving = false;
  await writing;
  const fields = new Set<string>();
  for (let n = 0; n < 7; n++) {
    const outcome = await send(servers, "load", [`HKEYS h${n}:{load}`]);
    if (outcome.error !== undefined) throw outcome.error;
    for (const field of outcome.replies[0] as Uint8Array[]) fields.add(textOf(field));
  }
  expect(acknowledged.length).toBeGreaterThan(10);
  expect(acknowledged.filter((i) => !fields.has(String(i)))).toEqual([]);
});

test("CLUSTERDOWN: a slot that nobody serves is refused, and found again", async () => {
  const servers = await open(deployment);
  const slot = slotOf("down");
  await send(servers, "down", ["SET x:{down} 1"]);
  const [primary] = servers.primaries().filter(({ slots }) => slots.some(([a, b]) => a <= slot && slot <= b));
  const server = serverAt(deployment, primary!.address);
  await admin(server, "CLUSTER", "DELSLOTS", String(slot));
  onTestFinished(async () => {
    await admin(server, "CLUSTER", "ADDSLOTS", String(slot)).catch(() => {});
  });
  const outcome = await send(servers, "down", ["SET x:{down} 1"]);
  expect(outcome.error).toMatchObject({ fault: "unserved", isRetryable: true, isInDoubt: false });
  expect(outcome.error?.message).toContain("CLUSTERDOWN");
  await admin(server, "CLUSTER", "ADDSLOTS", String(slot));
  await persist(servers, "down", ["SET x:{down} 1"]);
});

test("SIGKILL of a primary: writers go on at its replica, and nothing with two copies is lost", async () => {
  const servers = await open(deployment);
  const { address, tag, slots } = servers.primaries()[0]!;
  const other = servers.primaries()[1]!;
  const before = servers.incarnation(slots[0]![0]);
  const acknowledged: string[] = [];
  let isDead = false;
  const writing = (async () => {
    for (let i = 0; !isDead; i++) {
      const { error } = await send(servers, tag, [`SET k${i}:{${tag}} 1`], { copies: 2 });
      if (error === undefined) acknowledged.push(`k${i}:{${tag}}`);
      else await delay(error.retryDelayMs);
    }
  })();
  await until("some writes", () => acknowledged.length > 50);
  await serverAt(deployment, address).kill();
  isDead = true;
  await writing;
  expect(await send(servers, other.tag, [`SET x:{${other.tag}} 1`])).toMatchObject({ replies: ["OK"] });
  await persist(servers, tag, [`SET last:{${tag}} 1`]);
  expect(servers.incarnation(slots[0]![0])).toBeGreaterThan(before);
  expect(await send(servers, tag, [`EXISTS ${acknowledged.join(" ")}`])).toMatchObject({
    replies: [acknowledged.length],
  });
  expect(servers.primaries().map(({ name }) => name)).not.toContain(`127.0.0.1:${address.port}`);
});
