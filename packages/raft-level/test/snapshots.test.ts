import fs, { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import type { RaftError, SnapshotMeta } from "@mon/raft";
import { LevelStorage } from "@mon/raft-level";
import { afterEach, expect, it, vi } from "vitest";
import { append, conf, entries } from "./contents.ts";
import { copyOf, filesOf, flip, storageAt, temporaryDirectory } from "./directory.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Random enough that no two pieces are alike. */
function bytesOf(index: number, length = 3_000): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (index * 7 + i * i * 13) & 255);
}

async function write({ snapshots }: LevelStorage, index: number): Promise<SnapshotMeta> {
  const sink = await snapshots.create({ index, term: 1, conf, confIndex: index - 1 });
  await sink.write(bytesOf(index));
  return await sink.commit();
}

async function read({ snapshots }: LevelStorage, index: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of snapshots.open({ index, term: 1 })) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

/** A log of 30 entries whose first `base` are gone, and snapshots at 10 and 20. */
async function filled(base: number): Promise<string> {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.log.open();
  await append(storage.log, entries(1, 30));
  for (const index of [10, 20]) await write(storage, index);
  if (base > 0) await storage.log.compact({ index: base, term: 1 });
  await storage.close();
  return directory;
}

it("notices a flipped bit at any byte of a snapshot, when it looks for the newest and when it reads", async () => {
  const directory = await filled(20);
  const [, newest] = await filesOf(directory, /\.snapshot$/);
  const { size } = await stat(newest!);
  const storage = storageAt(directory);
  await storage.snapshots.latest();
  const step = process.env.MON_TEST === "full" ? 1 : 13;
  for (let at = 0; at < size; at += at < 300 || at > size - 40 ? 1 : step) {
    await flip(newest!, at);
    const corrupt = { code: "RAFT_SNAPSHOT_CORRUPT", message: expect.stringContaining(newest!) };
    await expect(storage.snapshots.latest()).rejects.toMatchObject(corrupt);
    await expect(read(storage, 20)).rejects.toMatchObject(corrupt);
    await flip(newest!, at);
  }
  expect(await read(storage, 20)).toEqual(bytesOf(20));
});

it("notices a snapshot that was cut at any byte or has bytes too many", async () => {
  const directory = await filled(20);
  const [, newest] = await filesOf(directory, /\.snapshot$/);
  const whole = await readFile(newest!);
  const { snapshots } = storageAt(directory);
  for (let end = 0; end < whole.length; end += 17) {
    await writeFile(newest!, whole.subarray(0, end));
    await expect(snapshots.latest()).rejects.toMatchObject({ code: "RAFT_SNAPSHOT_CORRUPT" });
  }
  await writeFile(newest!, Buffer.concat([whole, Buffer.alloc(1)]));
  await expect(snapshots.latest()).rejects.toMatchObject({ code: "RAFT_SNAPSHOT_CORRUPT" });
});

it("takes an older snapshot when the log goes on from there, and names the damaged one", async () => {
  const directory = await filled(10);
  const [, newest] = await filesOf(directory, /\.snapshot$/);
  await flip(newest!, 500);
  const damage: RaftError[] = [];
  const storage = new LevelStorage({ directory, onDamage: (error) => damage.push(error) });
  expect(await storage.snapshots.latest()).toMatchObject({ index: 10 });
  expect(damage).toMatchObject([
    { code: "RAFT_SNAPSHOT_CORRUPT", message: expect.stringContaining(newest!) },
  ]);
  expect(await filesOf(directory, /\.damaged$/)).toEqual([`${newest}.damaged`]);
  await write(storage, 25);
  await storage.snapshots.prune(25);
  expect(await filesOf(directory, /snapshots/)).toHaveLength(1);
  await storage.close();
});

it("refuses when the newest snapshot is damaged or gone and the log does not reach back to another", async () => {
  const directory = await filled(15);
  const [, newest] = await filesOf(directory, /\.snapshot$/);
  const gone = await copyOf(directory);
  await flip(newest!, 500);
  await expect(storageAt(directory).snapshots.latest()).rejects.toMatchObject({
    code: "RAFT_SNAPSHOT_CORRUPT",
  });
  // Nothing is set aside when there is nothing to stand in for it.
  expect(await filesOf(directory, /\.damaged$/)).toEqual([]);
  await rm(newest!.replace(directory, gone));
  await expect(storageAt(gone).snapshots.latest()).rejects.toMatchObject({ code: "RAFT_SNAPSHOT_MISSING" });
});

it("does not take a snapshot for that of another position", async () => {
  const directory = await filled(20);
  const [older, newest] = await filesOf(directory, /\.snapshot$/);
  await rename(older!, newest!);
  await expect(storageAt(directory).snapshots.latest()).rejects.toMatchObject({
    code: "RAFT_SNAPSHOT_CORRUPT",
  });
});

it("clears away at the next start what a crash left half written", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  const sink = await storage.snapshots.create({ index: 5, term: 1, conf, confIndex: 0 });
  await sink.write(new Uint8Array(1_000_000).fill(1));
  const copy = await copyOf(directory);
  expect(await filesOf(copy, /\.tmp$/)).toHaveLength(1);
  expect(await storageAt(copy).snapshots.latest()).toBeUndefined();
  expect(await filesOf(copy, /\.tmp$/)).toEqual([]);
  expect(await filesOf(directory, /\.tmp$/)).toHaveLength(1);
  await sink.abort();
  expect(await filesOf(directory, /\.tmp$/)).toEqual([]);
});

it("keeps as many snapshots as it is told to", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory, { maxSnapshots: 2 });
  for (const index of [1, 2, 3, 4]) await write(storage, index);
  expect(await filesOf(directory, /\.snapshot$/)).toHaveLength(2);
  expect(await read(storage, 3)).toEqual(bytesOf(3));
  expect(await read(storage, 4)).toEqual(bytesOf(4));
});

it("shows nothing of a snapshot whose sync failed, does not try it again, and takes a new one", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.snapshots.latest();
  const handle = await fs.open(directory, "r");
  const sync = vi.spyOn(Object.getPrototypeOf(handle), "sync");
  await handle.close();
  sync.mockRejectedValueOnce(Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" }));
  const sink = await storage.snapshots.create({ index: 5, term: 1, conf, confIndex: 0 });
  await expect(sink.commit()).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
  await expect(sink.commit()).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
  expect(sync).toHaveBeenCalledOnce();
  expect(await storage.snapshots.latest()).toBeUndefined();
  expect(await filesOf(directory, /snapshots/)).toEqual([]);
  expect(await write(storage, 6)).toEqual(await storage.snapshots.latest());
});

it("refuses everything once it is not known whether a snapshot that has its name is durable", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.snapshots.latest();
  const handle = await fs.open(directory, "r");
  const prototype = Object.getPrototypeOf(handle) as { sync: () => Promise<void> };
  await handle.close();
  const real = prototype.sync;
  let syncs = 0;
  vi.spyOn(prototype, "sync").mockImplementation(function (this: unknown) {
    syncs++;
    // The first is of the file, the second of its directory.
    return syncs === 2
      ? Promise.reject(Object.assign(new Error("EIO: i/o error"), { code: "EIO" }))
      : real.call(this);
  });
  await expect(write(storage, 6)).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
  await expect(storage.snapshots.latest()).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
  await expect(write(storage, 7)).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
  await storage.close();
  expect(await storageAt(directory).snapshots.latest()).toMatchObject({ index: 6 });
});
