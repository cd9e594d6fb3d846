import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LevelStore } from "@mon/level-store";
import type { Fragment } from "@mon/store";
import { afterEach, describe, expect, it } from "vitest";
import { Attempts } from "./attempts.ts";
import { collect, readAll, report } from "./contents.ts";
import { copyOf, openStore, t0, temporaryDirectory } from "./directory.ts";

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0 && process.platform === "linux";
const mounts: string[] = [];

afterEach(async () => {
  for (const mount of mounts.splice(0)) await run("umount", ["--lazy", mount]);
});

/** A file system of 6 MiB. */
async function smallDisk(): Promise<string> {
  const directory = await temporaryDirectory();
  await run("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", directory]);
  mounts.push(directory);
  return directory;
}

/** A large report; the same bytes at every instant, since making them takes longer than writing them. */
const large = report(
  "h",
  t0,
  Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`m${i}`, Math.sin(i)])),
);

/** Writes report after report until one is refused. @returns how many were stored */
async function fill(store: LevelStore): Promise<number> {
  for (let n = 0; ; n++) {
    const [fate] = await store.write([{ ...large, timestampMs: t0 + n }]);
    if (fate!.status !== "stored") return n;
  }
}

// Mounting needs root; where there is none a full disk cannot be had without filling somebody's.
describe.runIf(isRoot)("on a full disk", () => {
  it("refuses writes, serves reads, and takes writes again by itself once there is room", async () => {
    const disk = await smallDisk();
    const ballast = join(disk, "ballast");
    await writeFile(ballast, new Uint8Array(4.5 * 1024 * 1024));
    const attempts = new Attempts();
    const { wait, logger } = attempts;
    const directory = join(disk, "db");
    const store = await openStore(directory, { wait, logger });

    const stored = await fill(store);
    expect(stored).toBeGreaterThan(50);
    const refused = report("new-host", t0, { fresh: 1 });
    expect(await store.write([refused])).toMatchObject([{ status: "retry", retryDelayMs: 250 }]);
    expect((await store.stats()).unavailable).toMatch(/no space left/i);
    expect((await readAll(store, "h")).points).toHaveLength(stored * 200);
    await expect(store.setMetadata("h", { os: "linux" })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    await expect(store.trim(0)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });

    await attempts.next("the directory cannot be written yet");
    expect((await readAll(store, "h")).points).toHaveLength(stored * 200);
    expect(attempts.delays).toEqual([250, 500]);

    await rm(ballast);
    await attempts.next("writes are taken again");
    expect(await store.write([refused])).toMatchObject([{ status: "stored", durability: "fsync" }]);
    const stats = await store.stats();
    expect(stats.unavailable).toBeUndefined();
    expect(stats.damage).toEqual([]);
    expect((await readAll(store, "h")).points.length).toBeGreaterThanOrEqual(stored * 200);

    const copy = await openStore(await copyOf(directory));
    const series = await collect(copy.series({ hostIds: ["new-host"] }));
    expect(series).toEqual([{ hostId: "new-host", series: [{ name: "fresh", labels: [], kind: 1 }] }]);
  });

  it("writes the series of a refused report when the report is written again", async () => {
    const disk = await smallDisk();
    const ballast = join(disk, "ballast");
    await writeFile(ballast, new Uint8Array(4.5 * 1024 * 1024));
    const attempts = new Attempts();
    const { wait, logger } = attempts;
    const directory = join(disk, "db");
    const store = await openStore(directory, { wait, logger });
    const own = (i: number): Fragment => report("h", t0 + i, { [`own_${i}`]: i });
    let n = 0;
    // Each report brings a series of its own, the one that is refused as well.
    for (let status = "stored"; status === "stored"; n++) {
      const [, fate] = await store.write([{ ...large, timestampMs: t0 + n }, own(n)]);
      status = fate!.status;
    }
    await rm(ballast);
    await attempts.next("writes are taken again");
    expect(await store.write([own(n - 1)])).toMatchObject([{ status: "stored" }]);
    const copy = await openStore(await copyOf(directory));
    const names = (await copy.metrics({})).map((metric) => metric.name);
    expect(names).toContain(`own_${n - 1}`);
    expect(names).toHaveLength(200 + n);
  });

  it("closes during an outage", async () => {
    const disk = await smallDisk();
    const attempts = new Attempts();
    const store = await openStore(join(disk, "db"), { wait: attempts.wait });
    await fill(store);
    await store.close();
    await expect(store.write([report("h", t0, { a: 1 })])).rejects.toMatchObject({ code: "STORE_NOT_OPEN" });
  });
});
