import { mkdir, readdir } from "node:fs/promises";
import { type HardState, RaftError, type SnapshotMeta, type SnapshotStore } from "@mon/raft";
import type { Database, Snapshot } from "./database.ts";
import { failureOf } from "./failure.ts";
import type { Head } from "./head.ts";
import type { LevelStorage } from "./level-storage.ts";
import { scanLog } from "./log-scan.ts";

/** What is copied from. */
export interface CopySource {
  readonly database: Database;
  readonly snapshots: Pick<SnapshotStore, "latest" | "open">;
}

/** How often a snapshot and a compaction may come between. */
const maxAttempts = 10;

/** Copies to storage that nothing was written to, and closes it. */
export async function copyStorage(source: CopySource, copy: LevelStorage): Promise<void> {
  await assertEmpty(copy.directory);
  const { snapshot, head, meta } = await fittingView(source);
  try {
    if (meta !== undefined) {
      const sink = await copy.snapshots.create(meta);
      try {
        for await (const piece of source.snapshots.open(meta)) await sink.write(piece);
        await sink.commit();
      } finally {
        await sink.abort();
      }
    }
    await copyLog(source.database, snapshot, head, copy);
  } finally {
    await snapshot.close();
    await copy.close();
  }
}

async function assertEmpty(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    const [name] = await readdir(directory);
    if (name === undefined) return;
    throw new RaftError("RAFT_STORAGE_FAILED", `${directory}: expected an empty directory, got ${name}`);
  } catch (cause) {
    throw failureOf(cause, directory);
  }
}

/** A moment of the log, and a snapshot that reaches up to where the log began then. */
async function fittingView({
  database,
  snapshots,
}: CopySource): Promise<{ snapshot: Snapshot; head: Head; meta: SnapshotMeta | undefined }> {
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    const meta = await snapshots.latest();
    const view = database.snapshot();
    const head = await view.head;
    if (head.base.index <= (meta?.index ?? 0)) return { snapshot: view.snapshot, head, meta };
    await view.snapshot.close();
  }
  throw new RaftError(
    "RAFT_BUSY",
    `expected a snapshot to stay the newest for a moment, got ${maxAttempts} newer ones`,
  );
}

async function copyLog(
  database: Database,
  snapshot: Snapshot,
  head: Head,
  { log }: LevelStorage,
): Promise<void> {
  await log.open();
  const { hardState } = head;
  if (hardState === undefined) return;
  // Each batch says of the commit index what holds of the entries that are there.
  const upTo = (index: number): HardState => ({ ...hardState, commit: Math.min(hardState.commit, index) });
  const { index, term } = head.base;
  await log.append({ hardState: upTo(index), reset: { index, term }, entries: [] });
  await scanLog(database, head, {
    snapshot,
    onEntries: async (entries) => {
      const last = entries.at(-1);
      if (last === undefined) return;
      await log.append({ hardState: upTo(last.index), reset: undefined, entries });
    },
  });
}
