import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { append, conf, contentsOf, entries, entry } from "./contents.ts";
import { filesOf, storageAt, temporaryDirectory } from "./directory.ts";

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0 && process.platform === "linux";
const mounts: string[] = [];

afterEach(async () => {
  for (const mount of mounts.splice(0)) await run("umount", ["--lazy", mount]);
});

/** A file system of 4 MiB, of which 3 are taken by a file. */
async function smallDisk(): Promise<{ directory: string; ballast: string }> {
  const disk = await temporaryDirectory();
  await run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
  mounts.push(disk);
  const ballast = join(disk, "ballast");
  await writeFile(ballast, new Uint8Array(3 * 1024 * 1024));
  return { directory: join(disk, "raft"), ballast };
}

// Mounting needs root; where there is none a full disk cannot be had without filling somebody's.
describe.runIf(isRoot)("on a full disk", () => {
  it("fails the append, refuses every later one though there is room again, and goes on when opened anew", async () => {
    const { directory, ballast } = await smallDisk();
    const storage = storageAt(directory);
    await storage.log.open();
    let acknowledged = 0;
    const failed = { code: "RAFT_STORAGE_FAILED" };
    for (;;) {
      try {
        await append(storage.log, entries(acknowledged + 1, acknowledged + 8, 1, 2_000));
        acknowledged += 8;
      } catch (error) {
        expect(error).toMatchObject({ ...failed, message: expect.stringMatching(/no space left/i) });
        break;
      }
    }
    expect(acknowledged).toBeGreaterThan(100);
    await rm(ballast);
    await expect(append(storage.log, [entry(acknowledged + 1)])).rejects.toMatchObject(failed);
    await expect(storage.log.compact({ index: 4, term: 1 })).rejects.toMatchObject(failed);
    const identity = { nodeId: "a", clusterId: "c", incarnation: 1 };
    await expect(storage.stable.save({ identity, peers: {} })).rejects.toMatchObject(failed);
    expect(await storage.log.entries(1, 3, 1_000_000)).toHaveLength(2);
    await storage.close();

    const again = storageAt(directory);
    const { state, entries: found } = await contentsOf(again);
    expect([acknowledged, acknowledged + 8]).toContain(state.lastIndex);
    expect(found).toEqual(entries(1, state.lastIndex, 1, 2_000));
    await append(again.log, [entry(state.lastIndex + 1)]);
  });

  it("shows nothing of a snapshot that did not fit, and takes the next when there is room", async () => {
    const { directory, ballast } = await smallDisk();
    const { snapshots } = storageAt(directory);
    const point = { index: 3, term: 1, conf, confIndex: 0 };
    const sink = await snapshots.create(point);
    await expect(
      (async () => {
        for (;;) await sink.write(new Uint8Array(100_000).fill(7));
      })(),
    ).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
    await expect(sink.commit()).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
    await sink.abort();
    expect(await snapshots.latest()).toBeUndefined();
    expect(await filesOf(directory, /snapshots/)).toEqual([]);
    await rm(ballast);
    const next = await snapshots.create(point);
    await next.write(new Uint8Array(100_000));
    expect(await next.commit()).toEqual(await snapshots.latest());
  });

  it("refuses to open without room, typed, and opens when there is some", async () => {
    const { directory, ballast } = await smallDisk();
    const storage = storageAt(directory);
    await storage.log.open();
    await append(storage.log, entries(1, 300, 1, 1_000));
    await storage.close();
    await rm(ballast);
    await writeFile(ballast, new Uint8Array(4 * 1024 * 1024)).catch(() => {});
    await expect(storageAt(directory).log.open()).rejects.toMatchObject({ code: "RAFT_STORAGE_FAILED" });
    await rm(ballast);
    expect((await contentsOf(storageAt(directory))).entries).toEqual(entries(1, 300, 1, 1_000));
  });
});
