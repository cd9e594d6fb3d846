import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlockDecoder, ChunkMaker, LevelStore, type LevelStoreDeps } from "@mon/level-store";
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

/** One thread of each kind for all stores of a test file: starting it takes longer than most tests. */
const maker = new ChunkMaker();
const decoder = new BlockDecoder();

/** Opens a store over a directory; closed with the test. */
export async function openStore(directory: string, deps: Partial<LevelStoreDeps> = {}): Promise<LevelStore> {
  const store = new LevelStore({ now: () => t0, maker, decoder, ...deps, directory });
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

/** Moves everything from the journal to chunks, and changes nothing else. */
export async function settle(store: LevelStore): Promise<void> {
  let firstMs = Number.POSITIVE_INFINITY;
  for (const { hostId } of await store.hosts({ limit: 1_000 })) {
    const slices = store.read({ hostId, startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY });
    for await (const { columns } of slices) {
      for (const { timestampsMs } of columns) firstMs = Math.min(firstMs, timestampsMs[0]!);
      if (columns.length > 0) break;
    }
  }
  // What is older must be in chunks for a trim, and no block ends so early.
  await store.trim(firstMs + 1);
}
