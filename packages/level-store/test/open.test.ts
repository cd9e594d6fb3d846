import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { formatVersion, LevelStore } from "@mon/level-store";
import { Level } from "level";
import { expect, it } from "vitest";
import { collect, readAll, report } from "./contents.ts";
import { copyOf, openStore, t0, temporaryDirectory } from "./directory.ts";

const now = (): number => t0;

it("refuses a directory that another store has open, and names it", async () => {
  const directory = await temporaryDirectory();
  await openStore(directory);
  await expect(new LevelStore({ directory, now }).open()).rejects.toMatchObject({
    code: "STORE_LOCKED",
    message: expect.stringContaining(directory),
  });
});

it("makes the directory, but not its parents", async () => {
  const parent = await temporaryDirectory();
  await openStore(join(parent, "db"));
  const directory = join(parent, "no-such", "db");
  await expect(new LevelStore({ directory, now }).open()).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
});

it("refuses a path that is no directory", async () => {
  const directory = join(await temporaryDirectory(), "file");
  await writeFile(directory, "");
  await expect(new LevelStore({ directory, now }).open()).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
});

it("refuses a directory of a newer format and changes nothing in it", async () => {
  const directory = await temporaryDirectory();
  await (await openStore(directory)).close();
  const key = Buffer.from("v");
  const payload = Buffer.from(JSON.stringify({ format: formatVersion + 1, storeId: "x" }));
  const value = Buffer.alloc(4 + payload.length);
  value.writeUInt32BE(crc32(payload, crc32(key)));
  payload.copy(value, 4);
  const level = new Level<Buffer, Buffer>(directory, { keyEncoding: "buffer", valueEncoding: "buffer" });
  await level.put(key, value);
  await level.close();
  for (let attempt = 0; attempt < 2; attempt++) {
    const opening = new LevelStore({ directory, now }).open();
    await expect(opening).rejects.toMatchObject({ code: "STORE_VERSION_UNKNOWN" });
  }
});

it("goes on without CURRENT, for which LevelDB would take the directory for a new one and empty it", async () => {
  const directory = await temporaryDirectory();
  const store = await openStore(directory);
  await store.setMetadata("h", { os: "linux" });
  const { storeId } = store;
  await store.close();
  await rm(join(directory, "CURRENT"));
  const opened = await openStore(directory);
  expect(opened.storeId).toBe(storeId);
  expect(await opened.hosts({ limit: 10 })).toMatchObject([{ hostId: "h", metadata: { os: "linux" } }]);
  expect((await opened.stats()).damage).toEqual([
    expect.stringMatching(/expected a file CURRENT, got none; it names/),
  ]);
});

it("refuses a directory without one of LevelDB's tables, which may still be put back", async () => {
  const directory = await temporaryDirectory();
  const store = await openStore(directory);
  await store.setMetadata("h", { os: "linux" });
  await store.close();
  await (await openStore(directory)).close();
  const table = (await readdir(directory)).find((name) => name.endsWith(".ldb"))!;
  const bytes = await readFile(join(directory, table));
  await rm(join(directory, table));
  await expect(new LevelStore({ directory, now }).open()).rejects.toMatchObject({
    code: "STORE_CORRUPT",
    message: expect.stringContaining(`expected a table ${table}, got none`),
  });
  await writeFile(join(directory, table), bytes);
  expect(await (await openStore(directory)).hosts({ limit: 10 })).toHaveLength(1);
});

it("keeps its id for as long as its content", async () => {
  const directory = await temporaryDirectory();
  const store = await openStore(directory);
  const { storeId } = store;
  await store.close();
  expect((await openStore(directory)).storeId).toBe(storeId);
  expect((await openStore(await temporaryDirectory())).storeId).not.toBe(storeId);
});

it("does not bring back the last values of trimmed series when it is opened", async () => {
  const directory = await temporaryDirectory();
  const store = await openStore(directory);
  const hourMs = 3_600_000;
  await store.write([report("h", t0, { old: 1 }), report("h", t0 + 5 * hourMs, { young: 2 })]);
  await store.trim(0);
  expect(await store.trim(t0 + 3 * hourMs)).toMatchObject({ seriesRemoved: 1, hostsRemoved: 0 });
  const copy = await openStore(await copyOf(directory));
  expect((await copy.latest(["h"]))[0]!.samples.map((sample) => sample.name)).toEqual(["young"]);
  expect((await collect(copy.series({})))[0]!.series.map((series) => series.name)).toEqual(["young"]);
});

it("merges writes that arrive together, and answers each", async () => {
  const store = await openStore(await temporaryDirectory());
  const writes = Array.from({ length: 200 }, (_, i) => store.write([report(`h${i % 7}`, t0 + i, { a: i })]));
  for (const fates of await Promise.all(writes)) {
    expect(fates).toEqual([{ status: "stored", durability: "fsync", copies: 1 }]);
  }
  expect((await readAll(store, "h0")).points).toHaveLength(29);
});

it("refuses writes beyond the bytes that may wait, retryably, and takes them again when the disk has caught up", async () => {
  const store = await openStore(await temporaryDirectory(), {
    options: { maxQueuedBytes: 500, maxBatchBytes: 100 },
  });
  const writes = Array.from({ length: 50 }, (_, i) => store.write([report("h", t0 + i, { a: i })]));
  const statuses = (await Promise.all(writes)).map(([fate]) => fate!.status);
  expect(new Set(statuses)).toEqual(new Set(["stored", "retry"]));
  expect(await store.write([report("h", t0, { a: 0 })])).toMatchObject([{ status: "stored" }]);
  expect((await readAll(store, "h")).points).toHaveLength(
    statuses.filter((status) => status === "stored").length,
  );
});

it("cuts a block with many samples into slices between instants", async () => {
  const store = await openStore(await temporaryDirectory(), { options: { maxSliceSamples: 10 } });
  await store.write(
    Array.from({ length: 60 }, (_, i) =>
      report("h", t0 + Math.floor(i / 2), { [`m${i % 2}`]: i, shared: 1 }),
    ),
  );
  const slices = await collect(store.read({ hostId: "h", startMs: t0, endMs: t0 + 100 }));
  expect(slices.length).toBeGreaterThan(3);
  for (const [i, slice] of slices.entries()) {
    const samples = slice.columns.reduce((sum, column) => sum + column.values.length, 0);
    expect(samples).toBeLessThanOrEqual(12);
    expect(slice.startMs).toBe(i === 0 ? t0 : slices[i - 1]!.endMs + 1);
  }
  expect((await readAll(store, "h")).points).toHaveLength(90);
});

it("drops the sequence records of batches that LevelDB's log cannot lose any more, and no others", async () => {
  const directory = await temporaryDirectory();
  const options = { generationBytes: 20_000, writeBufferBytes: 65_536 };
  const store = await openStore(directory, { options });
  const names = Array.from({ length: 200 }, (_, i) => `metric_${i}`);
  for (let i = 0; i < 400; i++) {
    const values = Object.fromEntries(names.map((name, j) => [name, Math.sin(i * 200 + j)]));
    await store.write([report("h", t0 + i * 1_000, values)]);
  }
  await store.pack(t0 + 1_000_000_000);
  await store.close();
  const level = new Level<Buffer, string>(directory, { keyEncoding: "buffer" });
  const range = { gte: Buffer.from("s"), lt: Buffer.from("t") };
  const kept = (await level.keys(range).all()).map((key) => Number(key.readBigInt64BE(1) & 0xffff_ffffn));
  await level.close();
  expect(kept).toEqual(kept.map((_, i) => kept[0]! + i));
  expect(kept[0]).toBeGreaterThan(20);
  // Four write buffers are kept, and a generation is about a third of one.
  expect(kept.length).toBeGreaterThan(12);

  const opened = await openStore(directory, { options });
  expect((await opened.stats()).damage).toEqual([]);
  expect((await readAll(opened, "h")).points).toHaveLength(80_000);
});

it("ends a read with a coded error when the store is closed under it", async () => {
  const store = await openStore(await temporaryDirectory());
  const hourMs = 3_600_000;
  await store.write([0, 1, 2].map((hour) => report("h", t0 + hour * hourMs, { a: 1 })));
  const read = store.read({ hostId: "h", startMs: t0, endMs: t0 + 3 * hourMs });
  expect((await read.next()).done).toBe(false);
  await store.close();
  await expect(read.next()).rejects.toMatchObject({ code: "STORE_NOT_OPEN" });
});

it("tells bytes, those of the journal among them, and conflicts that reads met", async () => {
  const store = await openStore(await temporaryDirectory());
  await store.write([report("h", t0, { a: 1 }), report("h", t0, { a: 2 })]);
  await readAll(store, "h");
  expect(await store.stats()).toMatchObject({ hosts: 1, series: 1, conflicts: 1, damage: [] });
  expect((await store.stats()).bytes).toBeGreaterThan(1_300);
});

it("rejects what no key can be made of, and stores the rest", async () => {
  const store = await openStore(await temporaryDirectory());
  const good = report("h", t0, { a: 1 });
  const fates = await store.write([
    { ...good, hostId: "a\0b" },
    { ...good, hostId: "" },
    { ...good, timestampMs: 1.5 },
    { ...good, timestampMs: Number.MAX_SAFE_INTEGER },
    good,
  ]);
  expect(fates.map((fate) => fate.status)).toEqual([
    "rejected",
    "rejected",
    "rejected",
    "rejected",
    "stored",
  ]);
});

it("keeps instants before 1970 in order", async () => {
  const store = await openStore(await temporaryDirectory());
  const instants = [-8_640_000_000_000_000, -4_000_000_000, -1, 0, 1, 8_640_000_000_000_000];
  await store.write(instants.map((instant) => report("h", instant, { a: 1 })));
  const range = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY };
  const slices = await collect(store.read({ hostId: "h", ...range }));
  expect(slices.flatMap((slice) => [...slice.columns[0]!.timestampsMs])).toEqual(instants);
});

it("names the option that is out of range", () => {
  expect(() => new LevelStore({ directory: "x", now, options: { writeBufferBytes: 1 } })).toThrow(
    "expected writeBufferBytes to be an integer from 65536 to 33554432, got 1",
  );
});

it("closes before it was opened, while it opens, and twice at once", async () => {
  const directory = await temporaryDirectory();
  await new LevelStore({ directory, now }).close();
  const store = new LevelStore({ directory, now });
  const opening = store.open();
  await Promise.all([store.close(), store.close(), opening]);
  await openStore(directory);
});
