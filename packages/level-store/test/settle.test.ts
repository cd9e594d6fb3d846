import { setImmediate } from "node:timers/promises";
import { ChunkMaker } from "@mon/level-store";
import type { Fragment, WriteFate } from "@mon/store";
import { Level } from "level";
import { describe, expect, it } from "vitest";
import { Generation, type GenerationOrigin } from "../src/generation.ts";
import { Attempts } from "./attempts.ts";
import { failSyncs, failWorkers, mendSyncs, mendWorkers } from "./builtins.ts";
import { collect, contentsOf, readAll, report } from "./contents.ts";
import { copyOf, openStore, settle, t0, temporaryDirectory } from "./directory.ts";

const hourMs = 3_600_000;
/** What a generation of no reports begins with; nobody looks at its file. */
const nothing: GenerationOrigin = {
  ordinal: 1,
  firstSequence: 1,
  file: new Promise<never>(() => {}),
  begunMs: t0,
};
const packAll = t0 + 1_000 * hourMs;

/** A report of about half a kilobyte. */
function wide(hostId: string, timestampMs: number, value: number): Fragment {
  const values = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`metric_${i}`, value + i]));
  return report(hostId, timestampMs, values);
}

/** How many keys of LevelDB begin with a letter. */
async function count(directory: string, space: string): Promise<number> {
  const level = new Level<Buffer, Buffer>(directory, { keyEncoding: "buffer", valueEncoding: "buffer" });
  const keys = await level
    .keys({ gte: Buffer.from(space), lt: Buffer.from([space.charCodeAt(0) + 1]) })
    .all();
  await level.close();
  return keys.length;
}

it("lets writers wait while two generations are full, and keeps its memory bounded", async () => {
  const options = { generationBytes: 5_000 };
  const store = await openStore(await temporaryDirectory(), { options });
  let most = 0;
  for (let round = 0; round < 10; round++) {
    const writes = Array.from({ length: 20 }, (_, i) => {
      const n = 20 * round + i;
      return store.write([wide(`h${n % 3}`, t0 + n * 1_000, n)]);
    });
    for (const fates of await Promise.all(writes)) expect(fates).toMatchObject([{ status: "stored" }]);
    const { headBytes, generations } = await store.stats();
    expect(generations).toBeLessThanOrEqual(2);
    most = Math.max(most, headBytes);
  }
  // Two generations, and what came at once.
  expect(most).toBeLessThan(2 * 5_000 + 20 * 600);
  const counts = await Promise.all(
    ["h0", "h1", "h2"].map(async (h) => (await readAll(store, h)).points.length),
  );
  expect(counts).toEqual([67 * 20, 67 * 20, 66 * 20]);
});

it("answers retry when no chunks can be made and memory is full, and takes writes when they can again", async () => {
  const attempts = new Attempts();
  const { wait, logger } = attempts;
  const options = { generationBytes: 5_000 };
  const directory = await temporaryDirectory();
  const maker = new ChunkMaker();
  const store = await openStore(directory, { options, wait, logger, maker });
  failWorkers();
  const fates: string[] = [];
  for (let i = 0; i < 40; i++) {
    const [fate] = await store.write([wide("h", t0 + i * 1_000, i)]);
    fates.push(fate!.status);
    if (fate!.status === "retry") break;
  }
  expect(fates.at(-1)).toBe("retry");
  const stored = fates.length - 1;
  expect(stored).toBeGreaterThan(10);
  expect((await readAll(store, "h")).points).toHaveLength(20 * stored);
  const packing = expect(store.pack(packAll)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await attempts.next("the journal could not be made into chunks; it stays as it is");
  await packing;
  await attempts.waiting();
  expect(attempts.delays).toEqual([250, 500]);

  mendWorkers();
  attempts.go();
  await store.pack(packAll);
  expect(await store.write([wide("h", t0 + 100_000, 1)])).toMatchObject([{ status: "stored" }]);
  expect((await readAll(store, "h")).points).toHaveLength(20 * (stored + 1));
  await store.close();
  await maker.close();
});

it("leaves nobody waiting when it is closed while chunks are made", async () => {
  const maker = new ChunkMaker();
  const directory = await temporaryDirectory();
  const store = await openStore(directory, { options: { generationBytes: 5_000 }, maker });
  const writes: Promise<readonly WriteFate[]>[] = [];
  // The thread takes a while to begin.
  for (let i = 0; i < 60; i++) {
    writes.push(store.write([wide("h", t0 + i * 1_000, i)]));
    await setImmediate();
  }
  expect((await store.stats()).generations).toBe(2);
  const upkeep = [store.pack(packAll), store.trim(t0 + 1)].map((promise) => promise.catch((error) => error));
  await store.close();
  for (const result of await Promise.all(upkeep)) {
    if (result instanceof Error) expect(result).toMatchObject({ code: "STORE_NOT_OPEN" });
  }
  const fates = (await Promise.all(writes)).flat();
  const stored = fates.filter(({ status }) => status === "stored").length;
  expect(fates.slice(stored).every(({ status }) => status === "retry")).toBe(true);
  expect((await readAll(await openStore(directory), "h")).points).toHaveLength(20 * stored);
  await maker.close();
});

it("is read the same while it is made into chunks, by readers that began before", async () => {
  const options = { generationBytes: 40_000 };
  const store = await openStore(await temporaryDirectory(), { options });
  for (let i = 0; i < 60; i++) await store.write([wide("h", t0 + i * 600_000, i)]);
  const expected = (await readAll(store, "h")).points;
  const points: string[] = [];
  // A slice for each hour.
  for await (const { columns } of store.read({ hostId: "h", startMs: t0, endMs: packAll })) {
    for (const { series, timestampsMs, values } of columns) {
      for (const [i, timestampMs] of timestampsMs.entries()) {
        points.push(`${series.name} ${timestampMs} ${values[i]}`);
      }
    }
    if (points.length > 200) continue;
    // Writes over the memory of what is still to be read, if that is used again.
    for (let i = 0; i < 300; i++) await store.write([wide("x", t0 + i * 1_000, -i)]);
    await store.pack(packAll);
  }
  expect(points.sort()).toEqual(expected);
});

it("keeps last values and data right when memory is used again", async () => {
  const options = { generationBytes: 30_000 };
  const store = await openStore(await temporaryDirectory(), { options });
  for (let i = 0; i < 10; i++) await store.write([wide(`quiet-${i}`, t0 + i, i)]);
  for (let i = 0; i < 300; i++) await store.write([wide("busy", t0 + i * 1_000, 1_000 + i)]);
  await store.pack(packAll);
  for (let i = 0; i < 300; i++) await store.write([wide("busy", t0 + hourMs + i * 1_000, 9_000 + i)]);
  for (let i = 0; i < 10; i++) {
    const [latest] = await store.latest([`quiet-${i}`]);
    expect(latest!.samples.find(({ name }) => name === "metric_3")).toMatchObject({
      value: i + 3,
      timestampMs: t0 + i,
    });
    expect((await readAll(store, `quiet-${i}`)).points).toContain(`metric_3 ${t0 + i} ${i + 3}`);
  }
  expect((await readAll(store, "busy")).points).toHaveLength(12_000);
});

it("never writes down a last value whose report was lost (R19)", async () => {
  const attempts = new Attempts();
  const { wait, logger } = attempts;
  // Its thread takes a while to begin; the sync fails meanwhile.
  const maker = new ChunkMaker();
  const options = { generationBytes: 2_000 };
  const store = await openStore(await temporaryDirectory(), { options, wait, logger, maker });
  for (let i = 0; i < 5; i++) await store.write([report("h", t0 + i, { a: i }), wide("h", t0 + i, i)]);
  expect((await store.stats()).generations).toBe(2);
  failSyncs();
  expect(await store.write([report("h", t0 + 100, { a: 999 })])).toMatchObject([{ status: "retry" }]);
  mendSyncs();
  // When this is answered the chunks are made; then last values would be written.
  await collect(maker.settle(new Generation(nothing), t0));
  for (let turn = 0; turn < 1_000; turn++) await setImmediate();
  await attempts.next("writes are taken again");
  await store.pack(packAll);
  const [latest] = await store.latest(["h"]);
  expect(latest!.samples.find(({ name }) => name === "a")).toMatchObject({ value: 4, timestampMs: t0 + 4 });
  await store.close();
  await maker.close();
});

it("makes chunks of what is old, though it is little", async () => {
  let nowMs = t0;
  const store = await openStore(await temporaryDirectory(), { now: () => nowMs });
  await store.write([wide("h", t0, 1)]);
  nowMs += 1_800_000;
  await store.write([wide("h", t0 + 1, 2)]);
  await store.pack(0);
  expect(await store.stats()).toMatchObject({ generations: 1, headBytes: expect.any(Number) });
  expect((await store.stats()).headBytes).toBeLessThan(700);
  expect((await readAll(store, "h")).points).toHaveLength(40);
});

it("makes the same chunks again when a crash came before it was noted that they were made", async () => {
  const directory = await temporaryDirectory();
  const store = await openStore(directory);
  for (let i = 0; i < 30; i++) await store.write([wide(`h${i % 3}`, t0 + i * 1_000, i)]);
  const expected = await contentsOf(store, ["h0", "h1", "h2"]);
  await settle(store);
  const crashed = await copyOf(directory);
  const level = new Level<Buffer, Buffer>(crashed, { keyEncoding: "buffer", valueEncoding: "buffer" });
  await level.del(Buffer.from("p"));
  await level.close();
  const chunks = await count(crashed, "k");
  expect(chunks).toBeGreaterThanOrEqual(3);

  const opened = await openStore(crashed);
  expect((await opened.stats()).headBytes).toBeGreaterThan(14_000);
  expect(await contentsOf(opened, ["h0", "h1", "h2"])).toEqual(expected);
  await settle(opened);
  expect(await contentsOf(opened, ["h0", "h1", "h2"])).toEqual(expected);
  expect((await opened.stats()).damage).toEqual([]);
  await opened.close();
  expect(await count(crashed, "k")).toBe(chunks);
});

it("stores zeros, NaNs and changing lists of series as they came", async () => {
  const store = await openStore(await temporaryDirectory());
  for (let i = 0; i < 50; i++) {
    const values: Record<string, number> = {
      zero: 0,
      sometimes: i % 3,
      [`own_${i % 7}`]: i,
      nan: Number.NaN,
    };
    await store.write([report("h", t0 + i * 1_000, values), report("h", t0 + i * 1_000, { zero: -0 })]);
  }
  const before = await readAll(store, "h");
  await settle(store);
  expect(await readAll(store, "h")).toEqual(before);
  await store.pack(packAll);
  expect(await readAll(store, "h")).toEqual(before);
});

describe("packing", () => {
  it("leaves one chunk of a block, and nothing of what it was made of (R13)", async () => {
    const directory = await temporaryDirectory();
    const store = await openStore(directory, { options: { generationBytes: 3_000 } });
    for (let i = 0; i < 60; i++) await store.write([wide("h", t0 + i * 1_000, i)]);
    const before = await readAll(store, "h");
    const result = await store.pack(packAll);
    expect(result.blocks).toBe((await collect(store.partitions())).length);
    expect(result.bytesAfter).toBeLessThan(result.bytesBefore);
    expect(await readAll(store, "h")).toEqual(before);
    expect(await store.pack(packAll)).toEqual({ blocks: 0, bytesBefore: 0, bytesAfter: 0 });
    await store.close();
    expect(await count(directory, "k")).toBe(result.blocks);
    expect(await count(directory, "q")).toBe(0);
  });

  it("leaves blocks alone that have not ended", async () => {
    const store = await openStore(await temporaryDirectory());
    await store.write([wide("h", t0, 1), wide("h", t0 + 5 * hourMs, 1)]);
    await settle(store);
    expect(await store.pack(t0 - hourMs)).toMatchObject({ blocks: 0 });
    expect(await store.pack(t0 + 2 * hourMs)).toMatchObject({ blocks: 1 });
    expect(await store.pack(packAll)).toMatchObject({ blocks: 1 });
  });

  it("packs a block again after 64 late reports, or an hour after the last, and not on each (R17)", async () => {
    let nowMs = t0 + 10 * hourMs;
    const store = await openStore(await temporaryDirectory(), { now: () => nowMs });
    let n = 0;
    const late = (many: number): Promise<unknown> =>
      store.write(Array.from({ length: many }, () => wide("h", t0 + n, n++)));
    await late(100);
    expect(await store.pack(packAll)).toMatchObject({ blocks: 1 });
    await late(1);
    expect(await store.pack(packAll)).toMatchObject({ blocks: 0 });
    await late(62);
    expect(await store.pack(packAll)).toMatchObject({ blocks: 0 });
    await late(1);
    expect(await store.pack(packAll)).toMatchObject({ blocks: 1 });
    await late(1);
    nowMs += hourMs - 1;
    expect(await store.pack(packAll)).toMatchObject({ blocks: 0 });
    nowMs += hourMs;
    expect(await store.pack(packAll)).toMatchObject({ blocks: 1 });
    expect((await readAll(store, "h")).points).toHaveLength(20 * n);
  });

  it("ends early when the store is closed, and goes on after the next open", async () => {
    const directory = await temporaryDirectory();
    const store = await openStore(directory);
    for (let hour = 0; hour < 40; hour++) await store.write([wide("h", t0 + hour * hourMs, hour)]);
    const before = await readAll(store, "h");
    await settle(store);
    const packing = store.pack(packAll);
    await store.close();
    const first = await packing;
    const again = await openStore(directory);
    const second = await again.pack(packAll);
    expect(first.blocks + second.blocks).toBe(40);
    expect(await readAll(again, "h")).toEqual(before);
  });
});
