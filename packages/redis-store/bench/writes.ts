import { createConnection } from "node:net";
import type { Fragment } from "@mon/store";
import { Redis } from "ioredis";
import type { RedisDeployment } from "../../../tools/redis/deployment.ts";
import { RedisStore } from "../src/index.ts";
import type { SlotBatch } from "../src/servers/servers.ts";
import { ReplyParser } from "../src/wire/reply-parser.ts";
import { Corpus } from "./corpus.ts";
import { type Cost, measure, table } from "./measure.ts";

const reportsPerFlush = 500;
const flushesAtOnce = 2;
const hosts = 5_000;
const catchUpReports = 10;

/** What is written in one flush, as the n-th of a load. */
type Load = (corpus: Corpus, flush: number) => Fragment[];

const loads: Readonly<Record<string, Load>> = {
  live: (corpus, flush) => {
    const perRound = hosts / reportsPerFlush;
    return corpus.round(Math.floor(flush / perRound), (flush % perRound) * reportsPerFlush, reportsPerFlush);
  },
  "catch-up": (corpus, flush) => {
    const hostsPerFlush = reportsPerFlush / catchUpReports;
    const perRound = hosts / hostsPerFlush;
    const round = Math.floor(flush / perRound) * catchUpReports;
    return corpus.catchUp(round, catchUpReports, (flush % perRound) * hostsPerFlush, hostsPerFlush);
  },
};

/** Writes by the store, the same commands as bytes made before, and what one would write with ioredis. */
export async function benchWrites(deployment: RedisDeployment, flushes: number): Promise<string> {
  const rows: string[][] = [];
  const { pid } = deployment.servers[0]!;
  for (const [name, load] of Object.entries(loads)) {
    await flushAll(deployment);
    const startMs = Date.now() - 600_000;
    const corpus = new Corpus(hosts, 20, startMs);
    const url = `redis://${deployment.addresses[0]!}`;
    await using store = new RedisStore({ servers: { url }, now: Date.now });
    await store.open();
    const prepared = (from: number): Fragment[][] =>
      Array.from({ length: flushes }, (_, i) => load(corpus, from + i));
    const warm = Math.max(flushes, 100);
    await inParallel(warm, async (i) => checked(await store.write(load(corpus, i))));

    const recorded = await record(store, prepared(warm));
    const floor = await measure(pid, () => replay(url, recorded));
    const own = prepared(warm + flushes);
    const ours = await measure(pid, () =>
      inParallel(flushes, async (i) => checked(await store.write(own[i]!))),
    );
    const theirs = prepared(warm + 2 * flushes);
    await using redis = disposable(new Redis(url, { enableAutoPipelining: false }));
    const rival = await measure(pid, () => inParallel(flushes, (i) => pipelines(redis.redis, theirs[i]!)));
    const reports = flushes * reportsPerFlush;
    const rate = (cost: Cost): number => reports / cost.seconds;
    for (const [label, cost] of [
      ["floor: the same commands, encoded before", floor],
      ["RedisStore", ours],
      ["ioredis, a key for each instant", rival],
    ] as const) {
      rows.push([
        `${name}: ${label}`,
        Math.round(rate(cost)).toLocaleString("en"),
        (cost.clientCpuUs / reports).toFixed(1),
        (cost.serverCpuUs / reports).toFixed(1),
        (rate(cost) / rate(floor)).toFixed(2),
        (rate(cost) / rate(rival)).toFixed(2),
      ]);
    }
  }
  return table(
    ["writes, 500 a flush, two at once", "reports/s", "client µs", "server µs", "of floor", "of ioredis"],
    rows,
  );
}

/** The commands of flushes, which nobody receives. */
async function record(store: RedisStore, flushes: readonly Fragment[][]): Promise<SlotBatch[]> {
  const servers = store.servers!;
  const { send } = servers;
  const batches: SlotBatch[] = [];
  servers.send = async (given) => {
    batches.push(...given);
    return given.map(({ slot, count }) => ({
      replies: new Array(count).fill(0),
      copies: 1,
      incarnation: servers.incarnation(slot),
    }));
  };
  for (const flush of flushes) checked(await store.write(flush));
  servers.send = send;
  return batches;
}

/** Sends bytes and counts replies, as many batches at once as the store has. */
async function replay(url: string, batches: readonly SlotBatch[]): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
  await new Promise((resolve) => socket.once("connect", resolve));
  const parser = new ReplyParser({ bulkBytesMax: 1 << 20, elementsMax: 1_000 });
  await new Promise<void>((resolve) => {
    let sent = 0;
    let left = 0;
    let answered = 0;
    const ends: number[] = [];
    const next = (): void => {
      if (sent === batches.length) return;
      const batch = batches[sent++]!;
      left += batch.count;
      ends.push(left);
      socket.write(batch.commands);
    };
    socket.on("data", (piece: Buffer) => {
      parser.push(piece, () => {
        answered++;
        if (answered < ends[0]!) return;
        ends.shift();
        if (ends.length === 0 && sent === batches.length) resolve();
        else next();
      });
    });
    for (let i = 0; i < flushesAtOnce; i++) next();
  });
  socket.destroy();
}

/** The plain layout: a hash for each instant with its index and expiries, in pipelines of 100 reports. */
async function pipelines(redis: Redis, fragments: readonly Fragment[]): Promise<void> {
  for (let begin = 0; begin < fragments.length; begin += 100) {
    const pipeline = redis.pipeline();
    for (const { hostId, timestampMs, bytes } of fragments.slice(begin, begin + 100)) {
      const key = `plain:metrics:{${hostId}}:${timestampMs}`;
      pipeline.hset(key, "r", Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      pipeline.pexpireat(key, timestampMs + 604_800_000);
      pipeline.zadd(`plain:index:{${hostId}}`, timestampMs, timestampMs);
      pipeline.hset(`plain:hosts:{${hostId}}`, "last_seen", timestampMs);
    }
    for (const [error] of (await pipeline.exec())!) if (error !== null) throw error;
  }
}

async function inParallel(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: flushesAtOnce }, lane));
}

function checked(fates: readonly { readonly status: string }[]): void {
  for (const { status } of fates) if (status !== "stored") throw new Error(`expected stored, got ${status}`);
}

async function flushAll(deployment: RedisDeployment): Promise<void> {
  await using connection = disposable(new Redis(`redis://${deployment.addresses[0]!}`));
  await connection.redis.flushall("SYNC");
}

function disposable(redis: Redis): AsyncDisposable & { readonly redis: Redis } {
  return { redis, [Symbol.asyncDispose]: async () => redis.disconnect() };
}
