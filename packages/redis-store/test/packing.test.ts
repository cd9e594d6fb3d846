import { blockMs, blockStart, type Fragment, fragmentFromSamples, Kind } from "@mon/store";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RedisDeployment, startDeployment } from "../../../tools/redis/deployment.ts";
import { RedisStore } from "../src/index.ts";
import { HostBuckets } from "../src/keys/host-buckets.ts";
import { KeySpace } from "../src/keys/key-space.ts";
import { readHost } from "../src/read/host-reader.ts";
import { Mirror } from "../src/read/mirror.ts";
import { Packer } from "../src/upkeep/packer.ts";
import { Gate } from "./support/gated-servers.ts";
import { createRandom } from "./support/random.ts";
import { optionsOf } from "./support/servers.ts";

const hostId = "web-1";
const start = blockStart(hostId, 1_767_225_600_000);
const closedMs = start + 2 * blockMs;
const everything = { hostId, startMs: 0, endMs: closedMs };
const seed = Number(process.env.SEED ?? 1);
const runs = process.env.MON_TEST === "full" ? 5_000 : 40;

let deployment: RedisDeployment;
let prefixes = 0;

beforeAll(async () => {
  deployment = await startDeployment("standalone");
}, 60_000);
afterAll(async () => {
  await deployment.stop();
});

async function openStore(options: { bucketMs?: number; prefix?: string } = {}): Promise<RedisStore> {
  const prefix = options.prefix ?? `p${prefixes++}`;
  const store = new RedisStore({
    servers: optionsOf(deployment),
    now: Date.now,
    options: { ...options, prefix, retentionMs: Number.POSITIVE_INFINITY },
  });
  await store.open();
  return store;
}

function report(offset: number, value: number, name = "a"): Fragment {
  const sample = { name, labels: [], kind: Kind.gauge, value, flags: 0 };
  return fragmentFromSamples(hostId, start + offset, [sample]);
}

/** Values by instant and name, as a read has them. */
async function contents(read: ReturnType<typeof readHost>): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for await (const { columns, missing } of read) {
    expect(missing).toEqual([]);
    for (const { series, timestampsMs, values } of columns) {
      for (const [i, timestampMs] of timestampsMs.entries())
        found.set(`${series.name}@${timestampMs - start}`, values[i]!);
    }
  }
  return found;
}

function put(known: Map<string, number>, { timestampMs }: Fragment, value: number): void {
  const key = `a@${timestampMs - start}`;
  known.set(key, Math.max(value, known.get(key) ?? Number.NEGATIVE_INFINITY));
}

/** Whether an answer has all that was acknowledged before it was asked, and nothing that nobody wrote. */
function expectWhole(
  answer: Map<string, number>,
  atLeast: ReadonlyMap<string, number>,
  written: ReadonlyMap<string, number>,
): void {
  for (const [key, value] of atLeast) expect(answer.get(key), key).toBeGreaterThanOrEqual(value);
  for (const [key, value] of answer) expect(value, key).toBeLessThanOrEqual(written.get(key)!);
}

it.each([3_600_000, 1])(
  "loses nothing in any order of two packers, late writers, a reader and crashes, with buckets of %d ms (R13, R15)",
  async (bucketMs) => {
    const keys = (prefix: string): KeySpace => new KeySpace(prefix);
    for (let run = 0; run < runs; run++) {
      const random = createRandom(seed + run);
      const choose = (count: number): number => Math.floor(random() * count);
      const prefix = `m${prefixes++}`;
      await using store = await openStore({ bucketMs, prefix });
      const servers = store.servers!;
      const early = Array.from({ length: 70 }, (_, i) => report(i * 1_000, i));
      const acknowledged = new Map<string, number>();
      for (const [i, fragment] of early.entries()) put(acknowledged, fragment, i);
      await store.write(early);
      if (choose(2) === 0) await store.pack(closedMs);
      const late = Array.from({ length: 66 }, (_, i) => ({ offset: choose(100) * 500, value: 1_000 + i }));
      const written = new Map(acknowledged);
      for (const { offset, value } of late) put(written, report(offset, value), value);

      const gate = new Gate();
      const packers = [0, 1].map((actor) => {
        const gated = gate.for(actor, servers);
        const deps = {
          servers: gated,
          keys: keys(prefix),
          now: Date.now,
          retentionMs: () => Number.POSITIVE_INFINITY,
          owns: () => true,
        };
        const mirror = new Mirror(gated, keys(prefix), {});
        return new Packer({ ...deps, mirror })
          .pack(closedMs)
          .then(() => new Packer({ ...deps, mirror }).pack(closedMs));
      });
      const writer = (async () => {
        const gated = gate.for(2, servers);
        for (let begin = 0; begin < late.length; begin += 33) {
          const page = late.slice(begin, begin + 33).map(({ offset, value }) => report(offset, value));
          // One step each: the store's own writer has its links, so the gate is passed by an empty read.
          await gated.read([]);
          await store.write(page);
          for (const [i, fragment] of page.entries()) put(acknowledged, fragment, late[begin + i]!.value);
        }
      })();
      const reader = (async () => {
        const gated = gate.for(3, servers);
        for (let i = 0; i < 3; i++) {
          const before = new Map(acknowledged);
          expectWhole(
            await contents(readHost({ servers: gated, keys: keys(prefix) }, everything)),
            before,
            written,
          );
        }
      })();
      const crashes = new Map(
        [0, 1].flatMap((actor) => (choose(3) === 0 ? [[actor, choose(12)] as const] : [])),
      );
      const actors = [...packers, writer, reader];
      try {
        await gate.run(actors, choose, crashes);
        await Promise.all([writer, reader, ...packers.filter((_, actor) => !crashes.has(actor))]);
        expect(await contents(store.read(everything))).toEqual(written);
        await store.pack(closedMs);
        expect(await contents(store.read(everything))).toEqual(written);
      } catch (cause) {
        throw new Error(`with seed ${seed + run}`, { cause });
      }
    }
  },
  600_000,
);

it("packs a block into one chunk, and packs it again at 64 late fragments or an hour after the last (R17)", async () => {
  let nowMs = Date.now();
  await using store = new RedisStore({
    servers: optionsOf(deployment),
    now: () => nowMs,
    options: { prefix: `p${prefixes++}`, retentionMs: Number.POSITIVE_INFINITY },
  });
  await store.open();
  await store.write(Array.from({ length: 360 }, (_, i) => report(i * 10_000, Math.sqrt(i))));
  const packed = await store.pack(closedMs);
  expect(packed.blocks).toBe(1);
  expect(packed.bytesAfter).toBeLessThan(packed.bytesBefore / 2);
  expect(await store.pack(closedMs)).toEqual({ blocks: 0, bytesBefore: 0, bytesAfter: 0 });
  await store.write([report(5, 1)]);
  expect((await store.pack(closedMs)).blocks).toBe(0);
  nowMs += 3_599_999;
  expect((await store.pack(closedMs)).blocks).toBe(0);
  nowMs += 1;
  expect((await store.pack(closedMs)).blocks).toBe(1);
  await store.write(Array.from({ length: 64 }, (_, i) => report(i * 10 + 7, i)));
  expect((await store.pack(closedMs)).blocks).toBe(1);
  expect((await contents(store.read(everything))).size).toBe(360 + 1 + 64);
});

it("leaves a block that is not over alone", async () => {
  await using store = await openStore();
  await store.write(Array.from({ length: 100 }, (_, i) => report(i * 10_000, i)));
  expect((await store.pack(start + blockMs - 1)).blocks).toBe(0);
  expect((await store.pack(start + blockMs)).blocks).toBe(1);
});

it("deletes nothing on a server that does not have the chunk (R13)", async () => {
  const prefix = `p${prefixes++}`;
  await using store = await openStore({ prefix });
  const keys = new KeySpace(prefix);
  const servers = store.servers!;
  const fragments = Array.from({ length: 100 }, (_, i) => report(i * 10_000, i));
  await store.write(fragments);
  // The chunk is lost between the two steps, as when a replica that never had it took over.
  const losing = new Proxy(servers, {
    get: (target, name) => {
      if (name !== "send") {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      }
      return (...args: Parameters<typeof servers.send>) => {
        const text = Buffer.from(args[0][0]!.commands).toString("latin1");
        if (!text.includes("MULTI")) return target.send(...args);
        return Promise.resolve([{ replies: ["OK"], copies: 1, incarnation: 1 }]);
      };
    },
  });
  const mirror = new Mirror(losing, keys, {});
  const retentionMs = (): number => Number.POSITIVE_INFINITY;
  const packer = new Packer({ servers: losing, keys, mirror, now: Date.now, retentionMs, owns: () => true });
  expect((await packer.pack(closedMs)).blocks).toBe(0);
  expect((await contents(store.read(everything))).size).toBe(100);
  expect(new HostBuckets(hostId, blockMs).startOf(start)).toBe(start);
});
