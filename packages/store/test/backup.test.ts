import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { encodeDocument } from "../src/backup/document.ts";
import { encodeFrame, type FrameType, firstChecksum, frameType, preamble } from "../src/backup/frame.ts";
import { pack } from "../src/backup/packed.ts";
import {
  BackupError,
  type BackupSummary,
  createBackup,
  readBackup,
  restoreBackup,
  verifyBackup,
} from "../src/backup.ts";
import {
  blockMs,
  blockStart,
  type Fragment,
  fragmentFromSamples,
  Kind,
  MemoryStore,
  type MetricStore,
  type Sample,
  StoreError,
  seriesKey,
} from "../src/index.ts";
import { arbitrarySamples } from "./support/arbitrary-samples.ts";

/** 2026-01-01T00:00:00Z. */
const t0 = 1_767_225_600_000;
const options = { createdAtMs: t0, monVersion: "1.2.3", storeId: "s-1", brokerId: "b-1" };
const everything = { keepFromMs: 0 };

/** Checks a property. A failure prints its seed; `SEED=… vitest run` repeats it. */
async function check<T>(property: fc.IAsyncProperty<T>, numRuns = 300): Promise<void> {
  const { SEED } = process.env;
  await fc.assert(property, { numRuns, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
}

const opened: MemoryStore[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

async function storeOf(...fragments: Fragment[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.open();
  opened.push(store);
  await store.write(fragments);
  return store;
}

function report(hostId: string, timestampMs: number, values: Readonly<Record<string, number>>): Fragment {
  const samples = Object.entries(values).map(
    ([name, value]): Sample => ({ name, value, labels: [], kind: Kind.gauge, flags: 0 }),
  );
  return fragmentFromSamples(hostId, timestampMs, samples);
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts);
}

/** Bytes in pieces of so many. */
async function* pieces(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** All that a store answers, values as bits. */
async function answersOf(store: MetricStore): Promise<unknown> {
  const hosts = await store.hosts({ limit: 10_000 });
  const points: Record<string, string[]> = {};
  for (const { hostId } of hosts) {
    for await (const { columns } of store.read({ hostId, startMs: -1e15, endMs: 1e15 })) {
      for (const { series, timestampsMs, values, flags } of columns) {
        const bits = new BigUint64Array(values.slice().buffer);
        const key = `${hostId} ${seriesKey(series)}`;
        points[key] ??= [];
        for (const [i, at] of timestampsMs.entries()) points[key].push(`${at} ${bits[i]} ${flags[i]}`);
      }
    }
  }
  return {
    hosts,
    points,
    latest: await store.latest(hosts.map(({ hostId }) => hostId)),
    metrics: await store.metrics({}),
  };
}

/** What an error says of where and what, or undefined when there is none. */
async function failureOf(bytes: Uint8Array): Promise<BackupError | undefined> {
  try {
    await verifyBackup(pieces(bytes));
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(BackupError);
    return error as BackupError;
  }
}

/** A small backup with a partition of two fragments, another host, and metadata. */
async function smallStore(): Promise<MemoryStore> {
  const store = await storeOf(
    report("web-1", t0, { cpu: 0.5, mem: 7 }),
    report("web-1", t0 + 1_000, { cpu: 0.25, mem: 8 }),
    report("db-1", t0 + blockMs, { cpu: 1 }),
  );
  await store.setMetadata("web-1", { os: "linux" });
  return store;
}

describe("a backup", () => {
  it("restored into an empty store answers every question as the store did", async () => {
    const report = fc.record({
      hostId: fc.constantFrom("a", "a.b", "a-1", "b"),
      timestampMs: fc.oneof(fc.integer({ min: t0, max: t0 + 3 * blockMs }), fc.constantFrom(0, 1, t0)),
      samples: arbitrarySamples,
    });
    const metadata = fc.dictionary(fc.constantFrom("os", "é", "__proto__"), fc.string(), { maxKeys: 2 });
    await check(
      fc.asyncProperty(
        fc.array(report, { maxLength: 20 }),
        fc.array(fc.tuple(fc.constantFrom("a", "b", "only"), metadata), { maxLength: 3 }),
        fc.integer({ min: 1, max: 300 }),
        async (reports, told, pieceBytes) => {
          const fragments = reports.map((one) =>
            fragmentFromSamples(one.hostId, one.timestampMs, one.samples),
          );
          await using source = new MemoryStore();
          await source.open();
          await source.write(fragments);
          for (const [hostId, facts] of told) await source.setMetadata(hostId, facts);
          const backup = await bytesOf(createBackup(source, options));
          await using target = new MemoryStore();
          await target.open();
          const restored = await restoreBackup(target, pieces(backup, pieceBytes), everything);
          const before = await answersOf(target);
          expect(before).toEqual(await answersOf(source));
          // Again: what is there already changes nothing.
          expect(await restoreBackup(target, pieces(backup), everything)).toEqual(restored);
          expect(await answersOf(target)).toEqual(before);
        },
      ),
      100,
    );
  });

  it("says what it holds, while it is made and when it is read", async () => {
    const store = await smallStore();
    const told: number[] = [];
    const backup = await bytesOf(
      createBackup(store, { ...options, onProgress: ({ fragments }) => told.push(fragments) }),
    );
    const counts = {
      partitions: 2,
      partitionsDamaged: 0,
      fragments: 3,
      hosts: 2,
      startMs: t0,
      endMs: t0 + blockMs,
    };
    expect(await verifyBackup(pieces(backup))).toMatchObject({
      ...counts,
      header: { ...options, storeKind: "memory" },
      bytes: backup.length,
      damage: [],
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(told).toEqual([0, 2, 3, 3, 3]);
    const empty = await bytesOf(createBackup(await storeOf(), options));
    expect(await verifyBackup(pieces(empty))).toMatchObject({ partitions: 0, startMs: null, endMs: null });
  });

  it("with any one byte changed is refused, by the place of the frame that holds it", async () => {
    const backup = await bytesOf(createBackup(await smallStore(), options));
    const frames = frameOffsets(backup);
    for (const [at, byte] of backup.entries()) {
      for (const mask of [0x01, 0x80, 0xff]) {
        backup[at] = byte ^ mask;
        const failure = await failureOf(backup);
        const place = frames.findLast((offset) => offset <= at) ?? (at < 6 ? 0 : 6);
        expect([at, mask, failure?.offset]).toEqual([at, mask, place]);
      }
      backup[at] = byte;
    }
    expect(await failureOf(backup)).toBeUndefined();
  });

  it("cut short anywhere, or longer by a byte, is refused", async () => {
    const backup = await bytesOf(createBackup(await smallStore(), options));
    for (let length = 0; length < backup.length; length++) {
      expect((await failureOf(backup.subarray(0, length)))?.code).toBe("STORE_BACKUP_INVALID");
    }
    expect((await failureOf(Buffer.concat([backup, Buffer.of(0)])))?.offset).toBe(backup.length);
  });

  it("with a frame left out, repeated or moved is refused, at that frame", async () => {
    const backup = await bytesOf(createBackup(await smallStore(), options));
    const starts = [...frameOffsets(backup), backup.length];
    const frames = starts.slice(0, -1).map((start, i) => backup.subarray(start, starts[i + 1]));
    const head = backup.subarray(0, starts[0]);
    for (let i = 0; i < frames.length - 1; i++) {
      const without = frames.toSpliced(i, 1);
      const twice = frames.toSpliced(i, 0, frames[i]!);
      const moved = frames.toSpliced(i, 2, frames[i + 1]!, frames[i]!);
      expect((await failureOf(Buffer.concat([head, ...without])))?.offset).toBe(starts[i]);
      expect((await failureOf(Buffer.concat([head, ...twice])))?.offset).toBe(starts[i + 1]);
      expect((await failureOf(Buffer.concat([head, ...moved])))?.offset).toBe(starts[i]);
    }
  });

  it("of a newer version is refused as such", async () => {
    const backup = await bytesOf(createBackup(await storeOf(), options));
    backup[7] = 2;
    expect(await failureOf(backup)).toMatchObject({ code: "STORE_VERSION_UNKNOWN", offset: 6 });
  });

  it("holds what was stored before it began, and goes on while the store is written to", async () => {
    const hosts = Array.from({ length: 20 }, (_, i) => `h-${i}`);
    const store = await storeOf(...hosts.map((hostId) => report(hostId, t0, { a: 1 })));
    const parts: Uint8Array[] = [];
    let rounds = 0;
    for await (const piece of createBackup(store, options)) {
      parts.push(piece);
      if (++rounds > 50) continue;
      await store.write([report(`h-${rounds}`, t0 + 1, { a: 2 }), report(`new-${rounds}`, t0, { a: 3 })]);
    }
    expect(rounds).toBeGreaterThan(20);
    const target = await storeOf();
    await restoreBackup(target, pieces(Buffer.concat(parts)), everything);
    for (const hostId of hosts) {
      const [latest] = await target.latest([hostId]);
      expect(latest!.samples).toHaveLength(1);
    }
  });

  it("is made in frames of bounded size, of a partition of any", async () => {
    const names = Array.from({ length: 400 }, (_, i) => `metric_${i}_${"x".repeat(40)}`);
    const fragments = Array.from({ length: 100 }, (_, i) =>
      report(
        "big",
        blockStart("big", t0) + i,
        Object.fromEntries(names.map((name, n) => [name, n * i + 0.5])),
      ),
    );
    const store = await storeOf(...fragments);
    const backup = await bytesOf(createBackup(store, options));
    const sizes: number[] = [];
    for await (const part of readBackup(pieces(backup))) {
      if (part.kind !== "fragments") continue;
      sizes.push(part.fragments.reduce((sum, { bytes }) => sum + bytes.length, 0));
    }
    expect(sizes.length).toBeGreaterThan(5);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(262_144);
    const summary: BackupSummary = await verifyBackup(pieces(backup));
    expect(summary).toMatchObject({ partitions: 1, fragments: 100 });
    expect(summary.fragmentBytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  it("has the metadata of more hosts than a frame takes", async () => {
    const store = await storeOf();
    const hostIds = Array.from({ length: 1_201 }, (_, i) => `host-${i}`);
    for (const hostId of hostIds) await store.setMetadata(hostId, { name: hostId });
    const backup = await bytesOf(createBackup(store, options));
    const target = await storeOf();
    expect(await restoreBackup(target, pieces(backup), everything)).toMatchObject({ hosts: 1_201 });
    expect(await answersOf(target)).toEqual(await answersOf(store));
  });

  it("of a partition that is damaged has what can be read, and says so", async () => {
    const store = await smallStore();
    const exportPartition = store.exportPartition.bind(store);
    store.exportPartition = async function* (partition) {
      yield* exportPartition(partition);
      if (partition.hostId === "web-1") throw new StoreError("STORE_CORRUPT", "a record does not match");
    };
    const backup = await bytesOf(createBackup(store, options));
    const summary = await verifyBackup(pieces(backup));
    expect(summary).toMatchObject({ partitions: 2, partitionsDamaged: 1, fragments: 3 });
    expect(summary.damage).toEqual([expect.stringMatching(/^web-1, block \d+: a record does not match$/)]);
    const target = await storeOf();
    expect(await restoreBackup(target, pieces(backup), everything)).toMatchObject({
      fragments: 3,
      partitionsDamaged: 1,
    });
  });

  it("ends with what else the store fails with, or with its signal's reason", async () => {
    const store = await smallStore();
    store.exportPartition = () => {
      throw new StoreError("STORE_UNAVAILABLE", "the disk is gone");
    };
    await expect(bytesOf(createBackup(store, options))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(bytesOf(createBackup(store, { ...options, signal }))).rejects.toThrow("enough");
  });
});

describe("a restore", () => {
  it("takes a backup that the first release made (R6)", async () => {
    // What `smallStore` held, by version 1 of the format.
    const backup = await readFile(new URL("fixtures/version-1.backup", import.meta.url));
    const target = await storeOf();
    await restoreBackup(target, [backup], everything);
    expect(await answersOf(target)).toEqual(await answersOf(await smallStore()));
  });

  it("leaves out what is past retention, and the hosts that have nothing else (R26)", async () => {
    const store = await storeOf(
      report("old", t0 - 1, { a: 1 }),
      report("both", t0 - 1, { a: 1 }),
      report("both", t0, { a: 2 }),
    );
    for (const hostId of ["old", "both", "bare"]) await store.setMetadata(hostId, { os: "linux" });
    const backup = await bytesOf(createBackup(store, options));
    const target = await storeOf();
    const result = await restoreBackup(target, pieces(backup), { keepFromMs: t0 });
    expect(result).toMatchObject({
      partitions: 1,
      fragments: 1,
      fragmentsPastRetention: 2,
      hosts: 2,
      hostsPastRetention: 1,
      durability: "memory",
    });
    const hosts = await target.hosts({ limit: 10 });
    expect(hosts).toMatchObject([
      { hostId: "bare", metadata: { os: "linux" } },
      { hostId: "both", lastSeenMs: t0, metadata: { os: "linux" } },
    ]);
    expect((await target.latest(["both"]))[0]!.samples).toHaveLength(1);
  });

  it("into a store with newer data changes nothing that is newer", async () => {
    const store = await smallStore();
    await store.setMetadata("web-1", { agent_version: "1.0.0" });
    const backup = await bytesOf(createBackup(store, options));
    const target = await storeOf(
      report("web-1", t0, { cpu: 0.9 }),
      report("web-1", t0 + 5_000, { cpu: 0.1 }),
    );
    await target.setMetadata("web-1", { agent_version: "2.0.0" });
    await restoreBackup(target, pieces(backup), everything);
    const [latest] = await target.latest(["web-1"]);
    expect(latest).toMatchObject({ lastSeenMs: t0 + 5_000 });
    expect(latest!.samples).toMatchObject([
      { name: "cpu", value: 0.1, timestampMs: t0 + 5_000 },
      { name: "mem", value: 8, timestampMs: t0 + 1_000 },
    ]);
    const [host] = await target.hosts({ limit: 1, prefix: "web-1" });
    expect(host!.metadata).toEqual({ agent_version: "2.0.0", os: "linux" });
    const values: number[] = [];
    for await (const { columns } of target.read({ hostId: "web-1", startMs: t0, endMs: t0 }))
      for (const column of columns) values.push(...column.values);
    // Both reports of that instant are there; readers fold them (R4).
    expect(values).toEqual([0.9, 7]);
  });

  it("that is dry says what it would do, and writes nothing", async () => {
    const store = await smallStore();
    const backup = await bytesOf(createBackup(store, options));
    const target = await storeOf();
    const keepFromMs = t0 + 1;
    const dry = await restoreBackup(target, pieces(backup), { keepFromMs, dryRun: true });
    expect(await target.hosts({ limit: 10 })).toEqual([]);
    expect(dry).toMatchObject({ partitions: 2, fragments: 2, fragmentsPastRetention: 1, hosts: 2 });
    expect(await restoreBackup(target, pieces(backup), { keepFromMs })).toEqual(dry);
  });

  it("of a backup that is cut short stores nothing of the frame that was cut, and can be done again", async () => {
    const backup = await bytesOf(createBackup(await smallStore(), options));
    const [, , second] = frameOffsets(backup);
    const target = await storeOf();
    const cut = restoreBackup(target, pieces(backup.subarray(0, second! + 20)), everything);
    await expect(cut).rejects.toMatchObject({ code: "STORE_BACKUP_INVALID", offset: second });
    expect((await target.stats()).hosts).toBe(1);
    await restoreBackup(target, pieces(backup), everything);
    expect(await answersOf(target)).toEqual(await answersOf(await smallStore()));
  });

  it("fails with what the store fails with, and leaves no import running", async () => {
    const backup = await bytesOf(createBackup(await smallStore(), options));
    const target = await storeOf();
    let running = 0;
    target.importPartition = async () => {
      running++;
      await Promise.resolve();
      running--;
      throw new StoreError("STORE_UNAVAILABLE", "the disk is full");
    };
    const restored = restoreBackup(target, pieces(backup), everything);
    await expect(restored).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(running).toBe(0);
    const ended = restoreBackup(target, pieces(backup), {
      ...everything,
      signal: AbortSignal.abort(new Error("enough")),
    });
    await expect(ended).rejects.toThrow("enough");
  });

  it("has four imports under way at a time, and no more", async () => {
    const fragments = Array.from({ length: 12 }, (_, i) => report(`h-${i}`, t0, { a: i }));
    const backup = await bytesOf(createBackup(await storeOf(...fragments), options));
    const target = await storeOf();
    const importPartition = target.importPartition.bind(target);
    let running = 0;
    let most = 0;
    target.importPartition = async (...args) => {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      const receipt = await importPartition(...args);
      running--;
      return receipt;
    };
    await restoreBackup(target, pieces(backup), everything);
    expect(most).toBe(4);
    expect((await target.stats()).hosts).toBe(12);
  });
});

describe("bytes that match their checksums and are no backup all the same", () => {
  /** A frame as a forger has it. */
  type Forged = readonly [type: FrameType, payload: Uint8Array];

  function bytesOfFrames(frames: readonly Forged[]): Uint8Array {
    const parts = [preamble];
    let checksum = firstChecksum;
    for (const [type, payload] of frames) {
      const frame = encodeFrame(type, payload, checksum);
      checksum = frame.checksum;
      parts.push(frame.bytes);
    }
    return Buffer.concat(parts);
  }

  function framesOf(backup: Uint8Array): Forged[] {
    const offsets = [...frameOffsets(backup), backup.length];
    return offsets.slice(0, -1).map((start, i) => {
      // What encodeFrame made has one of its types.
      return [backup[start] as FrameType, backup.subarray(start + 5, offsets[i + 1]! - 4)];
    });
  }

  it("are refused when they name a host that cannot be", async () => {
    const store = await storeOf();
    await store.setMetadata("../etc", { os: "linux" });
    const metadata = await bytesOf(createBackup(store, options));
    expect(await failureOf(metadata)).toMatchObject({ message: expect.stringContaining('got "../etc"') });
    const data = await bytesOf(createBackup(await storeOf(report("a:b", t0, { a: 1 })), options));
    expect(await failureOf(data)).toMatchObject({ message: expect.stringContaining('got "a:b"') });
  });

  it("are refused when a part of a partition is missing, at the partition's end", async () => {
    const names = Array.from({ length: 400 }, (_, i) => `metric_${i}_${"x".repeat(40)}`);
    const values = Object.fromEntries(names.map((name, i) => [name, i + 0.5]));
    const start = blockStart("big", t0);
    const store = await storeOf(...Array.from({ length: 30 }, (_, i) => report("big", start + i, values)));
    const frames = framesOf(await bytesOf(createBackup(store, options)));
    expect(frames.filter(([type]) => type === frameType.fragments).length).toBeGreaterThan(2);
    const forged = await failureOf(bytesOfFrames(frames.toSpliced(1, 1)));
    expect(forged?.message).toContain("expected the fragments that were exported");
  });

  it.each([
    ["a partition is missing", (frames: Forged[]) => frames.toSpliced(1, 1)],
    ["the hosts are missing", (frames: Forged[]) => frames.toSpliced(-2, 1)],
    [
      "a count is another",
      (frames: Forged[]) => frames.with(-1, trailerWith(frames, '"hosts":2', '"hosts":3')),
    ],
    [
      "the digest is another",
      (frames: Forged[]) => frames.with(-1, trailerWith(frames, /"sha256":"./, '"sha256":"_')),
    ],
  ])("are refused when %s, at the trailer", async (_, forge) => {
    const frames = framesOf(await bytesOf(createBackup(await smallStore(), options)));
    expect(await failureOf(bytesOfFrames(frames))).toBeUndefined();
    const failure = await failureOf(bytesOfFrames(forge(frames)));
    expect(failure?.message).toContain("expected a trailer that agrees with what came before");
  });

  function trailerWith(frames: readonly Forged[], text: string | RegExp, other: string): Forged {
    const document = Buffer.from(frames.at(-1)![1]).toString();
    expect(document).toMatch(text);
    return [frameType.trailer, Buffer.from(document.replace(text, other))];
  }

  it("are refused by the reader, whatever they are", async () => {
    const header = encodeDocument({ ...options, storeKind: "memory" });
    const types = fc.constantFrom(...Object.values(frameType));
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }).map(pack),
      fc.json().map((text) => new TextEncoder().encode(text)),
      fc.json().map((text) => pack(new TextEncoder().encode(text))),
    );
    await check(
      fc.asyncProperty(fc.array(fc.tuple(types, payload), { maxLength: 4 }), async (frames) => {
        expect(await failureOf(bytesOfFrames([[frameType.header, header], ...frames]))).toBeDefined();
      }),
    );
  });
});

/** Where the frames of a backup begin. */
function frameOffsets(backup: Uint8Array): number[] {
  const view = new DataView(backup.buffer, backup.byteOffset, backup.byteLength);
  const offsets: number[] = [];
  for (let at = 8; at < backup.length; at += 9 + view.getUint32(at + 1)) offsets.push(at);
  return offsets;
}
