import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LevelDbFiles } from "@mon/leveldb-check";
import { Level } from "level";
import { afterEach } from "vitest";

const made: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const undo of made.splice(0).reverse()) await undo();
});

/** A directory that goes with the test. */
async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mon-leveldb-check-"));
  made.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The files of a directory by name, but for those that hold no data. */
export type Contents = Map<string, Buffer>;

async function contentsOf(directory: string): Promise<Contents> {
  const contents: Contents = new Map();
  for (const name of await readdir(directory)) {
    if (/^(LOCK|LOG|LOG\.old)$/.test(name)) continue;
    contents.set(name, await readFile(join(directory, name)));
  }
  return contents;
}

/** Files in memory, to examine. */
export function filesOf(
  contents: Contents,
  turn = async (_bytes: number): Promise<void> => {},
): LevelDbFiles {
  const bytesOf = (name: string): Buffer => {
    const bytes = contents.get(name);
    if (bytes === undefined) throw new Error(`expected a file, got none: ${name}`);
    return bytes;
  };
  return {
    path: "db",
    turn,
    names: async () => [...contents.keys()],
    readFile: async (name) => bytesOf(name),
    async open(name) {
      const bytes = bytesOf(name);
      return {
        bytes: bytes.length,
        read: async (at, length) => Buffer.from(bytes.subarray(at, at + length)),
        close: async () => {},
      };
    },
  };
}

/** The same files, with another bit in one. */
export function flipped(contents: Contents, name: string, at: number): Contents {
  const bytes = Buffer.from(contents.get(name)!);
  bytes[at]! ^= 1 << (at % 8);
  return new Map(contents).set(name, bytes);
}

/** What ends each value that {@link writtenDatabase} writes. */
export const mark: Buffer = Buffer.from("-this ends a batch-");

export interface DatabaseOptions {
  readonly compression: boolean;
  /** Entries in tables, and then in the log. */
  readonly entries?: number;
}

function levelOf(directory: string, compression: boolean): Level<string, string> {
  return new Level(directory, { compression, writeBufferSize: 65_536, blockSize: 1_024 } as never);
}

/** A LevelDB as a kill leaves it: tables, and a log that is not empty. */
export async function writtenDatabase({ compression, entries = 300 }: DatabaseOptions): Promise<Contents> {
  const directory = await temporaryDirectory();
  for (const round of ["a", "b"]) {
    // Opening moves the log to a table.
    const level = levelOf(directory, compression);
    const pairs = Array.from({ length: round === "a" ? entries : 5 }, (_, i) => entryOf(round, i));
    // What stays in the log is of one entry a batch, each with the mark at its end.
    const size = round === "a" ? 100 : 1;
    for (let begin = 0; begin < pairs.length; begin += size) {
      const batch = pairs.slice(begin, begin + size);
      await level.batch(batch.map(([key, value]) => ({ type: "put", key, value })));
    }
    await level.close();
  }
  return contentsOf(directory);
}

function entryOf(round: string, i: number): [string, string] {
  const key = `${round}-${String(i).padStart(5, "0")}`;
  return [key, `${key} ${Math.sin(i)} ${"x".repeat(i % 50)}${mark}`];
}

/** What LevelDB reads of files. */
export async function entriesOf(contents: Contents): Promise<Map<string, string>> {
  const directory = await temporaryDirectory();
  for (const [name, bytes] of contents) await writeFile(join(directory, name), bytes);
  const level = levelOf(directory, true);
  try {
    return new Map(await level.iterator().all());
  } finally {
    await level.close();
  }
}
