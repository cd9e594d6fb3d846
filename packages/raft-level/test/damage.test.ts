import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RaftError } from "@mon/raft";
import { expect, it } from "vitest";
import { append, conf, contentsOf, entries, entry, hardState } from "./contents.ts";
import { copyOf, filesOf, flip, storageAt, temporaryDirectory } from "./directory.ts";

const isFull = process.env.MON_TEST === "full";
const identity = { nodeId: "a", clusterId: "c", incarnation: 7 };

/** A directory with every kind of file: tables, a log, snapshots. As after a kill; what was noted is behind. */
async function filled(): Promise<string> {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory, { writeBufferBytes: 65_536 });
  await storage.stable.save({ identity, peers: { b: 1 } });
  await storage.log.open();
  for (let from = 1; from <= 600; from += 10) {
    await append(storage.log, entries(from, from + 9, 1, 300), hardState(1, "a", from));
  }
  for (const index of [100, 200]) {
    const sink = await storage.snapshots.create({ index, term: 1, conf, confIndex: 0 });
    await sink.write(entry(index, 1, 5_000).data);
    await sink.write(new Uint8Array(5_000).fill(index));
    await sink.commit();
  }
  await storage.log.compact({ index: 50, term: 1 });
  await append(storage.log, entries(590, 601, 2), hardState(2, undefined, 589));
  return await copyOf(directory);
}

/** Everything that there is in a directory, by opening it. */
async function allOf(directory: string): Promise<unknown> {
  const storage = storageAt(directory);
  try {
    const snapshot = await storage.snapshots.latest();
    return { stable: await storage.stable.load(), ...(await contentsOf(storage)), snapshot };
  } finally {
    await storage.close();
  }
}

/** What becomes of a directory one of whose files has another bit: all there is, or the code of the refusal. */
async function outcomeOf(directory: string, path: string, at: number, whole: unknown): Promise<string> {
  const copy = await copyOf(directory);
  await flip(path.replace(directory, copy), at);
  const names = await filesOf(copy, /log\//);
  let found: unknown;
  try {
    found = await allOf(copy);
  } catch (error) {
    expect(error).toBeInstanceOf(RaftError);
    // Noticed before LevelDB could make anything of it.
    expect(await filesOf(copy, /log\//)).toEqual(names);
    return (error as RaftError).code;
  }
  expect(found).toEqual(whole);
  return "whole";
}

/** Some positions of a file, its ends among them. */
function sample(size: number, count: number): number[] {
  const step = Math.max(1, Math.floor(size / count));
  const positions = Array.from({ length: Math.ceil(size / step) }, (_, i) => i * step);
  return [...new Set([...positions, size - 1, size - 9, size - 20])].filter((at) => at >= 0 && at < size);
}

const kinds: readonly [name: string, pattern: RegExp, count: number, outcomes: readonly string[]][] = [
  ["LevelDB's log", /log\/\d+\.log$/, 30, ["RAFT_LOG_CORRUPT", "whole"]],
  ["tables", /\.ldb$/, 14, ["RAFT_LOG_CORRUPT", "whole"]],
  ["MANIFEST", /log\/MANIFEST/, 40, ["RAFT_LOG_CORRUPT", "whole"]],
  ["CURRENT", /log\/CURRENT/, 16, ["RAFT_LOG_CORRUPT"]],
  ["HIGHWATER", /HIGHWATER/, 16, ["whole"]],
  ["lock", /lock\/(?!LOG)/, 4, ["whole"]],
];

it.each(kinds)(
  "has all of it, or refuses, after a flipped bit anywhere in %s",
  async (_, pattern, count, outcomes) => {
    const directory = await filled();
    const whole = await allOf(await copyOf(directory));
    const files = await filesOf(directory, pattern);
    expect(files).not.toEqual([]);
    const found = new Set<string>();
    for (const path of files) {
      for (const at of sample((await stat(path)).size, isFull ? count * 20 : count)) {
        found.add(await outcomeOf(directory, path, at, whole));
      }
    }
    expect([...found].sort()).toEqual(expect.arrayContaining([...outcomes.slice(0, 1)]));
    expect([...found].filter((outcome) => !outcomes.includes(outcome))).toEqual([]);
  },
  60_000,
);

it("refuses a flipped bit in the last batch, though nothing follows it", async () => {
  const directory = await filled();
  const whole = await allOf(await copyOf(directory));
  const [path] = await filesOf(directory, /log\/\d+\.log$/);
  const { size } = await stat(path!);
  for (let at = size - 200; at < size; at += isFull ? 1 : 4) {
    expect(await outcomeOf(directory, path!, at, whole)).toBe("RAFT_LOG_CORRUPT");
  }
}, 60_000);

it.each([
  ["a table", /\.ldb$/],
  ["LevelDB's log", /log\/\d+\.log$/],
  ["MANIFEST", /log\/MANIFEST/],
  ["CURRENT", /log\/CURRENT/],
  ["HIGHWATER", /HIGHWATER/],
])("refuses a directory without %s, and changes nothing in it", async (_, pattern) => {
  const directory = await filled();
  const [path] = await filesOf(directory, pattern);
  await rm(path!);
  const names = await filesOf(directory, /log\//);
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(allOf(directory)).rejects.toMatchObject({ code: "RAFT_LOG_CORRUPT" });
  }
  expect(await filesOf(directory, /log\//)).toEqual(names);
});

it("refuses a directory whose log was removed, since it forgot its votes", async () => {
  const directory = await filled();
  await rm(join(directory, "log"), { recursive: true });
  await expect(allOf(directory)).rejects.toMatchObject({ code: "RAFT_LOG_CORRUPT" });
});

it("refuses a log that lost its last batches whole, once they were noted", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.log.open();
  await append(storage.log, entries(1, 5));
  const [path] = await filesOf(directory, /log\/\d+\.log$/);
  const { size } = await stat(path!);
  await append(storage.log, entries(6, 9));
  await storage.close();
  const bytes = await readFile(path!);
  await writeFile(path!, bytes.subarray(0, size));
  await expect(allOf(directory)).rejects.toMatchObject({
    code: "RAFT_LOG_CORRUPT",
    message: expect.stringMatching(/expected the log to end with batch 2 or a later one, got 1/),
  });
});

it("refuses to forget the very first batch, noted or not", async () => {
  const directory = await temporaryDirectory();
  const storage = storageAt(directory);
  await storage.log.open();
  await append(storage.log, [], hardState(1, "b"));
  const copy = await copyOf(directory);
  const [path] = await filesOf(copy, /log\/\d+\.log$/);
  await writeFile(path!, "");
  await expect(allOf(copy)).rejects.toMatchObject({ code: "RAFT_LOG_CORRUPT" });
});
