import { blockMs } from "@mon/store";
import { Redis } from "ioredis";
import type { RedisDeployment } from "../../../tools/redis/deployment.ts";
import { RedisStore } from "../src/index.ts";
import { Corpus, intervalMs } from "./corpus.ts";
import { table } from "./measure.ts";

const hosts = 10;
const hours = 6;

/** Bytes that a report takes at rest, in the store's layouts and in the plain one. */
export async function benchMemory(deployment: RedisDeployment): Promise<string> {
  const url = `redis://${deployment.addresses[0]!}`;
  const redis = new Redis(url);
  const usedBytes = async (): Promise<number> =>
    Number(/^used_memory:(\d+)/m.exec(await redis.info("memory"))![1]);
  const rows: string[][] = [];
  try {
    for (const metrics of [10, 100]) {
      for (const bucketMs of [blockMs, 1]) {
        const endMs = Date.now() - 2 * blockMs;
        const corpus = new Corpus(hosts, metrics, endMs - hours * blockMs);
        // A store for each step: buffers of connections count as used memory too.
        const withStore = async (work: (store: RedisStore) => Promise<unknown>): Promise<number> => {
          const store = new RedisStore({ servers: { url }, now: Date.now, options: { bucketMs } });
          await store.open();
          await work(store);
          await store.close();
          return usedBytes();
        };
        const rounds = (hours * blockMs) / intervalMs;
        const reports = rounds * hosts;
        // Scripts and what the allocator keeps are no data.
        await withStore((store) => store.write(corpus.catchUp(0, 50, 0, hosts)));
        await redis.flushall("SYNC");
        const before = await usedBytes();
        const plain = await withStore(async (store) => {
          for (let round = 0; round < rounds; round += 50) {
            const fates = await store.write(corpus.catchUp(round, Math.min(50, rounds - round), 0, hosts));
            for (const { status } of fates)
              if (status !== "stored") throw new Error(`expected stored, got ${status}`);
          }
        });
        const packed = await withStore((store) => store.pack(Date.now()));
        const each = (bytes: number): string => ((bytes - before) / reports).toFixed(1);
        rows.push([
          `${metrics} metrics, bucketMs ${bucketMs}`,
          String(corpus.reportBytes),
          each(plain),
          each(packed),
        ]);
      }
    }
  } finally {
    redis.disconnect();
  }
  return table(["bytes a report, 10 hosts, 6 hours, every 10 s", "on the wire", "plain", "packed"], rows);
}
