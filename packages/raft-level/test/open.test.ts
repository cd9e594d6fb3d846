import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { formatVersion, LevelStorage, resolveOptions } from "@mon/raft-level";
import { Level } from "level";
import { expect, it } from "vitest";
import { append, conf, contentsOf, entries, entry, hardState } from "./contents.ts";
import { copyOf, filesOf, flip, storageAt, temporaryDirectory } from "./directory.ts";

const run = promisify(execFile);

/** LevelDB itself, below the storage. */
async function withLevel(
  directory: string,
  work: (level: Level<Buffer, Buffer>) => Promise<void>,
): Promise<void> {
  const level = new Level<Buffer, Buffer>(join(directory, "log"), {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    compression: false,
  } as never);
  await level.open();
  await work(level);
  await level.close();
}

function keyOf(index: number): Buffer {
  const key = Buffer.alloc(9);
  key[0] = 0x65;
  key.writeBigUInt64BE(BigInt(index), 1);
  return key;
}

it("refuses a directory that another storage of this process has open, and names it", async () => {
  const directory = await temporaryDirectory();
  await storageAt(directory).log.open();
  await expect(storageAt(directory).log.open()).rejects.toMatchObject({
    code: "RAFT_STORAGE_LOCKED",
    message: expect.stringContaining(directory),
  });
});

it("says of files that somebody else is writing that they are locked, not that they are damaged", async () => {
  const directory = await temporaryDirectory();
  const { log } = storageAt(directory);
  await log.open();
  await append(log, entries(1, 20));
  const [path] = await filesOf(directory, /log\/\d+\.log$/);
  await flip(path!, 200);
  await expect(storageAt(directory).log.open()).rejects.toMatchObject({ code: "RAFT_STORAGE_LOCKED" });
});

it("refuses a directory that another process has open, whichever store comes first, until that process is killed", async () => {
  const directory = await temporaryDirectory();
  const child = fileURLToPath(new URL("kill-child.ts", import.meta.url));
  const other = spawn(process.execPath, ["--conditions=@mon/source", child, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(other.stdout, "data");
  const storage = storageAt(directory);
  const locked = { code: "RAFT_STORAGE_LOCKED" };
  await expect(storage.log.open()).rejects.toMatchObject(locked);
  await expect(storage.stable.load()).rejects.toMatchObject(locked);
  await expect(storage.snapshots.latest()).rejects.toMatchObject(locked);
  other.kill("SIGKILL");
  await once(other, "exit");
  expect((await storage.log.open()).lastIndex).toBeGreaterThan(0);
});

it("lets the directory go only when all of its stores are closed", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.log.open();
  await storage.stable.load();
  await storage.log.close();
  await expect(storageAt(directory).log.open()).rejects.toMatchObject({ code: "RAFT_STORAGE_LOCKED" });
  await storage.stable.close();
  await storageAt(directory).log.open();
});

it("makes the directory, but not its parents", async () => {
  const parent = await temporaryDirectory();
  await storageAt(join(parent, "raft")).log.open();
  await expect(storageAt(join(parent, "no-such", "raft")).log.open()).rejects.toMatchObject({
    code: "RAFT_STORAGE_FAILED",
  });
});

it("refuses a path that is no directory", async () => {
  const directory = join(await temporaryDirectory(), "file");
  await writeFile(directory, "");
  await expect(storageAt(directory).log.open()).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
});

it.runIf(process.getuid?.() === 0 && process.platform === "linux")(
  "refuses a directory that cannot be written",
  async () => {
    const directory = await temporaryDirectory();
    await run("mount", ["-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", directory]);
    try {
      await expect(storageAt(directory).log.open()).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
    } finally {
      await run("umount", [directory]);
    }
  },
);

it("refuses a head, a high-water note and a snapshot of a newer release", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.log.open();
  await append(storage.log, entries(1, 3));
  const sink = await storage.snapshots.create({ index: 2, term: 1, conf, confIndex: 0 });
  await sink.commit();
  await storage.close();
  const unsupported = { code: "RAFT_STORAGE_UNSUPPORTED" };

  const newHead = await copyOf(directory);
  await withLevel(newHead, async (level) => {
    const head = (await level.get(Buffer.from("h")))!;
    head[0] = formatVersion + 1;
    const sealAt = head.length - 12;
    head.writeUInt32BE(crc32(head.subarray(0, sealAt), crc32("h")), sealAt);
    await level.put(Buffer.from("h"), head, { sync: true });
  });
  // LevelDB may have put something after the head that does not end as a batch does; it is sound all the same.
  await expect(storageAt(newHead).log.open()).rejects.toMatchObject(unsupported);

  const newNote = await copyOf(directory);
  const note = await readFile(join(newNote, "HIGHWATER"));
  for (const at of [0, 512]) {
    note.writeUInt32BE(2, at + 4);
    note.writeUInt32BE(crc32(note.subarray(at, at + 24)), at + 24);
  }
  await writeFile(join(newNote, "HIGHWATER"), note);
  await expect(storageAt(newNote).log.open()).rejects.toMatchObject(unsupported);

  const newSnapshot = await copyOf(directory);
  const [path] = await filesOf(newSnapshot, /\.snapshot$/);
  const bytes = await readFile(path!);
  bytes.writeUInt32BE(2, 4);
  const sealAt = 36 + bytes.readUInt32BE(8);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, sealAt)), sealAt);
  await writeFile(path!, bytes);
  await expect(storageAt(newSnapshot).snapshots.latest()).rejects.toMatchObject(unsupported);
});

it("refuses a hole, an entry of an overwritten past, one too many, and a fallen head, all with sound checksums", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.log.open();
  await append(storage.log, entries(1, 6), hardState(1));
  const past = await copyOf(directory);
  await append(storage.log, entries(4, 5, 1, 50), hardState(2));
  await append(storage.log, [entry(6, 2)], hardState(2));
  await storage.close();
  const stolen: [Buffer, Buffer][] = [];
  await withLevel(past, async (level) => {
    for (const key of [keyOf(4), keyOf(5), keyOf(6), Buffer.from("h")])
      stolen.push([key, (await level.get(key))!]);
  });
  const [four, five, six, head] = stolen;
  const seven: [Buffer, Buffer] = [keyOf(7), six![1]];
  const damages: ((level: Level<Buffer, Buffer>) => Promise<void>)[] = [
    (level) => level.del(keyOf(3)),
    (level) => level.put(...five!),
    (level) => level.batch([four!, five!].map(([key, value]) => ({ type: "put", key, value }))),
    (level) => level.put(...seven),
    (level) => level.put(...head!),
    (level) => level.del(keyOf(6)),
  ];
  for (const damage of damages) {
    const copy = await copyOf(directory);
    await withLevel(copy, damage);
    await expect(storageAt(copy).log.open()).rejects.toMatchObject({ code: "RAFT_LOG_CORRUPT" });
  }
});

it("never lets term and vote go back, neither by an append nor over a restart", async () => {
  const directory = await temporaryDirectory();
  const { log } = storageAt(directory);
  await log.open();
  await append(log, entries(1, 2), hardState(1));
  await append(log, [], hardState(3, "b", 1));
  const refusals = [hardState(2, "b"), hardState(3, "c"), hardState(3, undefined)];
  for (const state of refusals) {
    const copy = storageAt(await copyOf(directory));
    expect((await copy.log.open()).hardState).toEqual(hardState(3, "b", 1));
    await expect(append(copy.log, [], state)).rejects.toMatchObject({ code: "RAFT_INVARIANT" });
    // What was refused ends the store, as every failure does.
    await expect(append(copy.log, [], hardState(4))).rejects.toMatchObject({ code: "RAFT_INVARIANT" });
  }
});

it("refuses an append that would leave a hole or a falling term, and one with an entry beyond the limit", async () => {
  const directory = await temporaryDirectory();
  const refusals = [
    { list: [entry(5)], code: "RAFT_INVARIANT" },
    { list: [entry(4), entry(6)], code: "RAFT_INVARIANT" },
    { list: [entry(4, 2), entry(5, 1)], code: "RAFT_INVARIANT" },
    { list: [entry(0)], code: "RAFT_INVARIANT" },
    { list: [entry(4, 1, 1_001)], code: "RAFT_PROPOSAL_TOO_LARGE" },
  ];
  const first = storageAt(directory, { maxEntryBytes: 1_000 });
  await first.log.open();
  await append(first.log, entries(1, 3));
  await first.close();
  for (const { list, code } of refusals) {
    const storage = storageAt(directory, { maxEntryBytes: 1_000 });
    const before = await contentsOf(storage);
    await expect(append(storage.log, list, hardState(2))).rejects.toMatchObject({ code });
    await storage.close();
    const again = storageAt(directory);
    expect(await contentsOf(again)).toEqual(before);
    await again.close();
  }
});

it("deletes what was compacted, a part at a time between appends", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.log.open();
  await append(storage.log, entries(1, 9_000));
  await storage.log.compact({ index: 8_000, term: 1 });
  for (let index = 9_001; index <= 9_010; index++) await append(storage.log, [entry(index)]);
  await storage.close();
  const again = storageAt(directory);
  expect((await contentsOf(again)).entries).toEqual(entries(8_001, 9_010));
  expect(again.log.stats.openedEntries).toBe(1_010);
});

it("does no more work for a log that begins far from 1", async () => {
  const directory = await temporaryDirectory();
  const far = 1_000_000_000_000;
  for (const base of [far, 2 * far]) {
    const storage = storageAt(directory);
    await storage.log.open();
    const list = entries(base + 1, base + 5, 2);
    await storage.log.append({ hardState: hardState(2), reset: { index: base, term: 2 }, entries: list });
    await storage.log.compact({ index: base + 2, term: 2 });
    await storage.close();
  }
  expect((await contentsOf(storageAt(directory))).entries).toEqual(entries(2 * far + 3, 2 * far + 5, 2));
});

it("deletes at the next start what a compaction left, and keeps what came after it", async () => {
  const directory = await temporaryDirectory();
  const interrupted = storageAt(directory);
  await interrupted.log.open();
  await append(interrupted.log, entries(1, 9_000));
  await interrupted.log.compact({ index: 8_000, term: 1 });
  // Keys are deleted in batches of 2,048; closing does not wait for the last.
  await interrupted.close();

  const storage = storageAt(directory);
  const { state, entries: found } = await contentsOf(storage);
  expect(state).toMatchObject({ base: { index: 8_000, term: 1 }, lastIndex: 9_000 });
  expect(found).toEqual(entries(8_001, 9_000));
  expect(storage.log.stats.openedEntries).toBeGreaterThan(1_000);
  const reset = { hardState: hardState(2), reset: { index: 10, term: 2 }, entries: entries(11, 12, 2) };
  await storage.log.append(reset);
  await storage.close();
  const again = storageAt(directory);
  const { state: after } = await contentsOf(again);
  expect(after).toMatchObject({ base: { index: 10, term: 2 }, lastIndex: 12 });
  expect(again.log.stats.openedEntries).toBe(2);
});

it("reads each entry once when it opens, and each file once, however long the log", async () => {
  const costs: { entries: number; bytes: number }[] = [];
  for (const count of [2_000, 20_000]) {
    const directory = await temporaryDirectory();
    const storage = storageAt(directory, { writeBufferBytes: 65_536 });
    await storage.log.open();
    for (let from = 1; from <= count; from += 500) await append(storage.log, entries(from, from + 499));
    await storage.close();
    const again = storageAt(directory);
    await again.log.open();
    const { openedEntries, openedFileBytes } = again.log.stats;
    costs.push({ entries: openedEntries, bytes: openedFileBytes });
  }
  expect(costs.map((cost) => cost.entries)).toEqual([2_000, 20_000]);
  expect(costs[1]!.bytes / costs[0]!.bytes).toBeGreaterThan(8);
  expect(costs[1]!.bytes / costs[0]!.bytes).toBeLessThan(12);
});

it("names the option that is out of range", () => {
  expect(() => new LevelStorage({ directory: "x", options: { maxSnapshots: 0 } })).toThrow(
    "expected maxSnapshots to be an integer from 1 to 1000, got 0",
  );
  expect(resolveOptions()).toMatchObject({ maxSnapshots: 3 });
});

it("can be closed before it was used, while it opens, and twice at once", async () => {
  const directory = await temporaryDirectory();
  await storageAt(directory).close();
  const storage = storageAt(directory);
  const opening = storage.log.open();
  await Promise.all([storage.close(), storage.close(), opening.catch(() => {})]);
  await expect(storage.log.open()).rejects.toMatchObject({ code: "RAFT_STOPPED" });
  await storageAt(directory).log.open();
});
