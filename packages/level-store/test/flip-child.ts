import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { ChunkMaker, LevelStore, type LevelStoreOptions } from "@mon/level-store";
import { readAll } from "./contents.ts";

// Flips bytes of a store's files one after another, and says what became of each. A process of its own, since LevelDB may
// stop the process. Arguments: a JSON of Work. Prints a line of JSON for each flip, before it (`at`) and after it.

interface Work {
  /** A closed store. */
  readonly directory: string;
  readonly scratch: string;
  readonly hostIds: readonly string[];
  /** Files whose names, from the directory on, match. */
  readonly pattern: string;
  /** Flips of each file, spread over it; its last bytes always. */
  readonly flips: number;
  readonly seed: number;
  readonly options: LevelStoreOptions;
  readonly nowMs: number;
}

const work = JSON.parse(process.argv[2]!) as Work;
const maker = new ChunkMaker();
const deps = {
  now: () => work.nowMs,
  maker,
  options: work.options,
  wait: async () => {
    await setTimeout(1);
  },
};

type Outcome = "whole" | "whole, named" | "named" | "refused" | "lost in silence" | "wrong";

async function pointsOf(store: LevelStore): Promise<Map<string, { points: string[]; missing: string[] }>> {
  const found = new Map<string, { points: string[]; missing: string[] }>();
  for (const hostId of work.hostIds) found.set(hostId, await readAll(store, hostId));
  return found;
}

/** What becomes of a store, against what was in it before. */
async function outcomeOf(
  directory: string,
  truth: Awaited<ReturnType<typeof pointsOf>> | undefined,
): Promise<{ outcome: Outcome; found?: Awaited<ReturnType<typeof pointsOf>>; damage?: readonly string[] }> {
  const store = new LevelStore({ ...deps, directory });
  try {
    await store.open();
  } catch (error) {
    return { outcome: "refused", damage: [String(error)] };
  }
  try {
    await store.verify({ bytesPerSecondMax: Number.POSITIVE_INFINITY });
    const found = await pointsOf(store);
    const { damage } = await store.stats();
    if (truth === undefined) return { outcome: "whole", found };
    let outcome: Outcome = damage.length > 0 ? "whole, named" : "whole";
    for (const [hostId, { points, missing }] of found) {
      const expected = new Set(truth.get(hostId)!.points);
      if (points.some((point) => !expected.has(point))) return { outcome: "wrong", damage };
      if (points.length === expected.size) continue;
      if (missing.length === 0) return { outcome: "lost in silence", damage };
      outcome = "named";
    }
    const latest = await store.latest(work.hostIds);
    for (const { hostId, samples } of latest) {
      const points = new Set(found.get(hostId)!.points);
      const told = samples.map(({ name, timestampMs, value }) => `${name} ${timestampMs} ${value}`);
      if (told.some((point) => !points.has(point))) return { outcome: "wrong", damage };
    }
    return { outcome, damage };
  } finally {
    await store.close();
  }
}

/** Positions of a file, spread evenly from a beginning that the seed gives. */
function positionsOf(size: number): number[] {
  const step = Math.max(1, Math.floor(size / work.flips));
  const positions = new Set<number>();
  for (let at = work.seed % step; at < size; at += step) positions.add(at);
  // The footer of a table, and what is before it.
  const tail = Math.min(size, work.flips);
  for (let i = 1; i <= tail; i += work.flips >= size ? 1 : 4) positions.add(size - i);
  return [...positions];
}

const pristine = join(work.scratch, "pristine");
await cp(work.directory, pristine, { recursive: true });
const { found: truth } = await outcomeOf(pristine, undefined);
const entries = await readdir(work.directory, { recursive: true, withFileTypes: true });
const names = entries
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(work.directory.length + 1))
  .filter((name) => new RegExp(work.pattern).test(name));
for (const name of names) {
  const bytes = await readFile(join(work.directory, name));
  for (const at of positionsOf(bytes.length)) {
    process.stdout.write(`${JSON.stringify({ name, at })}\n`);
    const copy = await mkdtemp(join(work.scratch, "flip-"));
    await cp(work.directory, copy, { recursive: true });
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1 << ((at * 7 + work.seed) % 8);
    await writeFile(join(copy, name), flipped);
    const { outcome, damage } = await outcomeOf(copy, truth);
    process.stdout.write(`${JSON.stringify({ name, at, outcome, damage })}\n`);
    await rm(copy, { recursive: true });
  }
}
await maker.close();
