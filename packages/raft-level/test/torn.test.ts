import { copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { append, type Contents, contentsOf, entries, hardState } from "./contents.ts";
import { copyOf, filesOf, storageAt, temporaryDirectory } from "./directory.ts";

/** A directory as it is after a last batch that nobody was told of, and where that batch is in LevelDB's log. */
interface Interrupted {
  readonly directory: string;
  readonly log: string;
  readonly from: number;
  readonly to: number;
  readonly before: Contents;
  readonly after: Contents;
}

/** The last batch overwrites entries 12 to 20, and so has all that a batch can have. */
async function interrupted(dataBytes: number): Promise<Interrupted> {
  const directory = await temporaryDirectory();
  const { log } = storageAt(directory);
  await log.open();
  await append(log, entries(1, 10), hardState(1, "a", 5));
  await append(log, entries(11, 20), hardState(1, "a", 11));
  const earlier = await copyOf(directory);
  const [path] = await filesOf(directory, /log\/\d+\.log$/);
  const from = (await stat(path!)).size;
  await append(log, entries(12, 13, 2, dataBytes), hardState(2, "b", 11));
  const to = (await stat(path!)).size;
  const later = await copyOf(directory);
  // What is noted of a batch is noted after it.
  await copyFile(join(earlier, "HIGHWATER"), join(later, "HIGHWATER"));
  const before = await contentsOf(storageAt(earlier));
  const after = await contentsOf(storageAt(await copyOf(later)));
  expect(before.state).toMatchObject({ lastIndex: 20, hardState: { term: 1, votedFor: "a" } });
  expect(after.state).toMatchObject({ lastIndex: 13, hardState: { term: 2, votedFor: "b" } });
  return { directory: later, log: path!.slice(directory.length), from, to, before, after };
}

/** Opens the directory with another log, and with the log that LevelDB makes of it. */
async function reopened(directory: string, log: string, bytes: Uint8Array): Promise<Contents> {
  const copy = await copyOf(directory);
  await writeFile(join(copy, log), bytes);
  const storage = storageAt(copy);
  const contents = await contentsOf(storage);
  await storage.close();
  return contents;
}

it("has the state before or after a batch whose write was cut at any byte (scenario 36)", async () => {
  const { directory, log, from, to, before, after } = await interrupted(10);
  const whole = await readFile(join(directory, log));
  for (let end = from; end <= to; end++) {
    expect(await reopened(directory, log, whole.subarray(0, end))).toEqual(end === to ? after : before);
  }
}, 60_000);

it("has the state before or after a batch whose write left zeros from any byte on", async () => {
  const { directory, log, from, to, before, after } = await interrupted(10);
  const whole = await readFile(join(directory, log));
  for (let end = from; end <= to; end++) {
    const bytes = Buffer.from(whole).fill(0, end);
    expect(await reopened(directory, log, bytes)).toEqual(end === to ? after : before);
  }
}, 60_000);

it("has the state before a batch over several blocks of which any sector, or any run of them, was not written", async () => {
  const { directory, log, from, to, before } = await interrupted(40_000);
  const whole = await readFile(join(directory, log));
  const first = Math.ceil(from / 512);
  for (let sector = first; sector * 512 < to; sector += 11) {
    for (const sectors of [1, 8, 64]) {
      const bytes = Buffer.from(whole).fill(0, sector * 512, Math.min(to, (sector + sectors) * 512));
      expect(await reopened(directory, log, bytes)).toEqual(before);
    }
  }
}, 60_000);

it("has the state before a torn batch when the machine stops again while LevelDB opens, and no other one after it", async () => {
  const { directory, log, to, before } = await interrupted(10);
  const torn = (await readFile(join(directory, log))).subarray(0, to - 5);
  const next = log.replace(/\d+(?=\.log)/, (number) => String(Number(number) + 10).padStart(6, "0"));
  await writeFile(join(directory, next), "");
  expect(await reopened(directory, log, torn)).toEqual(before);
  await writeFile(join(directory, next), torn);
  await expect(reopened(directory, log, torn)).rejects.toMatchObject({ code: "RAFT_LOG_CORRUPT" });
});

it("refuses a batch that was acknowledged and noted, and is torn", async () => {
  const { directory, log, from, to } = await interrupted(10);
  const copy = await copyOf(directory);
  const storage = storageAt(copy);
  await storage.log.open();
  // Closing notes the last batch.
  await storage.close();
  const whole = await readFile(join(directory, log));
  await copyFile(join(copy, "HIGHWATER"), join(directory, "HIGHWATER"));
  for (const end of [from, Math.floor((from + to) / 2), to - 1]) {
    await expect(reopened(directory, log, whole.subarray(0, end))).rejects.toMatchObject({
      code: "RAFT_LOG_CORRUPT",
    });
  }
});
