import { setTimeout } from "node:timers/promises";
import { LevelStore } from "@mon/level-store";
import { Level } from "level";
import { type Corpus, type Cost, inDirectory, measure } from "./corpus.ts";

/** One way to make reports durable, in batches of one size. */
export interface WriteCase {
  readonly name: string;
  readonly reports: number;
  /** @returns what it took until all was durable, and all that came of it later */
  run(parent: string): Promise<{ accepted: Cost; total: Cost }>;
}

const encodings = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;

async function withLevel<T>(parent: string, work: (level: Level<Buffer, Buffer>) => Promise<T>): Promise<T> {
  return inDirectory(parent, async (directory) => {
    const level = new Level<Buffer, Buffer>(directory, { ...encodings, writeBufferSize: 16 << 20 } as never);
    await level.open();
    try {
      return await work(level);
    } finally {
      await level.close();
    }
  });
}

/** Raw LevelDB, one put a report. */
export function rawPuts(corpus: Corpus, batch: number, reports: number): WriteCase {
  return {
    name: `write-${batch}/raw-level-put-a-report`,
    reports,
    run: (parent) =>
      withLevel(parent, async (level) => {
        const accepted = await measure(async () => {
          for (let n = 0; n < reports; n += batch) {
            const operations = corpus.reports(n, batch).map(({ hostId, timestampMs, bytes }, i) => {
              const key = Buffer.allocUnsafe(26 + hostId.length);
              key[0] = 0x66;
              key.writeBigUInt64BE(BigInt(timestampMs), 1);
              key.write(hostId, 9, "latin1");
              key.fill(0, 9 + hostId.length);
              key.writeUInt32BE(n + i, key.length - 4);
              return { type: "put" as const, key, value: bytes as Buffer };
            });
            await level.batch(operations, { sync: true } as never);
          }
        });
        return { accepted, total: accepted };
      }),
  };
}

/** Raw LevelDB, one value a batch: all its reports back to back. */
export function rawValues(corpus: Corpus, batch: number, reports: number): WriteCase {
  return {
    name: `write-${batch}/raw-level-value-a-batch`,
    reports,
    run: (parent) =>
      withLevel(parent, async (level) => {
        const accepted = await measure(async () => {
          for (let n = 0; n < reports; n += batch) {
            const key = Buffer.alloc(9);
            key.writeBigUInt64BE(BigInt(n), 1);
            const value = Buffer.concat(corpus.reports(n, batch).map(({ bytes }) => bytes));
            await level.batch([{ type: "put", key, value }], { sync: true } as never);
          }
        });
        return { accepted, total: accepted };
      }),
  };
}

/** Reports that fill the journal twice. */
const warmUp = 150_000;

async function closedSettled(store: LevelStore): Promise<void> {
  while ((await store.stats()).generations > 1) await setTimeout(10);
}

/**
 * The store: accepted when the journal has it, and in total with the chunks that closed generations become. Before and
 * after, a generation is filled in part.
 */
export function storeWrites(corpus: Corpus, batch: number, reports: number): WriteCase {
  return {
    name: `write-${batch}/store`,
    reports,
    run: (parent) =>
      inDirectory(parent, async (directory) => {
        await using store = new LevelStore({ directory, now: Date.now });
        await store.open();
        // As it is after an hour: series are known, the worker has begun, and the journal's files are used again.
        for (let n = 0; n < warmUp; n += 500) await store.write(corpus.reports(n - warmUp, 500));
        await closedSettled(store);
        let accepted: Cost | undefined;
        const total = await measure(async () => {
          accepted = await measure(async () => {
            for (let n = 0; n < reports; n += batch) await store.write(corpus.reports(n, batch));
          });
          await closedSettled(store);
        });
        return { accepted: accepted!, total };
      }),
  };
}
