import { blockMs, type Fragment, fragmentFromSamples, Kind, type MetricStore, seriesKey } from "@mon/store";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type RedisDeployment, startDeployment } from "../../../tools/redis/deployment.ts";
import { RedisStore, type RedisStoreOptions } from "../src/index.ts";
import { HostBuckets } from "../src/keys/host-buckets.ts";
import { optionsOf } from "./support/servers.ts";

let deployment: RedisDeployment;
let redis: Redis;
let prefixes = 0;

beforeAll(async () => {
  deployment = await startDeployment("standalone");
  redis = new Redis({ port: deployment.servers[0]!.port });
}, 60_000);
afterAll(async () => {
  redis.disconnect();
  await deployment.stop();
});

async function open(options: RedisStoreOptions, now: () => number = Date.now): Promise<RedisStore> {
  const store = new RedisStore({ servers: optionsOf(deployment), now, options });
  await store.open();
  onTestFinished(() => store.close());
  return store;
}

function nextPrefix(): string {
  return `s${prefixes++}`;
}

function report(hostId: string, timestampMs: number, values: Record<string, number>): Fragment {
  const samples = Object.entries(values).map(([name, value]) => ({
    name,
    labels: [],
    kind: Kind.gauge,
    value,
    flags: 0,
  }));
  return fragmentFromSamples(hostId, timestampMs, samples);
}

async function stored(store: MetricStore, ...fragments: Fragment[]): Promise<void> {
  for (const fate of await store.write(fragments)) expect(fate).toMatchObject({ status: "stored" });
}

async function seriesOf(store: MetricStore, hostId: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { series } of store.series({ hostIds: [hostId] })) names.push(...series.map(seriesKey));
  return names;
}

async function samplesOf(store: MetricStore, hostId: string): Promise<number> {
  let samples = 0;
  for await (const { columns } of store.read({ hostId, startMs: 0, endMs: 8e15 }))
    for (const { timestampsMs } of columns) samples += timestampsMs.length;
  return samples;
}

it("writes to the keys that the documentation names", async () => {
  const prefix = nextPrefix();
  const store = await open({ prefix });
  const nowMs = Date.now();
  const fragment = report("web-1", nowMs, { a: 1 });
  await stored(store, fragment);
  const bucket = new HostBuckets("web-1", blockMs).startOf(nowMs);
  expect(
    (await redis.keys(`${prefix}:*`))
      .filter((key) => !/:(log|meta):/.test(key) && !key.includes(":hosts:index:"))
      .sort(),
  ).toEqual(
    [
      "hosts:{web-1}",
      "index:metrics:{web-1}",
      `metrics:{web-1}:${bucket}`,
      "series:{web-1}",
      "unpacked:{web-1}",
    ].map((key) => `${prefix}:${key}`),
  );
  const fields = await redis.hgetallBuffer(`${prefix}:metrics:{web-1}:${bucket}`);
  expect(Object.values(fields)).toEqual([Buffer.from(fragment.bytes)]);
  expect(await redis.zrange(`${prefix}:index:metrics:{web-1}`, "0", "-1", "WITHSCORES")).toEqual([
    `${bucket}`,
    `${bucket}`,
  ]);
});

it.each([blockMs, 1])(
  "lets data expire by its own time, and what is known of its host later, with buckets of %d ms (R18)",
  async (bucketMs) => {
    const prefix = nextPrefix();
    const dayMs = 86_400_000;
    const store = await open({ prefix, bucketMs, retentionMs: 2 * dayMs, hostRetentionMs: 5 * dayMs });
    const nowMs = Date.now();
    const old = nowMs - dayMs;
    await stored(store, report("h", nowMs, { a: 1 }), report("h", old, { a: 1 }));
    await stored(store, report("h", old + 1, { a: 1 }));
    const buckets = new HostBuckets("h", bucketMs);
    for (const instant of [nowMs, old, old + 1]) {
      const start = buckets.startOf(instant);
      expect(await redis.pexpiretime(`${prefix}:metrics:{h}:${start}`)).toBe(start + bucketMs + 2 * dayMs);
    }
    const newest = buckets.startOf(nowMs) + bucketMs;
    for (const key of ["hosts:{h}", "series:{h}", "index:metrics:{h}", "unpacked:{h}"]) {
      const expires = await redis.pexpiretime(`${prefix}:${key}`);
      expect(Math.abs(expires - newest - 5 * dayMs)).toBeLessThan(blockMs);
    }
  },
);

it("drops what is past retention from the index when it touches a bucket", async () => {
  const prefix = nextPrefix();
  const store = await open({ prefix, retentionMs: 2 * blockMs });
  const nowMs = Date.now();
  await redis.zadd(`${prefix}:index:metrics:{h}`, nowMs - 9 * blockMs, `${nowMs - 9 * blockMs}`);
  await stored(store, report("h", nowMs, { a: 1 }));
  expect(await redis.zcard(`${prefix}:index:metrics:{h}`)).toBe(1);
});

it("touches index and expiry of an open bucket once, of a closed one with each write (R14)", async () => {
  const prefix = nextPrefix();
  const store = await open({ prefix });
  const nowMs = Date.now();
  const bucket = new HostBuckets("h", blockMs).startOf(nowMs);
  const index = `${prefix}:index:metrics:{h}`;
  await stored(store, report("h", bucket, { a: 1 }), report("h", bucket - blockMs, { a: 1 }));
  await redis.del(index);
  await stored(store, report("h", bucket + 1, { a: 2 }), report("h", bucket - blockMs + 1, { a: 2 }));
  expect(await redis.zrange(index, "0", "-1")).toEqual([`${bucket - blockMs}`]);
});

it("finds data that was written with another bucketMs", async () => {
  const prefix = nextPrefix();
  const nowMs = Date.now();
  for (const bucketMs of [1, 60_000, blockMs]) {
    const store = await open({ prefix, bucketMs });
    await stored(store, ...[1, 2, 3].map((i) => report("h", nowMs - i * 1_000_000 - bucketMs, { a: i })));
  }
  expect(await samplesOf(await open({ prefix, bucketMs: 1 }), "h")).toBe(9);
  expect(await samplesOf(await open({ prefix }), "h")).toBe(9);
});

it("lets stores write to one host at once: each sees the series of the other, and no value goes back (R19)", async () => {
  const prefix = nextPrefix();
  const stores = [await open({ prefix }), await open({ prefix })];
  const nowMs = Date.now();
  await Promise.all(
    Array.from({ length: 100 }, (_, i) => {
      const own = i % 2;
      const instant = nowMs + ((i * 37) % 100);
      return stored(
        stores[own]!,
        report("h", instant, { shared: (i * 37) % 100, [`own_${own}_${i % 7}`]: i }),
      );
    }),
  );
  const [first, second] = await Promise.all(stores.map((store) => store.latest(["h"])));
  expect(first).toEqual(second);
  expect(first![0]!.lastSeenMs).toBe(nowMs + 99);
  expect(first![0]!.samples.find(({ name }) => name === "shared")).toMatchObject({
    value: 99,
    timestampMs: nowMs + 99,
  });
  expect(await seriesOf(stores[0]!, "h")).toHaveLength(15);
  expect(await seriesOf(stores[1]!, "h")).toHaveLength(15);
  expect(await samplesOf(stores[1]!, "h")).toBe(200);
});

it("writes a series anew that another store has trimmed", async () => {
  const prefix = nextPrefix();
  const [writer, trimmer] = [await open({ prefix }), await open({ prefix })];
  const nowMs = Date.now();
  await stored(writer, report("h", nowMs - 5 * blockMs, { a: 1 }), report("h", nowMs, { b: 1 }));
  expect(await trimmer.trim(nowMs - 2 * blockMs)).toMatchObject({ seriesRemoved: 1, hostsRemoved: 0 });
  expect(await seriesOf(writer, "h")).toEqual(["b"]);
  await stored(writer, report("h", nowMs + 1, { a: 2 }));
  expect(await seriesOf(trimmer, "h")).toEqual(["a", "b"]);
  await trimmer.trim(nowMs + blockMs * 30);
  expect(await trimmer.hosts({ limit: 10 })).toEqual([]);
  await stored(writer, report("h", nowMs + 31 * blockMs, { a: 3 }));
  expect((await trimmer.hosts({ limit: 10 })).map(({ hostId }) => hostId)).toEqual(["h"]);
  expect(await seriesOf(trimmer, "h")).toEqual(["a"]);
});

it("notices that all is lost, and says all of a host again with the next write", async () => {
  const prefix = nextPrefix();
  const store = await open({ prefix });
  const nowMs = Date.now();
  await stored(store, report("h", nowMs, { a: 1, b: 2 }));
  expect(await seriesOf(store, "h")).toEqual(["a", "b"]);
  const keys = await redis.keys(`${prefix}:*`);
  await redis.del(...keys);
  expect(await store.hosts({ limit: 10 })).toEqual([]);
  await stored(store, report("h", nowMs + 1, { a: 3, b: 4 }));
  expect(await seriesOf(store, "h")).toEqual(["a", "b"]);
  expect(await samplesOf(store, "h")).toBe(2);
  expect(await redis.zcard(`${prefix}:index:metrics:{h}`)).toBe(1);
});

it("bounds what a host says of ever new shapes, and loses no newest value", async () => {
  const prefix = nextPrefix();
  const store = await open({ prefix });
  const nowMs = Date.now();
  for (let i = 0; i < 300; i++) {
    // Each report lists another choice of some series.
    const names = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((bit) => ((i * 7 + 1) >> bit) & 1);
    await stored(store, report("h", nowMs + i, Object.fromEntries(names.map((name) => [`m${name}`, i]))));
  }
  const newest = new Map<string, number>();
  for (let i = 0; i < 300; i++)
    for (let bit = 0; bit < 10; bit++) if (((i * 7 + 1) >> bit) & 1) newest.set(`m${bit}`, i);
  await expect.poll(async () => (await redis.hlen(`${prefix}:hosts:{h}`)) / 2).toBeLessThan(100);
  const [latest] = await store.latest(["h"]);
  expect(new Map(latest!.samples.map(({ name, value }) => [name, value]))).toEqual(newest);
  await store.close();
  const [again] = await (await open({ prefix })).latest(["h"]);
  expect(again).toEqual(latest);
});

it("refuses host ids that could leave their place, and stores the rest", async () => {
  const store = await open({ prefix: nextPrefix() });
  const nowMs = Date.now();
  const hostile = ["", "a}:{b", "{}", "a b", "a\r\nFLUSHALL\r\n", "a:1", "ä", "x".repeat(129)];
  const fates = await store.write([...hostile, "good"].map((hostId) => report(hostId, nowMs, { a: 1 })));
  expect(fates.map(({ status }) => status)).toEqual([...hostile.map(() => "rejected"), "stored"]);
  expect((await store.hosts({ limit: 100 })).map(({ hostId }) => hostId)).toEqual(["good"]);
  for (const hostId of hostile) expect(await samplesOf(store, hostId)).toBe(0);
});

it("answers a damaged chunk with what is missing, and the rest", async () => {
  const prefix = nextPrefix();
  const store = await open({ prefix, retentionMs: Number.POSITIVE_INFINITY });
  const nowMs = Date.now() - 10 * blockMs;
  await stored(
    store,
    ...Array.from({ length: 200 }, (_, i) => report("h", nowMs + i, { a: i, b: Math.sin(i) })),
  );
  expect((await store.pack(Date.now())).blocks).toBeGreaterThan(0);
  await stored(store, report("h", nowMs + 1_000, { a: 1 }));
  const [key] = await redis.keys(`${prefix}:chunks:*`);
  const [field] = await redis.hkeysBuffer(key!);
  await redis.hset(key!, field!, "damaged");
  const slices = [];
  for await (const slice of store.read({ hostId: "h", startMs: 0, endMs: 8e15 })) slices.push(slice);
  expect(slices.flatMap(({ missing }) => missing)).not.toEqual([]);
  expect(slices.flatMap(({ columns }) => columns.map(({ values }) => [...values]))).toContainEqual([1]);
});

it("says that a server came back empty, and goes on (R27)", async () => {
  await using own = await startDeployment("standalone");
  const warnings: string[] = [];
  const store = new RedisStore({
    servers: optionsOf(own),
    now: Date.now,
    logger: { warn: (_facts, message) => warnings.push(message) },
  });
  await store.open();
  onTestFinished(() => store.close());
  const { storeId } = store;
  await stored(store, report("h", Date.now(), { a: 1 }));
  await own.servers[0]!.kill();
  const [refused] = await store.write([report("h", Date.now(), { a: 2 })]);
  expect(refused).toMatchObject({ status: "retry" });
  await own.servers[0]!.start();
  await expect.poll(async () => (await store.stats()).damage, { timeout: 10_000 }).toHaveLength(1);
  expect(warnings).toHaveLength(1);
  await stored(store, report("h", Date.now(), { a: 3 }));
  expect(await samplesOf(store, "h")).toBe(1);
  expect(await seriesOf(store, "h")).toEqual(["a"]);
  expect(store.storeId).toBe(storeId);
});
