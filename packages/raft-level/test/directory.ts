import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LevelStorage, type LevelStorageOptions } from "@mon/raft-level";
import { afterEach } from "vitest";

const made: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const undo of made.splice(0).reverse()) await undo();
});

/** Memory where the system offers it as a file system; for tests that open many stores and care for no disk. */
const memory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A directory that goes with the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(memory, "mon-raft-level-"));
  made.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Storage over a directory; closed with the test. */
export function storageAt(directory: string, options: LevelStorageOptions = {}): LevelStorage {
  const storage = new LevelStorage({ directory, options });
  made.push(() => storage.close());
  return storage;
}

/** What a power cut or kill would leave now: a copy of the files, without closing anything. */
export async function copyOf(directory: string): Promise<string> {
  const copy = join(await temporaryDirectory(), "copy");
  await cp(directory, copy, { recursive: true });
  return copy;
}

/** The files of a directory and of those in it, by a pattern of their paths. */
export async function filesOf(directory: string, pattern: RegExp): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => pattern.test(path.slice(directory.length)))
    .sort();
}

/** Flips one bit of a file. */
export async function flip(path: string, at: number, bit = 0x10): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= bit;
  await writeFile(path, bytes);
}
