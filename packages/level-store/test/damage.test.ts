import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LevelStore, LevelStoreOptions } from "@mon/level-store";
import type { Fragment } from "@mon/store";
import { Level } from "level";
import { describe, expect, it } from "vitest";
import { collect, readAll, report } from "./contents.ts";
import { copyOf, openStore, t0, temporaryDirectory } from "./directory.ts";

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
function reports(instants: number): Fragment[] {
  const next = numbers(7);
  const names = Array.from({ length: 10 }, (_, i) => `metric_${i}`);
  return Array.from({ length: instants }, (_, i) =>
    hostIds.map((hostId) =>
      report(hostId, t0 + i * 15_000, Object.fromEntries(names.map((name) => [name, next()]))),
    ),
  ).flat();
}

/** Writes reports one batch after another. */
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

/** A directory as a kill leaves it, and what was in it. */
async function written(
  options: LevelStoreOptions = {},
  instants = 400,
): Promise<{ directory: string; truth: Set<string> }> {
  const directory = await temporaryDirectory();
  const store = await openStore(directory, { options });
  await writeEach(store, reports(instants));
  const { points } = await pointsOf(store);
  // Waits for checkpoints, so that the files rest.
  await store.trim(0);
  const copy = await copyOf(directory);
  await store.close();
  return { directory: copy, truth: points };
}

async function filesLike(directory: string, pattern: RegExp): Promise<string[]> {
  return (await readdir(directory)).filter((name) => pattern.test(name)).map((name) => join(directory, name));
}

async function flip(file: string, position: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[position]! ^= 0x10;
  await writeFile(file, bytes);
}

describe("a damaged log", () => {
  it("is noticed at open, named in the answers it touches, and not forgotten by the next open (R12)", async () => {
    const { directory, truth } = await written();
    const [log] = await filesLike(directory, /\.log$/);
    await flip(log!, 100_000);

    const store = await openStore(directory);
    const { points, missing } = await pointsOf(store);
    expect(points.size).toBeLessThan(truth.size);
    expect(points.size).toBeGreaterThan(truth.size / 2);
    expect([...points].filter((point) => !truth.has(point))).toEqual([]);
    expect(missing[0]).toMatch(/^batches \d+ to \d+, written after .* lost; samples from 2026-01-01T/);
    const { damage } = await store.stats();
    expect(damage).toHaveLength(1);

    await store.close();
    const again = await openStore(directory);
    expect((await again.stats()).damage).toEqual(damage);
    expect(await pointsOf(again)).toEqual({ points, missing });
  });

  it("leaves ranges whole that it cannot have touched, and is forgotten when its data is past retention", async () => {
    const { directory } = await written();
    const [log] = await filesLike(directory, /\.log$/);
    await flip(log!, 100_000);
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

  it("is noticed when its end is gone, so that no later batch shows the gap", async () => {
    const { directory, truth } = await written();
    const [log] = await filesLike(directory, /\.log$/);
    const bytes = await readFile(log!);
    await writeFile(log!, bytes.subarray(0, bytes.length - 5_000));
    const store = await openStore(directory);
    const { points, missing } = await pointsOf(store);
    expect(points.size).toBeLessThan(truth.size);
    expect(missing[0]).toMatch(/lost; samples from/);
  });

  it("does not take the last values with it: they are those of what is still there", async () => {
    const { directory } = await written();
    const [log] = await filesLike(directory, /\.log$/);
    // From here to the end of the log's block: the checkpoint at the end is lost with the last batches.
    await flip(log!, (await readFile(log!)).length - 20_000);
    const store = await openStore(directory);
    for (const latest of await store.latest(hostIds)) {
      const { points } = await readAll(store, latest.hostId);
      const found = latest.samples.map(({ name, timestampMs, value }) => `${name} ${timestampMs} ${value}`);
      expect(found.filter((point) => !points.includes(point))).toEqual([]);
      const newest = Math.max(...points.map((point) => Number(point.split(" ")[1])));
      expect(latest.lastSeenMs).toBe(newest);
    }
    expect(await collect(store.series({}))).toHaveLength(3);
  });
});

it("notices a batch that is missing between others", async () => {
  const { directory } = await written({}, 20);
  const level = new Level<Uint8Array, Uint8Array>(directory, { keyEncoding: "view", valueEncoding: "view" });
  await level.del(Uint8Array.of(0x73, 0x80, 0, 0, 0, 0, 0, 0, 7));
  await level.close();
  const store = await openStore(directory);
  expect((await store.stats()).damage[0]).toMatch(/^batch 7, written after 2026/);
});

describe("a damaged table", () => {
  const options = { writeBufferBytes: 65_536, compression: false };

  it("costs the reports it held, which are named, and no other", async () => {
    const { directory, truth } = await written(options);
    for (const table of await filesLike(directory, /\.ldb$/)) {
      const bytes = await readFile(table);
      // In the middle of the values of one report; its name is in it as it is.
      const position = bytes.indexOf("metric_5", Math.floor(bytes.length / 2)) + 14;
      await flip(table, position);
    }
    const store = await openStore(directory, { options });
    const { points, missing } = await pointsOf(store);
    const lost = truth.size - points.size;
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBe(10 * missing.length);
    expect([...points].filter((point) => !truth.has(point))).toEqual([]);
    expect(missing[0]).toMatch(/^a report of host-\d at \d+ does not pass its checksum$/);
    expect((await store.stats()).damage.length).toBeGreaterThan(0);

    const failures: unknown[] = [];
    for (const partition of await collect(store.partitions())) {
      await collect(store.exportPartition(partition)).catch((error) => failures.push(error));
    }
    expect(failures).not.toEqual([]);
    for (const failure of failures) expect(failure).toMatchObject({ code: "STORE_CORRUPT" });
  });
});

// Tables are left out: LevelDB asserts on what it reads from them, so a flipped length may end this process.
it("never gives a wrong value, and names what it lost, whichever byte beside the tables is flipped", async () => {
  const { directory, truth } = await written({}, 200);
  const next = numbers(Number(process.env.SEED ?? 11));
  let opened = 0;
  for (const name of await readdir(directory)) {
    const size = (await readFile(join(directory, name))).length;
    for (let i = 0; i < 10 && size > 0; i++) {
      const damaged = join(await temporaryDirectory(), "copy");
      await cp(directory, damaged, { recursive: true });
      await flip(join(damaged, name), Math.floor(next() * size));
      try {
        const store = await openStore(damaged);
        const { points, missing } = await pointsOf(store);
        expect([...points].filter((point) => !truth.has(point))).toEqual([]);
        if (points.size < truth.size) expect(missing).not.toEqual([]);
        opened++;
        await store.close();
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_CORRUPT" });
      }
      await rm(damaged, { recursive: true });
    }
  }
  expect(opened).toBeGreaterThan(6);
});
