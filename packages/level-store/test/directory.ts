import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LevelStore, type LevelStoreDeps } from "@mon/level-store";
import { afterEach } from "vitest";

const made: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const undo of made.splice(0).reverse()) await undo();
});

/** Memory where the system offers it as a file system; for tests that open many stores and care for no disk. */
const memory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A directory that goes with the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(memory, "mon-level-store-"));
  made.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** An instant to count from: 2026-01-01T00:00:00Z. */
export const t0 = 1_767_225_600_000;

/** Opens a store over a directory; closed with the test. */
export async function openStore(directory: string, deps: Partial<LevelStoreDeps> = {}): Promise<LevelStore> {
  const store = new LevelStore({ now: () => t0, ...deps, directory });
  await store.open();
  made.push(() => store.close());
  return store;
}

/** What a power cut or kill would leave now: a copy of the files, without closing anything. */
export async function copyOf(directory: string): Promise<string> {
  const copy = join(await temporaryDirectory(), "copy");
  await cp(directory, copy, { recursive: true });
  return copy;
}
