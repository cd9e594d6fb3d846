import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Fragment, fragmentFromSamples, type Sample } from "@mon/store";
import { Level } from "level";
import { LevelStore } from "../src/index.ts";

// Writes through the store beside raw LevelDB batches of the same bytes, both synced; then reads. All in one run: rounds
// of the cases alternate, so that a busy moment of the machine hits all of them, and a case counts by its median round.

const { values, positionals } = parseArgs({
  options: {
    reports: { type: "string", default: "20000" },
    rounds: { type: "string", default: "5" },
    directory: { type: "string", default: tmpdir() },
  },
  allowPositionals: true,
});
const reportCount = Number(values.reports);
const rounds = Number(values.rounds);
const filter = new RegExp(positionals[0] ?? "");
const hosts = Array.from({ length: 1_000 }, (_, i) => `host-${i}.example.com`);
const startMs = 1_767_225_600_000;
const intervalMs = 15_000;

/** One measured thing: `run` does it `operations` times and gives the milliseconds that took. */
interface Case {
  readonly name: string;
  readonly unit: string;
  readonly operations: number;
  run(): Promise<number>;
}

/** A report of 20 metrics, about 545 bytes. */
function makeReport(): Fragment {
  const samples = Array.from({ length: 20 }, (_, i): Sample => {
    const labels = i % 3 === 0 ? [{ name: "cpu", value: String(i) }] : [];
    return { name: `system_metric_${i}`, labels, value: Math.sin(i) * 1e6, kind: 1, flags: 0 };
  });
  return fragmentFromSamples(hosts[0]!, startMs, samples);
}

const template = makeReport();

/** The i-th report: hosts take turns, each an interval after its last. */
function reportOf(i: number): Fragment {
  const timestampMs = startMs + Math.floor(i / hosts.length) * intervalMs;
  return { ...template, hostId: hosts[i % hosts.length]!, timestampMs };
}

async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(values.directory, "mon-level-bench-"));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

function storeWrites(batch: number, operations: number): Case {
  return {
    name: `write-${batch}/store`,
    unit: "reports/s",
    operations,
    run: () =>
      inDirectory(async (directory) => {
        await using store = new LevelStore({ directory, now: Date.now });
        await store.open();
        // The series are known then, as they are but for the first report of a host.
        await store.write(
          hosts.map((hostId) => ({ ...template, hostId, timestampMs: startMs - intervalMs })),
        );
        const batches = batchesOf(batch, operations, reportOf);
        return await timed(async () => {
          for (const fragments of batches) await store.write(fragments);
        });
      }),
  };
}

function rawWrites(batch: number, operations: number): Case {
  return {
    name: `write-${batch}/raw-level`,
    unit: "reports/s",
    operations,
    run: () =>
      inDirectory(async (directory) => {
        const encodings = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;
        const level = new Level<Buffer, Buffer>(directory, {
          ...encodings,
          writeBufferSize: 16 << 20,
        } as never);
        await level.open();
        const value = Buffer.concat([Buffer.alloc(4), template.bytes]);
        const batches = batchesOf(batch, operations, (i) => {
          const { hostId, timestampMs } = reportOf(i);
          const key = Buffer.alloc(26 + hostId.length);
          key.writeBigUInt64BE(BigInt(timestampMs), 1);
          key.write(hostId, 9);
          key.writeUInt32BE(i, key.length - 4);
          return { type: "put" as const, key, value };
        });
        const ms = await timed(async () => {
          for (const operationsOfBatch of batches)
            await level.batch(operationsOfBatch, { sync: true } as never);
        });
        await level.close();
        return ms;
      }),
  };
}

function batchesOf<T>(batch: number, count: number, make: (i: number) => T): T[][] {
  const items = Array.from({ length: count }, (_, i) => make(i));
  return Array.from({ length: count / batch }, (_, i) => items.slice(i * batch, (i + 1) * batch));
}

/** Cases that read what one store holds: a day of each of a few hosts, and the last values of all. */
async function readCases(store: LevelStore): Promise<Case[]> {
  const instants = 86_400_000 / intervalMs;
  for (const hostId of hosts.slice(0, 3)) {
    for (let begin = 0; begin < instants; begin += 500) {
      const count = Math.min(500, instants - begin);
      await store.write(
        Array.from({ length: count }, (_, i) => ({
          ...template,
          hostId,
          timestampMs: startMs + (begin + i) * intervalMs,
        })),
      );
    }
  }
  await store.write(hosts.map((hostId) => ({ ...template, hostId })));
  return [
    {
      name: "read/day-of-one-host",
      unit: "samples/s",
      operations: instants * 20,
      run: () =>
        timed(async () => {
          const range = { startMs, endMs: startMs + 86_400_000 - 1 };
          for await (const _ of store.read({ hostId: hosts[1]!, ...range }));
        }),
    },
    {
      name: "read/latest",
      unit: "hosts/s",
      operations: hosts.length,
      run: () =>
        timed(async () => {
          await store.latest(hosts);
        }),
    },
  ];
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

await inDirectory(async (directory) => {
  await using store = new LevelStore({ directory: join(directory, "read"), now: Date.now });
  await store.open();
  const singles = Math.max(100, Math.floor(reportCount / 50));
  const cases = [
    rawWrites(100, reportCount),
    storeWrites(100, reportCount),
    rawWrites(1, singles),
    storeWrites(1, singles),
    ...(await readCases(store)),
  ].filter(({ name }) => filter.test(name));
  const rates = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, operations, run } of cases)
      rates.get(name)!.push((operations / (await run())) * 1_000);
  }
  const results: Record<string, { opsPerSecond: number; unit: string }> = {};
  console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0]!.model}, median of ${rounds} rounds`);
  for (const { name, unit } of cases) {
    const opsPerSecond = Math.round(median(rates.get(name)!));
    results[name] = { opsPerSecond, unit };
    console.log(`${name.padEnd(24)} ${opsPerSecond.toLocaleString("en").padStart(12)} ${unit}`);
  }
  for (const batch of [100, 1]) {
    const [raw, ours] = [results[`write-${batch}/raw-level`], results[`write-${batch}/store`]];
    if (raw === undefined || ours === undefined) continue;
    console.log(`write-${batch}: store / raw level = ${(ours.opsPerSecond / raw.opsPerSecond).toFixed(2)}`);
  }
  writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(results, undefined, 2)}\n`);
});
