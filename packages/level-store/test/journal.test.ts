import { cp, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Attempts } from "./attempts.ts";
import { failSyncs, holdSyncs, mendSyncs } from "./builtins.ts";
import { readAll, report } from "./contents.ts";
import { copyOf, openStore, t0, temporaryDirectory } from "./directory.ts";

const hourMs = 3_600_000;

/** A directory before and after one record, as its files were then. */
interface Pair {
  readonly before: string;
  readonly file: string;
  readonly bytesBefore: Buffer;
  readonly bytesAfter: Buffer;
  readonly pointsBefore: readonly string[];
  readonly pointsAfter: readonly string[];
}

/** @param rounds - how often the journal was made into chunks before, so that its files are used again */
async function pairOf(rounds: number): Promise<Pair> {
  const directory = await temporaryDirectory();
  const store = await openStore(directory);
  let n = 0;
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++, n++) {
      await store.write([report("h", t0 + n * 1_000, { a: n, b: Math.sin(n) })]);
    }
  };
  for (let round = 0; round < rounds; round++) {
    await write(10);
    await store.pack(t0 + 100 * hourMs);
  }
  await write(3);
  const { points: pointsBefore } = await readAll(store, "h");
  const before = await copyOf(directory);
  await write(1);
  const { points: pointsAfter } = await readAll(store, "h");
  for (const name of await readdir(join(directory, "journal"))) {
    const file = join("journal", name);
    const bytesBefore = await readFile(join(before, file));
    const bytesAfter = await readFile(join(directory, file));
    if (bytesBefore.equals(bytesAfter)) continue;
    return { before, file, bytesBefore, bytesAfter, pointsBefore, pointsAfter };
  }
  throw new Error("expected a record to change a file of the journal");
}

/** The stretch that the record takes, in steps of what begins a record. */
function stretchOf({ bytesBefore, bytesAfter }: Pair): { start: number; end: number } {
  let start = 0;
  while (start < bytesBefore.length && bytesBefore[start] === bytesAfter[start]) start++;
  let end = bytesAfter.length;
  if (bytesBefore.length === end) while (bytesBefore[end - 1] === bytesAfter[end - 1]) end--;
  return { start: start & -64, end: (end + 63) & -64 };
}

/** What may be behind the last byte that reached the disk. */
const tails: Readonly<Record<string, (bytes: Buffer, from: number, pair: Pair) => Buffer>> = {
  "nothing more": (bytes, from) => bytes.subarray(0, from),
  zeros: (bytes, from) => Buffer.concat([bytes.subarray(0, from), Buffer.alloc(bytes.length - from)]),
  "what was there before": (bytes, from, { bytesBefore }) =>
    Buffer.concat([bytes.subarray(0, from), bytesBefore.subarray(from)]),
  garbage: (bytes, from) =>
    Buffer.concat([
      bytes.subarray(0, from),
      Buffer.from(bytes.subarray(from).map((byte, i) => byte ^ (i * 37))),
    ]),
};

describe.each([
  ["new", 0],
  ["used for the third time", 3],
] as const)("a power cut while a record is written to a file that is %s", (_, rounds) => {
  it.each(Object.keys(tails))(
    "leaves the state before or after it, whatever is torn off: %s",
    async (tail) => {
      const pair = await pairOf(rounds);
      const { start, end } = stretchOf(pair);
      expect(end - start).toBeGreaterThanOrEqual(128);
      let whole = 0;
      for (let cut = start; cut <= end; cut += 64) {
        const directory = join(await temporaryDirectory(), "copy");
        await cp(pair.before, directory, { recursive: true });
        await writeFile(join(directory, pair.file), tails[tail]!(pair.bytesAfter, cut, pair));
        const store = await openStore(directory);
        const { points } = await readAll(store, "h");
        const isWhole = points.length === pair.pointsAfter.length;
        expect(points).toEqual(isWhole ? pair.pointsAfter : pair.pointsBefore);
        expect((await store.stats()).damage).toEqual([]);
        if (isWhole) whole++;
        // It goes on from there.
        await store.write([report("g", t0, { c: cut })]);
        await store.close();
        const again = await openStore(directory);
        expect((await readAll(again, "h")).points).toEqual(points);
        expect((await readAll(again, "g")).points).toEqual([`c ${t0} ${cut}`]);
        expect((await again.stats()).damage).toEqual([]);
        await again.close();
      }
      expect(whole).toBeGreaterThanOrEqual(1);
      expect(whole).toBeLessThan((end - start) / 64 + 1);
    },
  );
});

describe("a sync that fails", () => {
  it("is never tried again: the file is given up, and a new one begun", async () => {
    const directory = await temporaryDirectory();
    const attempts = new Attempts();
    const { wait, logger } = attempts;
    const store = await openStore(directory, { wait, logger });
    await store.write([report("h", t0, { a: 1 })]);
    failSyncs();
    const lost = report("h", t0 + 1, { a: 2, b: 2 });
    const [fate] = await store.write([lost]);
    expect(fate).toMatchObject({ status: "retry", reason: expect.stringContaining("EIO") });
    expect((await store.stats()).unavailable).toMatch(/EIO/);
    expect((await readAll(store, "h")).points).toEqual([`a ${t0} 1`]);
    const givenUp = await readFile(join(directory, "journal", "0"));

    await attempts.next("the directory cannot be written yet");
    expect((await readAll(store, "h")).points).toEqual([`a ${t0} 1`]);
    mendSyncs();
    await attempts.next("writes are taken again");
    await store.write([report("h", t0 + 2, { a: 3 })]);
    expect(await readFile(join(directory, "journal", "0"))).toEqual(givenUp);

    for (const opened of [store, await openStore(await copyOf(directory))]) {
      expect((await readAll(opened, "h")).points).toEqual([`a ${t0} 1`, `a ${t0 + 2} 3`]);
      expect((await opened.stats()).damage).toEqual([]);
      // The series of what was refused is not known.
      expect((await opened.metrics({})).map(({ name }) => name)).toEqual(["a"]);
    }
    expect(await store.write([lost])).toMatchObject([{ status: "stored" }]);
  });
});

describe("a slow disk", () => {
  it("lets no more wait than may, and answers the rest with retry", async () => {
    const options = { maxQueuedBytes: 2_000, maxBatchBytes: 500 };
    const store = await openStore(await temporaryDirectory(), { options });
    const letGo = holdSyncs();
    const writes = Array.from({ length: 200 }, (_, i) => store.write([report("h", t0 + i, { a: i })]));
    const refused = (await Promise.all(writes.slice(100))).map(([fate]) => fate!.status);
    expect(new Set(refused)).toEqual(new Set(["retry"]));
    letGo();
    const statuses = (await Promise.all(writes)).map(([fate]) => fate!.status);
    const stored = statuses.filter((status) => status === "stored").length;
    expect(stored).toBeGreaterThan(20);
    expect((await readAll(store, "h")).points).toHaveLength(stored);
  });

  it("shows nothing that is not yet on disk", async () => {
    const store = await openStore(await temporaryDirectory());
    const letGo = holdSyncs();
    const written = store.write([report("h", t0, { a: 1 })]);
    expect((await readAll(store, "h")).points).toEqual([]);
    letGo();
    await written;
    expect((await readAll(store, "h")).points).toHaveLength(1);
  });
});

it("goes on when the clock is set back", async () => {
  const directory = await temporaryDirectory();
  let nowMs = t0;
  const now = (): number => nowMs;
  const store = await openStore(directory, { now });
  await store.write([report("h", t0, { a: 1 })]);
  nowMs -= 1_000 * hourMs;
  await store.write([report("h", t0 + 1, { a: 2 })]);
  await store.pack(t0 + 100 * hourMs);
  await store.write([report("h", t0 + 2, { a: 3 })]);
  await store.close();
  nowMs -= 1_000 * hourMs;
  const again = await openStore(directory, { now });
  await again.write([report("h", t0 + 3, { a: 4 })]);
  expect((await readAll(again, "h")).points).toHaveLength(4);
  expect((await again.stats()).damage).toEqual([]);
});

it("refuses a journal of a newer format", async () => {
  const directory = await temporaryDirectory();
  await (await openStore(directory)).close();
  const file = join(directory, "journal", "0");
  const bytes = await readFile(file);
  const { crc32 } = await import("node:zlib");
  for (const at of [0, 512]) {
    bytes.writeUInt32LE(99, at + 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(at + 8, at + 48)), at + 4);
  }
  await writeFile(file, bytes);
  await expect(openStore(directory)).rejects.toMatchObject({ code: "STORE_VERSION_UNKNOWN" });
});

it("takes an empty file of the journal, as a crash while it was made leaves it", async () => {
  const directory = await temporaryDirectory();
  const store = await openStore(directory);
  await store.write([report("h", t0, { a: 1 })]);
  await store.close();
  await writeFile(join(directory, "journal", "1"), "");
  await writeFile(join(directory, "journal", "2"), "MOJF");
  await truncate(join(directory, "journal", "2"), 700);
  const again = await openStore(directory);
  expect((await readAll(again, "h")).points).toHaveLength(1);
  expect((await again.stats()).damage).toEqual([]);
});
