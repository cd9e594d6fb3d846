import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type LogPosition,
  RaftError,
  type SnapshotMeta,
  type SnapshotPoint,
  type SnapshotSink,
  type SnapshotStore,
} from "@mon/raft";
import type { Database } from "./database.ts";
import { failureOf, isMissing, stopped } from "./failure.ts";
import { FileSnapshotSink } from "./file-snapshot-sink.ts";
import type { Lease } from "./lease.ts";
import { positionOfName, SnapshotFile, snapshotName } from "./snapshot-file.ts";
import { syncDirectory } from "./sync-directory.ts";

/** What a snapshot store needs. */
export interface FileSnapshotStoreDeps {
  readonly lease: Lease;
  readonly maxSnapshots: number;
  /** Told of each damaged snapshot that an older one stood in for. */
  readonly onDamage: (error: RaftError) => void;
}

/**
 * Snapshots in files, one each; see {@link SnapshotStore} for the contract.
 *
 * `latest` reads the newest snapshot to its end. A damaged one is named, set aside as `*.damaged`, and an older one stands in
 * for it when the log still has every entry after that; otherwise the store refuses, and the member must be
 * rebuilt from the others.
 */
export class FileSnapshotStore implements SnapshotStore {
  readonly #deps: FileSnapshotStoreDeps;
  readonly #sinks = new Set<SnapshotSink>();
  #directory: Promise<string> | undefined;
  #made = 0;
  #failure: RaftError | undefined;

  constructor(deps: FileSnapshotStoreDeps) {
    this.#deps = deps;
  }

  async latest(): Promise<SnapshotMeta | undefined> {
    const database = await this.#database();
    const directory = await this.#ensureDirectory(database);
    try {
      if (this.#sinks.size === 0) await removeTemporaries(directory);
      return await this.#newestUsable(directory, database.head.base);
    } catch (cause) {
      throw failureOf(cause, directory);
    }
  }

  async #newestUsable(directory: string, base: LogPosition): Promise<SnapshotMeta | undefined> {
    const damaged: { readonly path: string; readonly error: RaftError }[] = [];
    for (const position of (await positionsIn(directory)).reverse()) {
      if (position.index < base.index) break;
      const path = join(directory, snapshotName(position));
      try {
        const meta = await verifySnapshot(path, position);
        await this.#setAside(directory, damaged);
        return meta;
      } catch (error) {
        if (!(error instanceof RaftError && error.code === "RAFT_SNAPSHOT_CORRUPT")) throw error;
        damaged.push({ path, error });
      }
    }
    const [newest] = damaged;
    if (newest === undefined && base.index === 0) return undefined;
    throw new RaftError(
      newest === undefined ? "RAFT_SNAPSHOT_MISSING" : "RAFT_SNAPSHOT_CORRUPT",
      `${newest?.error.message ?? directory}: expected a whole snapshot from entry ${base.index} on, where the log begins`,
      { index: base.index, cause: newest?.error },
    );
  }

  async #setAside(directory: string, damaged: readonly { path: string; error: RaftError }[]): Promise<void> {
    for (const { path, error } of damaged) {
      await rename(path, `${path}.damaged`);
      this.#deps.onDamage(error);
    }
    if (damaged.length > 0) await syncDirectory(directory);
  }

  async create(point: SnapshotPoint): Promise<SnapshotSink> {
    const directory = await this.#ensureDirectory(await this.#database());
    const path = join(directory, snapshotName(point));
    try {
      const sink: SnapshotSink = await FileSnapshotSink.create(point, {
        path,
        temporaryPath: `${path}.${++this.#made}.tmp`,
        onUnknown: (error) => {
          this.#failure = error;
        },
        onEnd: async () => {
          this.#sinks.delete(sink);
          await this.#removeExcess(directory);
        },
      });
      this.#sinks.add(sink);
      return sink;
    } catch (cause) {
      throw failureOf(cause, path);
    }
  }

  async *open(position: LogPosition): AsyncGenerator<Uint8Array> {
    const directory = await this.#ensureDirectory(await this.#database());
    const path = join(directory, snapshotName(position));
    let file: SnapshotFile;
    try {
      file = await SnapshotFile.open(path, position);
    } catch (cause) {
      if (!isMissing(cause)) throw failureOf(cause, path);
      const { index, term } = position;
      throw new RaftError("RAFT_SNAPSHOT_MISSING", `expected a snapshot at ${index} of term ${term}`, {
        index,
      });
    }
    try {
      yield* file.pieces();
    } catch (cause) {
      throw failureOf(cause, path);
    } finally {
      await file.close();
    }
  }

  async prune(index: number): Promise<void> {
    const directory = await this.#ensureDirectory(await this.#database());
    try {
      const positions = await positionsIn(directory);
      for (const position of positions.slice(0, -1)) {
        if (position.index < index) await rm(join(directory, snapshotName(position)), { force: true });
      }
      for (const name of await readdir(directory)) {
        const position = name.endsWith(".damaged") ? positionOfName(name.slice(0, -8)) : undefined;
        if (position !== undefined && position.index < index)
          await rm(join(directory, name), { force: true });
      }
    } catch (cause) {
      throw failureOf(cause, directory);
    }
  }

  async #removeExcess(directory: string): Promise<void> {
    const positions = await positionsIn(directory);
    for (const position of positions.slice(0, -this.#deps.maxSnapshots)) {
      // One that stays is in nobody's way, and the next snapshot tries again.
      await rm(join(directory, snapshotName(position)), { force: true }).catch(() => {});
    }
  }

  async close(): Promise<void> {
    await this.#deps.lease.end(async () => {
      for (const sink of this.#sinks) await sink.abort();
    });
  }

  async #database(): Promise<Database> {
    if (this.#deps.lease.isClosed) throw stopped();
    if (this.#failure !== undefined) throw this.#failure;
    return await this.#deps.lease.database();
  }

  #ensureDirectory(database: Database): Promise<string> {
    this.#directory ??= makeDirectory(database.directory).catch((cause: unknown) => {
      this.#directory = undefined;
      throw failureOf(cause, database.directory);
    });
    return this.#directory;
  }
}

async function makeDirectory(parent: string): Promise<string> {
  const directory = join(parent, "snapshots");
  const made = await mkdir(directory, { recursive: true });
  if (made !== undefined) await syncDirectory(parent);
  return directory;
}

/** What a crash left half written. */
async function removeTemporaries(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.endsWith(".tmp")) await rm(join(directory, name), { force: true });
  }
}

/** Where there are snapshots, ascending. */
async function positionsIn(directory: string): Promise<LogPosition[]> {
  const names = await readdir(directory);
  return names.sort().flatMap((name) => positionOfName(name) ?? []);
}

/** Reads a snapshot to its end. @throws {RaftError} RAFT_SNAPSHOT_CORRUPT, or what the file system throws */
async function verifySnapshot(path: string, position: LogPosition): Promise<SnapshotMeta> {
  const file = await SnapshotFile.open(path, position);
  try {
    for await (const _ of file.pieces());
    return file.meta;
  } finally {
    await file.close();
  }
}
