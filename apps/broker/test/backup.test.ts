import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { LevelStore } from "@mon/level-store";
import { AdminService, Durability, type RestoreRequestSchema } from "@mon/proto";
import { fragmentFromSamples, MemoryStore, type MetricStore, type Sample } from "@mon/store";
import { type BackupSummary, createBackup, restoreBackup, verifyBackup } from "@mon/store/backup";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AsyncQueue } from "./support/async-queue.ts";
import { BrokerProcess } from "./support/broker-process.ts";
import { Ledger } from "./support/ledger.ts";
import { readLedger, reportOf } from "./support/reports.ts";
import { answersOf } from "./support/store-answers.ts";
import { TempDirectory } from "./support/temp-directory.ts";
import { Writer } from "./support/writer.ts";

const timeout = 60_000;
const hour = 3_600_000;

/** A backup as the broker streams it. */
async function backupOf(broker: BrokerProcess): Promise<{ bytes: Buffer; partitions: number }> {
  const chunks: Uint8Array[] = [];
  let partitions = 0n;
  for await (const { chunk, progress } of broker.admin.backup({})) {
    chunks.push(chunk);
    expect(Number(progress!.bytes)).toBe(chunks.reduce((sum, { length }) => sum + length, 0));
    partitions = progress!.partitions;
  }
  return { bytes: Buffer.concat(chunks), partitions: Number(partitions) };
}

/** The bytes of a backup in messages of so many. */
async function* messagesOf(
  bytes: Uint8Array,
  dryRun = false,
): AsyncGenerator<MessageInitShape<typeof RestoreRequestSchema>> {
  for (let at = 0; at < bytes.length; at += 10_000) yield { dryRun, chunk: bytes.subarray(at, at + 10_000) };
}

async function* pieceOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe("a broker under load", { timeout }, () => {
  it("has in a backup all that it acknowledged before, and another broker restores it", async () => {
    const startMs = Date.now() - hour;
    const ledger = new Ledger();
    const earlier = new Ledger();
    let summary: BackupSummary | undefined;
    let bytes: Uint8Array = new Uint8Array(0);
    await using directory = await TempDirectory.create();
    {
      await using broker = await BrokerProcess.start({ dataDir: `${directory.path}/data` });
      await broker.monitor.register({ hostId: "web-1", agentName: "a", agentVersion: "1", metadata: {} });
      await new Writer(earlier, startMs).write(broker, 2_000, () => broker.stop());
    }
    await using source = await BrokerProcess.start({ dataDir: `${directory.path}/data` });
    await new Writer(ledger, startMs + hour / 2).write(source, 500, async () => {
      ({ bytes } = await backupOf(source));
      summary = await verifyBackup(pieceOf(bytes));
      await source.stop();
    });
    expect(summary).toMatchObject({ partitionsDamaged: 0, header: { storeKind: "level" } });
    expect(summary!.header.storeId).not.toBe("");
    expect(summary!.fragments).toBeGreaterThanOrEqual(earlier.acked + 500);

    await using target = await BrokerProcess.start();
    const restored = await target.admin.restore(messagesOf(bytes));
    expect(restored).toMatchObject({
      partitions: BigInt(summary!.partitions),
      fragments: BigInt(summary!.fragments),
      fragmentsPastRetention: 0n,
      hosts: 4n,
      bytes: BigInt(bytes.length),
      durability: Durability.FSYNC,
    });
    const readings = await readLedger(target.query, startMs);
    expect(readings).toHaveLength(summary!.fragments);
    const early = readings.filter(({ timestampMs }) => timestampMs < startMs + hour / 2);
    expect(earlier.check(early)).toEqual({ lost: 0, wrong: 0, duplicates: 0, phantoms: 0 });
    const { hosts } = await target.query.listHosts({ prefix: "web-1" });
    expect(hosts[0]!.metadata).toMatchObject({ agent_name: "a" });
    // Again, and after a dry run: it is all there.
    const dry = await target.admin.restore(messagesOf(bytes, true));
    expect(dry).toEqual({ ...restored, keepFromMs: dry.keepFromMs });
    await target.admin.restore(messagesOf(bytes));
    expect(await readLedger(target.query, startMs)).toEqual(readings);
  });
});

describe("Backup and Restore", { timeout }, () => {
  /** A broker that has a report of each of the last hours, from now back. */
  async function brokerWithHours(hours: number): Promise<BrokerProcess> {
    const broker = await BrokerProcess.start();
    const nowMs = Date.now();
    const reports = Array.from({ length: hours }, (_, i) =>
      reportOf("web-1", nowMs - i * hour, [{ name: "up", value: i }]),
    );
    await broker.monitor.push({ reports });
    return broker;
  }

  it("leave out what is past the retention of the broker that restores (R26)", async () => {
    await using source = await brokerWithHours(5);
    const { bytes } = await backupOf(source);
    await using target = await BrokerProcess.start({ args: ["--set", "store.retentionMs=150m"] });
    expect(await target.admin.restore(messagesOf(bytes))).toMatchObject({
      fragments: 3n,
      fragmentsPastRetention: 2n,
    });
    expect((await target.query.queryLatest({ hosts: ["web-1"] })).hosts[0]!.values).toHaveLength(1);
  });

  it("write nothing when the run is dry", async () => {
    await using source = await brokerWithHours(2);
    const { bytes } = await backupOf(source);
    await using target = await BrokerProcess.start();
    expect(await target.admin.restore(messagesOf(bytes, true))).toMatchObject({ fragments: 2n, hosts: 1n });
    expect((await target.query.listHosts({})).hosts).toEqual([]);
  });

  it("refuse bytes that are no backup, by their place", async () => {
    await using broker = await brokerWithHours(2);
    const { bytes } = await backupOf(broker);
    const flipped = Buffer.from(bytes);
    flipped[30]! ^= 1;
    for (const [wrong, message] of [
      [Buffer.alloc(0), /byte 0 /],
      [Buffer.from("hello"), /byte 0 /],
      [flipped, /checksum/],
      [bytes.subarray(0, -1), /the end of the bytes at \d+/],
    ] as const) {
      await expect(broker.admin.restore(messagesOf(wrong))).rejects.toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: expect.stringMatching(message),
      });
    }
    // Each call has let go of its turn.
    await broker.admin.restore(messagesOf(bytes));
  });

  it("are one at a time each, and end with UNAVAILABLE when the broker stops", async () => {
    const broker = await brokerWithHours(2);
    const requests = new AsyncQueue<MessageInitShape<typeof RestoreRequestSchema>>();
    const restoring = broker.admin.restore(requests);
    restoring.catch(() => {});
    const { bytes } = await backupOf(broker);
    requests.push({ chunk: bytes.subarray(0, 50) });
    await expect(broker.admin.restore(messagesOf(bytes))).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringContaining("at most 1 restore"),
    });
    const startedAt = performance.now();
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await expect(restoring).rejects.toMatchObject({ code: Code.Unavailable });
    await broker[Symbol.asyncDispose]();
  });

  it("let the next one in when a caller goes away in the middle", async () => {
    await using broker = await BrokerProcess.start();
    const nowMs = Date.now();
    // More than the sockets between the two take in.
    for (let i = 0; i < 8; i++) {
      const samples = Array.from({ length: 10_000 }, (_, n) => ({
        name: `metric_${n}`,
        value: Math.random(),
      }));
      await broker.monitor.push({ reports: [reportOf("web-1", nowMs - i, samples)] });
    }
    const leaving = new AbortController();
    const left = broker.admin.backup({}, { signal: leaving.signal })[Symbol.asyncIterator]();
    await left.next();
    await expect(backupOf(broker)).rejects.toMatchObject({ code: Code.Unavailable });
    leaving.abort();
    let partitions: number | undefined;
    while (partitions === undefined) {
      // The broker hears of it a moment later.
      partitions = await backupOf(broker).then(
        (backup) => backup.partitions,
        () => undefined,
      );
    }
    expect(partitions).toBeGreaterThan(0);
  });

  it("are not to be had at the HTTP door", async () => {
    await using broker = await BrokerProcess.start();
    const transport = createConnectTransport({ httpVersion: "1.1", baseUrl: broker.httpUrl });
    const backup = createClient(AdminService, transport).backup({})[Symbol.asyncIterator]();
    await expect(backup.next()).rejects.toMatchObject({ code: Code.Unimplemented });
  });
});

describe("a backup of one store restored into another", { timeout }, () => {
  const samples = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom("cpu", "mem", "é", "up"),
      labels: fc.constantFrom([], [{ name: "mode", value: "user" }]),
      kind: fc.constantFrom(0 as const, 1 as const, 2 as const),
      value: fc.double(),
      flags: fc.constantFrom(0, 1),
    }),
    { minLength: 1, maxLength: 5, selector: ({ name, labels }) => name + labels.length },
  );
  const reports = fc.array(
    fc.record({
      hostId: fc.constantFrom("a", "a.b", "a-1", "b"),
      timestampMs: fc.integer({ min: 1_767_225_600_000, max: 1_767_225_600_000 + 3 * hour }),
      samples: samples as fc.Arbitrary<Sample[]>,
    }),
    { maxLength: 20 },
  );

  it("answers every question as the first does, whichever stores they are", async () => {
    await using directory = await TempDirectory.create();
    let stores = 0;
    const memory = async (): Promise<MetricStore> => {
      const store = new MemoryStore();
      await store.open();
      return store;
    };
    const level = async (): Promise<MetricStore> => {
      const store = new LevelStore({
        directory: `${directory.path}/${stores++}`,
        now: () => 1_767_225_600_000 + 4 * hour,
      });
      await store.open();
      return store;
    };
    const { SEED } = process.env;
    await fc.assert(
      fc.asyncProperty(
        reports,
        fc.constantFrom(level, memory),
        fc.constantFrom(level, memory),
        fc.boolean(),
        async (written, openSource, openTarget, isPacked) => {
          await using source = await openSource();
          await source.write(
            written.map((one) => fragmentFromSamples(one.hostId, one.timestampMs, one.samples)),
          );
          await source.setMetadata("b", { os: "linux" });
          if (isPacked) await source.pack(1_767_225_600_000 + 4 * hour);
          await using target = await openTarget();
          const backup = createBackup(source, { createdAtMs: 0, monVersion: "0.0.0" });
          await restoreBackup(target, backup, { keepFromMs: 0 });
          expect(await answersOf(target)).toEqual(await answersOf(source));
        },
      ),
      { numRuns: 30, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
    );
  });
});
