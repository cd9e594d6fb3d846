import { LevelStore } from "@mon/level-store";
import { blockMs, ColumnBuilder, type SeriesColumn } from "@mon/store";
import { Level } from "level";
import { type Corpus, inDirectory, intervalMs, startMs } from "./corpus.ts";

const dayMs = 24 * blockMs;
const instants = dayMs / intervalMs;

/** How fast something is read. */
export interface ReadResult {
  readonly name: string;
  readonly perSecond: number;
  readonly unit: string;
}

/** Runs `work` so many times and tells the rate of the median. */
async function rateOf(rounds: number, things: number, work: () => Promise<void>): Promise<number> {
  const rates: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const begin = performance.now();
    await work();
    rates.push((1_000 * things) / (performance.now() - begin));
  }
  return rates.sort((a, b) => a - b)[Math.floor(rounds / 2)]!;
}

/** A day of one host, from the journal's memory, from chunks as they are made, and packed; and from fragments in LevelDB. */
export async function dayReads(corpus: Corpus, parent: string, rounds: number): Promise<ReadResult[]> {
  const hostId = corpus.hosts[0]!;
  const range = { startMs, endMs: startMs + dayMs - 1 };
  const samples = 20 * instants;
  const results: ReadResult[] = [];
  await inDirectory(parent, async (directory) => {
    await using store = new LevelStore({ directory, now: Date.now });
    await store.open();
    for (let n = 0; n < instants; n += 500) {
      const count = Math.min(500, instants - n);
      const reports = Array.from({ length: count }, (_, i) =>
        corpus.reportOf(hostId, startMs + (n + i) * intervalMs, n + i),
      );
      await store.write(reports);
    }
    const read = async (): Promise<void> => {
      let found = 0;
      for await (const { columns } of store.read({ hostId, ...range })) found += countOf(columns);
      if (found !== samples) throw new Error(`expected ${samples} samples, got ${found}`);
    };
    const add = async (name: string): Promise<void> => {
      results.push({ name, perSecond: await rateOf(rounds, samples, read), unit: "samples/s" });
    };
    await add("read-day/memory");
    await store.trim(startMs + 1);
    await add("read-day/chunks");
    await store.pack(startMs + 10 * dayMs);
    await add("read-day/packed-chunks");
  });
  await inDirectory(parent, async (directory) => {
    const level = new Level<number, Uint8Array>(directory, { keyEncoding: "json", valueEncoding: "view" });
    const batch = Array.from({ length: instants }, (_, n) => ({
      type: "put" as const,
      key: startMs + n * intervalMs,
      value: corpus.reportOf(hostId, 0, n).bytes,
    }));
    await level.batch(batch);
    const read = async (): Promise<void> => {
      const builder = new ColumnBuilder(() => true);
      const iterator = level.iterator();
      for (;;) {
        const entries = await iterator.nextv(1_000);
        if (entries.length === 0) break;
        for (const [timestampMs, bytes] of entries) builder.add(timestampMs, bytes);
      }
      await iterator.close();
      const found = countOf(builder.take());
      if (found !== samples) throw new Error(`expected ${samples} samples, got ${found}`);
    };
    const perSecond = await rateOf(rounds, samples, read);
    results.push({ name: "read-day/plain-fragments", perSecond, unit: "samples/s" });
    await level.close();
  });
  return results;
}

function countOf(columns: readonly SeriesColumn[]): number {
  return columns.reduce((sum, { values }) => sum + values.length, 0);
}

/** The last values of all hosts. */
export async function latestReads(corpus: Corpus, parent: string, rounds: number): Promise<ReadResult> {
  return inDirectory(parent, async (directory) => {
    await using store = new LevelStore({ directory, now: Date.now });
    await store.open();
    for (let n = 0; n < corpus.hosts.length; n += 500) await store.write(corpus.reports(n, 500));
    const perSecond = await rateOf(rounds, corpus.hosts.length, async () => {
      await store.latest(corpus.hosts);
    });
    return { name: `latest-of-${corpus.hosts.length}-hosts`, perSecond, unit: "hosts/s" };
  });
}
