import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LevelStorage } from "@mon/raft-level";
import { expect, it } from "vitest";
import { append, conf, contentsOf, entries, hardState } from "./contents.ts";
import { copyOf, filesOf, flip, storageAt, temporaryDirectory } from "./directory.ts";

const identity = { nodeId: "a", clusterId: "c", incarnation: 9 };

async function filled(): Promise<{ directory: string; storage: LevelStorage }> {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.stable.save({ identity, peers: {} });
  await storage.log.open();
  await append(storage.log, entries(1, 2_500), hardState(2, "b", 2_400));
  const sink = await storage.snapshots.create({ index: 1_000, term: 1, conf, confIndex: 990 });
  await sink.write(new Uint8Array(700_000).fill(5));
  await sink.commit();
  await storage.log.compact({ index: 900, term: 1 });
  return { directory, storage };
}

it("exports log, hard state and snapshot of storage that is in use, without its identity, and verifies them", async () => {
  const { storage } = await filled();
  const target = join(await temporaryDirectory(), "copy");
  const exporting = storage.export(target);
  await append(storage.log, entries(2_501, 2_510), hardState(2, "b", 2_500));
  const summary = await exporting;
  expect(summary).toEqual({
    identity: undefined,
    hardState: expect.objectContaining({ term: 2, votedFor: "b" }),
    base: { index: 900, term: 1 },
    lastIndex: expect.any(Number),
    snapshot: await storage.snapshots.latest(),
  });
  expect([2_500, 2_510]).toContain(summary.lastIndex);
  const copy = await contentsOf(storageAt(target));
  expect(copy.entries).toEqual(entries(901, summary.lastIndex));
});

it("exports storage that was never written to, and storage that was reset", async () => {
  const storage = storageAt(await temporaryDirectory());
  const empty = await storage.export(join(await temporaryDirectory(), "copy"));
  expect(empty).toEqual({
    identity: undefined,
    hardState: undefined,
    base: { index: 0, term: 0 },
    lastIndex: 0,
    snapshot: undefined,
  });
  await storage.log.open();
  const sink = await storage.snapshots.create({ index: 50, term: 3, conf, confIndex: 0 });
  await sink.commit();
  await storage.log.append({ hardState: hardState(3, "a", 50), reset: { index: 50, term: 3 }, entries: [] });
  const reset = await storage.export(join(await temporaryDirectory(), "copy"));
  expect(reset).toMatchObject({
    hardState: hardState(3, "a", 50),
    base: { index: 50, term: 3 },
    lastIndex: 50,
  });
});

it("does not export to a directory that has something in it", async () => {
  const { storage } = await filled();
  const target = await temporaryDirectory();
  await writeFile(join(target, "notes"), "mine");
  await expect(storage.export(target)).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
});

it("verifies a directory that nobody has open, and says what is damaged", async () => {
  const { directory, storage } = await filled();
  await expect(LevelStorage.verify(directory)).rejects.toMatchObject({ code: "RAFT_STORAGE_LOCKED" });
  await storage.close();
  expect(await LevelStorage.verify(directory)).toMatchObject({
    identity,
    lastIndex: 2_500,
    snapshot: { index: 1_000 },
  });
  const badLog = await copyOf(directory);
  const [log] = await filesOf(badLog, /\.ldb$/);
  await flip(log!, 9_000);
  await expect(LevelStorage.verify(badLog)).rejects.toMatchObject({ code: "RAFT_LOG_CORRUPT" });
  const [snapshot] = await filesOf(directory, /\.snapshot$/);
  await flip(snapshot!, 9_000);
  await expect(LevelStorage.verify(directory)).rejects.toMatchObject({ code: "RAFT_SNAPSHOT_CORRUPT" });
});
