import { resolve } from "node:path";
import type { HardState, Identity, LogPosition, RaftError, SnapshotMeta } from "@mon/raft";
import { copyStorage } from "./backup.ts";
import { Database } from "./database.ts";
import { FileSnapshotStore } from "./file-snapshot-store.ts";
import { Lease, SharedDatabase } from "./lease.ts";
import { LevelLogStore } from "./level-log-store.ts";
import { LevelStableStore } from "./level-stable-store.ts";
import { type LevelStorageOptions, resolveOptions } from "./options.ts";

/** What storage needs. */
export interface LevelStorageDeps {
  /** Made when only its parent is there. One process, and one `LevelStorage` in it, has it open. */
  readonly directory: string;
  /** Told of each damaged snapshot that an older whole one stood in for. */
  readonly onDamage?: (error: RaftError) => void;
  readonly options?: LevelStorageOptions;
}

/** What a storage directory holds; every entry and every byte of the snapshot was verified. */
export interface StorageSummary {
  readonly identity: Identity | undefined;
  readonly hardState: HardState | undefined;
  /** The position before the first entry. */
  readonly base: LogPosition;
  readonly lastIndex: number;
  /** The newest snapshot that is whole. */
  readonly snapshot: SnapshotMeta | undefined;
}

/**
 * All that a member keeps, in one directory: the three stores that a node wants.
 *
 * The directory is locked, examined and opened when one of them is first used, and let go when all that were used are closed.
 * A failure of a write or sync ends log and identity for good: close, and make a new `LevelStorage` when the cause is
 * gone.
 */
export class LevelStorage {
  readonly directory: string;
  readonly log: LevelLogStore;
  readonly stable: LevelStableStore;
  readonly snapshots: FileSnapshotStore;
  readonly #shared: SharedDatabase;

  /** @throws {RangeError} naming the option that is out of range */
  constructor({ directory, onDamage = () => {}, options }: LevelStorageDeps) {
    this.directory = resolve(directory);
    const resolved = resolveOptions(options);
    this.#shared = new SharedDatabase(this.directory, () => Database.open(this.directory, resolved));
    const { maxEntryBytes, maxSnapshots } = resolved;
    this.log = new LevelLogStore(new Lease(this.#shared), maxEntryBytes);
    this.stable = new LevelStableStore(new Lease(this.#shared));
    this.snapshots = new FileSnapshotStore({ lease: new Lease(this.#shared), maxSnapshots, onDamage });
  }

  /**
   * Copies log, hard state and the newest snapshot, as of one moment, to a directory that is empty or not there, and verifies
   * the copy. The node may go on working meanwhile.
   *
   * The copy is a storage directory without identity: whatever starts from it is somebody new. A member must not come back
   * from a copy, since it would forget votes it gave and entries it acknowledged; a new cluster may begin with one.
   *
   * @throws {RaftError} RAFT_LOG_CORRUPT, RAFT_SNAPSHOT_CORRUPT, RAFT_STORAGE_FAILED; what is in the target is of no use then
   */
  async export(target: string): Promise<StorageSummary> {
    const lease = new Lease(this.#shared);
    try {
      const copy = new LevelStorage({ directory: target });
      await copyStorage({ database: await lease.database(), snapshots: this.snapshots }, copy);
      return await LevelStorage.verify(target);
    } finally {
      await lease.end(async () => {});
    }
  }

  /**
   * Verifies a directory that nobody has open: all that opening checks, every entry, and the newest snapshot. Changes nothing
   * in it that a start would not.
   *
   * @throws {RaftError} as opening the stores does
   */
  static async verify(directory: string): Promise<StorageSummary> {
    await using storage = new LevelStorage({ directory });
    const { hardState, base, lastIndex } = await storage.log.open();
    const stable = await storage.stable.load();
    const snapshot = await storage.snapshots.latest();
    return { identity: stable?.identity, hardState, base, lastIndex, snapshot };
  }

  /** Closes the stores. Idempotent; safe before they were used. */
  async close(): Promise<void> {
    await Promise.all([this.log.close(), this.stable.close(), this.snapshots.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
