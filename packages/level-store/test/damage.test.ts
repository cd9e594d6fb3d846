import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LevelStore, LevelStoreOptions } from "@mon/level-store";
import type { Fragment } from "@mon/store";
import { Level } from "level";
import { describe, expect, it } from "vitest";
import { collect, readAll, report } from "./contents.ts";
import { openStore, settle, t0, temporaryDirectory } from "./directory.ts";

const hourMs = 3_600_000;
const hostIds = ["host-0", "host-1", "host-2"];

/** Repeatable numbers from 0 up to 1. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x8000_0000;
  };
}

/** Three hosts, a report each 15 s, ten values of many bits each. */
function reports(instants: number, firstMs = t0): Fragment[] {
  const next = numbers(7);
  const names = Array.from({ length: 10 }, (_, i) => `metric_${i}`);
  return Array.from({ length: instants }, (_, i) =>
    hostIds.map((hostId) =>
      report(hostId, firstMs + i * 15_000, Object.fromEntries(names.map((name) => [name, next()]))),
    ),
  ).flat();
}

/** Writes reports one record after another. */
async function writeEach(store: LevelStore, fragments: readonly Fragment[]): Promise<void> {
  for (let i = 0; i < fragments.length; i += 3) await store.write(fragments.slice(i, i + 3));
}

async function pointsOf(store: LevelStore): Promise<{ points: Set<string>; missing: string[] }> {
  const points = new Set<string>();
  const missing: string[] = [];
  for (const hostId of hostIds) {
    const read = await readAll(store, hostId);
    for (const point of read.points) points.add(`${hostId} ${point}`);
    missing.push(...read.missing);
  }
  return { points, missing };
}

/** What a directory was made with. */
interface Making {
  readonly options?: LevelStoreOptions;
  /** Instants whose reports are in chunks. */
  readonly settled?: number;
  /** Instants after them whose reports are in the journal. */
  readonly journal?: number;
}

/** A closed directory, and what is in it. */
async function written({
  options = {},
  settled = 0,
  journal = 0,
}: Making): Promise<{ directory: string; truth: Set<string> }> {
  const directory = await temporaryDirectory();
  const store = await openStore(directory, { options });
  const all = reports(settled + journal);
  if (settled > 0) {
    await writeEach(store, all.slice(0, 3 * settled));
    await settle(store);
  }
  await writeEach(store, all.slice(3 * settled));
  const { points } = await pointsOf(store);
  await store.close();
  return { directory, truth: points };
}

/** The files of a directory and of those in it. */
async function filesOf(directory: string, pattern = /./): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The file of the journal. */
function journalOf(directory: string): string {
  return join(directory, "journal", "0");
}

async function flip(file: string, position: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[position]! ^= 0x10;
  await writeFile(file, bytes);
}

describe("a damaged journal", () => {
  it("is noticed at open, named in the answers it touches, and not forgotten by the next open (R12)", async () => {
    const { directory, truth } = await written({ journal: 400 });
    await flip(journalOf(directory), 100_000);

    const store = await openStore(directory);
    const { points, missing } = await pointsOf(store);
    // One record: three reports of ten values.
    expect(points.size).toBe(truth.size - 30);
    expect([...points].filter((point) => !truth.has(point))).toEqual([]);
    expect(missing[0]).toMatch(/^record \d+ of the journal, written after .* lost; samples from 2026-01-01T/);
    const { damage } = await store.stats();
    expect(damage).toHaveLength(1);

    await store.close();
    const again = await openStore(directory);
    expect((await again.stats()).damage).toEqual(damage);
    expect(await pointsOf(again)).toEqual({ points, missing });
    await settle(again);
    expect(await pointsOf(again)).toEqual({ points, missing });
    await again.close();
    expect((await (await openStore(directory)).stats()).damage).toEqual(damage);
  });

  it("leaves ranges whole that it cannot have touched, and is forgotten when its data is past retention", async () => {
    const { directory } = await written({ journal: 400 });
    await flip(journalOf(directory), 100_000);
    const store = await openStore(directory);
    const later = t0 + 48 * hourMs;
    await store.write(hostIds.map((hostId) => report(hostId, later, { metric_0: 1 })));
    const range = { startMs: later - hourMs, endMs: later };
    expect((await readAll(store, "host-0", range)).missing).toEqual([]);

    await store.trim(later - hourMs);
    expect((await store.stats()).damage).toEqual([]);
    await store.close();
    const again = await openStore(directory);
    expect((await again.stats()).damage).toEqual([]);
  });

  it("is noticed when its end is gone, so that no later record shows the gap", async () => {
    const { directory, truth } = await written({ journal: 400 });
    const bytes = await readFile(journalOf(directory));
    await writeFile(journalOf(directory), bytes.subarray(0, bytes.length - 5_000));
    const store = await openStore(directory);
    const { points, missing } = await pointsOf(store);
    expect(points.size).toBeLessThan(truth.size);
    expect(missing[0]).toMatch(/^records \d+ to \d+ of the journal.* lost; samples from/);
  });

  it("is noticed when it is gone altogether", async () => {
    const { directory } = await written({ settled: 10, journal: 10 });
    await rm(join(directory, "journal"), { recursive: true });
    const store = await openStore(directory);
    const { points, missing } = await pointsOf(store);
    expect(points.size).toBe(300);
    expect(missing[0]).toMatch(/^records \d+ to \d+ of the journal/);
  });

  it("does not take the last values with it: they are those of what is still there", async () => {
    const { directory } = await written({ journal: 400 });
    const bytes = await readFile(journalOf(directory));
    await writeFile(journalOf(directory), bytes.subarray(0, bytes.length - 20_000));
    const store = await openStore(directory);
    await expectLastValues(store);
  });

  it("costs nothing when it is one of the two heads of a file", async () => {
    for (const position of [20, 530]) {
      const { directory, truth } = await written({ journal: 5 });
      await flip(journalOf(directory), position);
      const store = await openStore(directory);
      expect((await pointsOf(store)).points).toEqual(truth);
      expect((await store.stats()).damage).toEqual([]);
    }
  });

  it("does not take for its own what an earlier use of a file, or anybody, left in it", async () => {
    const { directory, truth } = await written({ journal: 5 });
    const other = await written({ journal: 60 });
    const foreign = (await readFile(journalOf(other.directory))).subarray(1_024);
    const file = journalOf(directory);
    await writeFile(file, Buffer.concat([await readFile(file), foreign]));
    const store = await openStore(directory);
    expect((await pointsOf(store)).points).toEqual(truth);
    expect((await store.stats()).damage).toEqual([]);
  });
});

/** Demands that last values are those of what is there. */
async function expectLastValues(store: LevelStore): Promise<void> {
  for (const latest of await store.latest(hostIds)) {
    const { points } = await readAll(store, latest.hostId);
    const found = latest.samples.map(({ name, timestampMs, value }) => `${name} ${timestampMs} ${value}`);
    expect(found.filter((point) => !points.includes(point))).toEqual([]);
    const newest = Math.max(...points.map((point) => Number(point.split(" ")[1])));
    expect(latest.lastSeenMs).toBe(newest);
  }
  expect(await collect(store.series({}))).toHaveLength(3);
}

describe("a damaged log of LevelDB", () => {
  it("is noticed at open, named in the answers it touches, and leaves what is elsewhere", async () => {
    const { directory, truth } = await written({ settled: 400, journal: 100 });
    const [log] = await filesOf(directory, /\.log$/);
    await flip(log!, 2_000);
    for (let open = 0; open < 2; open++) {
      const store = await openStore(directory);
      const { points, missing } = await pointsOf(store);
      expect(points.size).toBeLessThan(truth.size);
      expect(points.size).toBeGreaterThanOrEqual(3_000);
      expect([...points].filter((point) => !truth.has(point))).toEqual([]);
      expect(missing[0]).toMatch(/^batch(es)? \d+.* lost; samples from 2026-01-01T/);
      await expectLastValues(store);
      await store.close();
    }
  });

  it("is noticed when its end is gone, and costs nothing while the journal still has what was there", async () => {
    const { directory, truth } = await written({ settled: 400, journal: 5 });
    await cutLog(directory);
    const store = await openStore(directory);
    expect((await pointsOf(store)).points).toEqual(truth);
    expect((await store.stats()).damage[0]).toMatch(/^batches \d+ to \d+/);
    await expectLastValues(store);
  });

  it("is noticed when its end is gone: the journal does not begin where it should", async () => {
    const directory = await temporaryDirectory();
    const store = await openStore(directory);
    const all = reports(300);
    for (let begin = 0; begin < all.length; begin += 300) {
      await writeEach(store, all.slice(begin, begin + 300));
      if (begin < 600) await store.pack(t0 + 100 * hourMs);
    }
    await store.close();
    await cutLog(directory);
    const opened = await openStore(directory);
    const { points, missing } = await pointsOf(opened);
    // The first stretch was in a file that is used again.
    expect(points.size).toBe(6_000);
    expect(missing.join()).toMatch(/records 1 to \d+ of the journal/);
    await expectLastValues(opened);
  });
});

/** Leaves of LevelDB's log what was written before the first settling. */
async function cutLog(directory: string): Promise<void> {
  const [log] = await filesOf(directory, /\.log$/);
  await writeFile(log!, (await readFile(log!)).subarray(0, 2_000));
}

it("notices a batch that is missing between others", async () => {
  const { directory } = await written({ settled: 20 });
  const level = new Level<Uint8Array, Uint8Array>(directory, { keyEncoding: "view", valueEncoding: "view" });
  await level.del(Uint8Array.of(0x73, 0x80, 0, 0, 0, 0, 0, 0, 2));
  await level.close();
  const store = await openStore(directory);
  expect((await store.stats()).damage[0]).toMatch(/^batch 2, written after 2026/);
});

/** The value of the first chunk. */
async function firstChunk(directory: string): Promise<Buffer> {
  const level = new Level<Buffer, Buffer>(directory, { keyEncoding: "buffer", valueEncoding: "buffer" });
  const [value] = await level.values({ gte: Buffer.from("k"), limit: 1 }).all();
  await level.close();
  return value!;
}

describe("a damaged table", () => {
  const options = { writeBufferBytes: 65_536, compression: false };

  it("costs the chunks it held, which are named, and no other", async () => {
    const { directory, truth } = await written({ settled: 800, options });
    // Moves LevelDB's log to a table.
    await (await openStore(directory, { options })).close();
    const chunk = await firstChunk(directory);
    let flipped = 0;
    for (const table of await filesOf(directory, /\.ldb$/)) {
      const position = (await readFile(table)).indexOf(chunk.subarray(100, 160));
      if (position === -1) continue;
      await flip(table, position + 3);
      flipped++;
    }
    expect(flipped).toBe(1);
    const store = await openStore(directory, { options });
    const { points, missing } = await pointsOf(store);
    expect(points.size).toBeLessThan(truth.size);
    expect(points.size).toBeGreaterThan(0.6 * truth.size);
    expect([...points].filter((point) => !truth.has(point))).toEqual([]);
    expect(new Set(missing)).toEqual(
      new Set([
        expect.stringMatching(/^\d+\.ldb: a block at byte \d+ does not pass its checksum; samples from 20/),
      ]),
    );
    const { damage } = await store.stats();
    expect(damage).toEqual([missing[0]]);

    // Found once, and not forgotten: neither by packing nor by the next open.
    await store.pack(t0 + 100 * hourMs);
    expect((await pointsOf(store)).points).toEqual(points);
    await store.close();
    const again = await openStore(directory, { options });
    expect((await again.stats()).damage).toEqual(damage);
    expect((await pointsOf(again)).points).toEqual(points);
    // The table is kept as it was found, until what it held is past retention.
    expect(await filesOf(join(directory, "damaged"), /\.ldb$/)).toHaveLength(1);
    await again.trim(t0 + 100 * hourMs);
    expect((await again.stats()).damage).toEqual([]);
    expect(await filesOf(join(directory, "damaged"))).toEqual([]);
  });

  it("is found by a verification when opening left it out, named from then on, and taken out of use", async () => {
    const unchecked = { ...options, openCheckBytes: 0 };
    const { directory, truth } = await written({ settled: 800, options: unchecked });
    await (await openStore(directory, { options: unchecked })).close();
    const chunk = await firstChunk(directory);
    for (const table of await filesOf(directory, /\.ldb$/)) {
      const position = (await readFile(table)).indexOf(chunk.subarray(100, 160));
      if (position !== -1) await flip(table, position + 3);
    }
    const waits: number[] = [];
    const wait = async (ms: number): Promise<void> => {
      waits.push(ms);
    };
    const store = await openStore(directory, { options: unchecked, wait });
    expect((await store.stats()).damage).toEqual([]);
    const [first, second] = await Promise.all([store.verify(), store.verify()]);
    expect(second).toBe(first);
    expect(first.damage).toEqual([expect.stringMatching(/^\d+\.ldb: a block at byte \d+ does not pass/)]);
    // At 8 MiB a second.
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual((first.bytes * 1_000) / 2 ** 23);
    const { damage, unavailable } = await store.stats();
    expect({ damage, unavailable }).toEqual({ damage: first.damage, unavailable: undefined });
    const { points, missing } = await pointsOf(store);
    expect([...points].filter((point) => !truth.has(point))).toEqual([]);
    expect(new Set(missing)).toEqual(new Set(damage));
    expect(await store.write([report("host-0", t0, { late: 1 })])).toMatchObject([{ status: "stored" }]);
    expect((await store.verify()).damage).toEqual([]);
    await expect(store.verify({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });

  it("does not keep a store from closing while it is verified", async () => {
    const { directory } = await written({ settled: 100, options });
    await (await openStore(directory, { options })).close();
    const wait = (_ms: number, signal: AbortSignal): Promise<void> =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    const store = await openStore(directory, { options, wait });
    const verified = store.verify();
    const refused = expect(verified).rejects.toMatchObject({ code: "STORE_NOT_OPEN" });
    await store.close();
    await refused;
  });
});

it("names a damaged note of how far the journal went", async () => {
  const { directory } = await written({ journal: 3 });
  await flip(join(directory, "HIGHWATER"), 10);
  const store = await openStore(directory);
  expect((await store.stats()).damage).toEqual(["HIGHWATER does not pass its checksum"]);
});
