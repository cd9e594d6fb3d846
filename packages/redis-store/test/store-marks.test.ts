import { fragmentFromSamples, Kind } from "@mon/store";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { type RedisDeployment, startDeployment } from "../../../tools/redis/deployment.ts";
import { RedisStore } from "../src/index.ts";
import type { Servers } from "../src/servers/servers.ts";
import { StoreMarks, type StoreMarksDeps, type StoreMarksReport } from "../src/servers/store-marks.ts";
import { admin, open, persist, textOf, until } from "./support/servers.ts";

let deployment: RedisDeployment;
let ids = 0;

beforeAll(async () => {
  deployment = await startDeployment("standalone");
});

beforeEach(async () => {
  await admin(deployment.servers[0]!, "FLUSHALL");
});

afterAll(async () => {
  await deployment?.stop();
});

function marksOn(servers: Servers, deps: Partial<StoreMarksDeps> = {}): StoreMarks {
  const marks = new StoreMarks({
    servers,
    keyOf: (tag) => `monitor:meta:{${tag}}`,
    newStoreId: () => `store-${ids++}`,
    cluster: "",
    onEmptied: () => {},
    ...deps,
  });
  onTestFinished(() => marks.close());
  return marks;
}

test("the first to come marks the servers, those who come later find the same store", async () => {
  const servers = await open(deployment);
  const [first, second] = await Promise.all([marksOn(servers).start(), marksOn(servers).start()]);
  expect(first.store).toBe(second.store);
  expect(first).toMatchObject({ emptied: [], marked: deployment.addresses });
  expect(await marksOn(servers).start()).toEqual({ store: first.store, emptied: [], marked: [] });
  const { tag } = servers.primaries()[0]!;
  expect(JSON.parse(textOf(await admin(deployment.servers[0]!, "GET", `monitor:meta:{${tag}}`)))).toEqual({
    version: 1,
    cluster: "",
    store: first.store,
    mark: expect.any(String),
  });
});

test("a server that came back empty is named to each who had marked it, whoever marks it again first", async () => {
  const servers = await open(deployment);
  const both = [marksOn(servers), marksOn(servers)];
  for (const marks of both) await marks.start();
  await admin(deployment.servers[0]!, "FLUSHALL");
  for (const marks of both) expect((await marks.look()).emptied).toEqual(deployment.addresses);
  for (const marks of both) expect((await marks.look()).emptied).toEqual([]);
});

test("a server that was killed and came back empty is named", async () => {
  const servers = await open(deployment);
  const { promise, resolve } = Promise.withResolvers<StoreMarksReport>();
  const marks = marksOn(servers, { onEmptied: resolve });
  const { store } = await marks.start();
  const [server] = deployment.servers;
  await server!.kill();
  await server!.start();
  await persist(servers, "a", ["SET x:{a} 1"]);
  expect(await promise).toEqual({ store, emptied: deployment.addresses, marked: deployment.addresses });
  expect(await marks.look()).toEqual({ store, emptied: [], marked: [] });
});

test("a server whose connections were cut and that has its data is not", async () => {
  const servers = await open(deployment);
  const reports: StoreMarksReport[] = [];
  const marks = marksOn(servers, { onEmptied: (report) => reports.push(report) });
  const { store } = await marks.start();
  await admin(deployment.servers[0]!, "CLIENT", "KILL", "TYPE", "normal");
  await persist(servers, "a", ["SET x:{a} 1"]);
  expect(await marks.look()).toEqual({ store, emptied: [], marked: [] });
  expect(reports).toEqual([]);
});

test("a newer version, another cluster's store and what is no mark are refused", async () => {
  const servers = await open(deployment);
  const { tag } = servers.primaries()[0]!;
  const key = `monitor:meta:{${tag}}`;
  for (const [value, code, message] of [
    ['{"version":2,"cluster":"","store":"x"}', "STORE_VERSION_UNKNOWN", "got 2"],
    ['{"version":1,"cluster":"theirs","store":"x"}', "STORE_UNUSABLE", "cluster ours, got theirs"],
    ["nonsense", "STORE_CORRUPT", 'got "nonsense"'],
  ] as const) {
    await admin(deployment.servers[0]!, "SET", key, value);
    const error = await marksOn(servers, { cluster: "ours" })
      .start()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain(message);
  }
});

test("a store has its name from the servers, tells when they are emptied, and belongs to one cluster", async () => {
  const servers = { url: `redis://${deployment.addresses[0]}` };
  const { promise, resolve } = Promise.withResolvers<StoreMarksReport>();
  await using store = new RedisStore({ servers, now: Date.now, cluster: "ours", onEmptied: resolve });
  expect(store.storeId).toBeUndefined();
  await store.open();
  await using other = new RedisStore({ servers, now: Date.now });
  await other.open();
  expect(store.storeId).toMatch(/^[0-9a-f]{16}$/);
  expect(other.storeId).toBe(store.storeId);
  const theirs = new RedisStore({ servers, now: Date.now, cluster: "theirs" });
  await expect(theirs.open()).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
  const fragment = fragmentFromSamples("web-1", Date.now(), [
    { name: "up", labels: [], value: 1, kind: Kind.gauge, flags: 0 },
  ]);
  expect(await store.write([fragment])).toMatchObject([{ status: "stored" }]);
  await deployment.servers[0]!.kill();
  await deployment.servers[0]!.start();
  expect(await promise).toMatchObject({ emptied: deployment.addresses });
  await until("the report to be stored", async () => (await store.write([fragment]))[0]?.status === "stored");
  // What was known of the host is there again, too.
  expect((await store.hosts({ limit: 10 })).map(({ hostId }) => hostId)).toEqual(["web-1"]);
  expect(await store.latest(["web-1"])).toHaveLength(1);
});
