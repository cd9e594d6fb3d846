import type { Fragment } from "../fragment.ts";
import type { Durability, MetricStore, Partition } from "../store.ts";
import type { Pieces } from "./byte-source.ts";
import type { HostDocument } from "./document.ts";
import { readBackup } from "./read-backup.ts";
import type { BackupHeader, BackupSummary } from "./summary.ts";

/** What a backup is restored into. */
export type RestoreTarget = Pick<MetricStore, "durability" | "importPartition" | "hosts" | "setMetadata">;

/** How a backup is restored. */
export interface RestoreBackupOptions {
  /**
   * What is older is past retention and is not restored, so that nothing rises from the dead (R26). In milliseconds
   * since the Unix epoch, by the clock that the store is trimmed by.
   */
  readonly keepFromMs: number;
  /** Reads and counts, and writes nothing. Default false. */
  readonly dryRun?: boolean;
  /** Ends the restore with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What a restore did. */
export interface RestoreResult {
  readonly header: BackupHeader;
  /** Partitions of which something is stored. */
  readonly partitions: number;
  /** Fragments that are stored, now or before. */
  readonly fragments: number;
  /** Fragments that were left out because they are older than {@link RestoreBackupOptions.keepFromMs}. */
  readonly fragmentsPastRetention: number;
  /** Hosts whose metadata is there, now or before. */
  readonly hosts: number;
  /** Hosts whose metadata was left out because their newest instant is past retention. */
  readonly hostsPastRetention: number;
  /** Partitions of which not everything could be read when the backup was made. */
  readonly partitionsDamaged: number;
  /** Bytes of the backup. */
  readonly bytes: number;
  /** Where what was stored is safe. */
  readonly durability: Durability;
}

/** Imports under way at a time, of a frame each: they share the flushes of a store that commits in groups. */
const importsMax = 4;

/**
 * Restores a backup into a store that is open, and may be in use. Fragments are content-addressed: those that the store
 * has stay as they are, those that it lacks are added, and none is replaced or removed. Of a host's metadata only keys
 * that the store lacks are set. So a restore can be repeated, also after one that was cut, and changes nothing that is
 * newer than the backup. Memory is bounded by a few frames.
 *
 * Each frame is checked before anything of it is written. When a later one turns out to be damaged, what came before is
 * stored and stays: to know beforehand, read the backup with `verifyBackup`.
 *
 * @throws {BackupError} when the bytes are no backup, are cut short, or have changed
 * @throws {StoreError} what the store throws; the restore can be repeated
 */
export async function restoreBackup(
  store: RestoreTarget,
  pieces: Pieces,
  options: RestoreBackupOptions,
): Promise<RestoreResult> {
  const restore = new Restore(store, options);
  const parts = readBackup(pieces);
  let summary: BackupSummary;
  try {
    while (true) {
      const next = await parts.next();
      options.signal?.throwIfAborted();
      if (next.done) {
        summary = next.value;
        break;
      }
      if (next.value.kind === "fragments")
        await restore.fragments(next.value.partition, next.value.fragments);
      else if (next.value.kind === "hosts") await restore.hosts(next.value.hosts);
    }
    await restore.settled();
  } finally {
    await parts.return(undefined as never);
    await restore.ended();
  }
  const { header, bytes, partitionsDamaged } = summary;
  return { header, bytes, partitionsDamaged, durability: store.durability, ...restore.counts };
}

class Restore {
  readonly #store: RestoreTarget;
  readonly #keepFromMs: number;
  readonly #isDry: boolean;
  readonly #open = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #partition: Partition | undefined;
  #partitions = 0;
  #fragments = 0;
  #fragmentsPastRetention = 0;
  #hosts = 0;
  #hostsPastRetention = 0;

  constructor(store: RestoreTarget, { keepFromMs, dryRun = false }: RestoreBackupOptions) {
    this.#store = store;
    this.#keepFromMs = keepFromMs;
    this.#isDry = dryRun;
  }

  get counts() {
    return {
      partitions: this.#partitions,
      fragments: this.#fragments,
      fragmentsPastRetention: this.#fragmentsPastRetention,
      hosts: this.#hosts,
      hostsPastRetention: this.#hostsPastRetention,
    };
  }

  /** Begins to store fragments; resolves when there is room for more. @throws what an import before threw */
  async fragments(partition: Partition, all: readonly Fragment[]): Promise<void> {
    const kept = all.filter(({ timestampMs }) => timestampMs >= this.#keepFromMs);
    this.#fragmentsPastRetention += all.length - kept.length;
    if (kept.length === 0) return;
    this.#fragments += kept.length;
    if (!isSame(this.#partition, partition)) this.#partitions++;
    this.#partition = partition;
    if (this.#isDry) return;
    const importing: Promise<void> = this.#store.importPartition(partition, each(kept)).then(
      () => void this.#open.delete(importing),
      (error: unknown) => {
        this.#open.delete(importing);
        this.#failure ??= { error };
      },
    );
    this.#open.add(importing);
    while (this.#open.size >= importsMax) await Promise.race(this.#open);
    this.#throwFailure();
  }

  async hosts(hosts: readonly HostDocument[]): Promise<void> {
    // A host shows up by its metadata alone, so data goes first.
    await this.settled();
    for (const { hostId, lastSeenMs, metadata } of hosts) {
      if (lastSeenMs > 0 && lastSeenMs < this.#keepFromMs) {
        this.#hostsPastRetention++;
        continue;
      }
      this.#hosts++;
      if (!this.#isDry) await this.#complete(hostId, metadata);
    }
  }

  /** Resolves when everything so far is stored. @throws what an import threw */
  async settled(): Promise<void> {
    await this.ended();
    this.#throwFailure();
  }

  /** Resolves when no import is under way. */
  async ended(): Promise<void> {
    await Promise.all(this.#open);
  }

  /** Sets what the store does not know of a host. */
  async #complete(hostId: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    const [first] = await this.#store.hosts({ prefix: hostId, limit: 1 });
    const known = first?.hostId === hostId ? first.metadata : undefined;
    const missing = Object.entries(metadata).filter(
      ([key]) => known === undefined || !Object.hasOwn(known, key),
    );
    if (known !== undefined && missing.length === 0) return;
    await this.#store.setMetadata(hostId, Object.fromEntries(missing));
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

function isSame(a: Partition | undefined, b: Partition): boolean {
  return a !== undefined && a.hostId === b.hostId && a.blockStartMs === b.blockStartMs;
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
