import {
  blockMs,
  type Catalogue,
  type Fragment,
  type HostState,
  type StoreError,
  seriesKey,
  type TrimResult,
  type WriteFate,
} from "@mon/store";
import type { Batch, WriterHost } from "./batch.ts";
import type { LostBatches } from "./damage.ts";
import type { Database } from "./database.ts";
import { failureOf } from "./failure.ts";
import { FragmentKeys, firstKeyOfBlock } from "./fragment-key.ts";
import { HighWaterFile } from "./high-water.ts";
import { catalogueKey, encodeHostState, encodeSeries } from "./host-record.ts";
import { Journal } from "./journal.ts";
import { hostKey, numberKey, singleKey, space } from "./key.ts";
import type { LevelStoreOptions } from "./options.ts";
import { jsonPayload } from "./record.ts";
import { type Checkpoint, type Recovered, recover } from "./recovery.ts";
import { encodeVersion, versionKey } from "./version.ts";

/** What the contents of a directory need. */
export interface ContentsDeps {
  readonly database: Database;
  readonly options: Required<LevelStoreOptions>;
  readonly now: () => number;
  /** Told once, when nothing more can be written until the directory is opened anew. */
  readonly onFailure: (failure: StoreError) => void;
}

const stored: WriteFate = Object.freeze({ status: "stored", durability: "fsync", copies: 1 });

/** Hosts whose last values one batch of a checkpoint holds; encoding them must not hold up the event loop. */
const hostsPerBatch = 64;

/** A sequence, and the bytes that had been committed when it was. */
interface Milestone {
  readonly sequence: number;
  readonly committedBytes: number;
}

/**
 * What an open directory holds: the catalogue in memory and the journal that changes both it and the disk.
 *
 * The catalogue takes note of a fragment when it is added to a batch, so that each is looked at once. Until the batch is
 * durable the catalogue is ahead of the disk; when a batch fails these contents are given up, and read back.
 */
export class Contents {
  readonly database: Database;
  readonly catalogue: Catalogue;
  readonly storeId: string;
  readonly complaints: Set<string>;
  readonly #deps: ContentsDeps;
  readonly #recovered: Pick<Recovered, "version" | "isNew" | "found" | "unrecorded" | "complaints">;
  readonly #highWater: HighWaterFile;
  readonly #journal: Journal;
  readonly #hosts = new Map<string, WriterHost>();
  #lost: readonly LostBatches[];
  /** Hosts whose state goes beyond their records. */
  #dirty: Set<string>;
  #checkpoint: Checkpoint;
  /** Rising; the first is the newest that is old enough. */
  #milestones: Milestone[];
  /** The batch that ended the last checkpoint. */
  #checkpointSequence = 0;
  /** Bytes committed when the last checkpoint began. */
  #checkpointedBytes = 0;
  /** Checkpoints and trims, one at a time. */
  #maintenance: Promise<unknown> = Promise.resolve();
  #checkpointDue: Promise<void> | undefined;

  private constructor(deps: ContentsDeps, recovered: Recovered, highWater: HighWaterFile) {
    this.#deps = deps;
    const { version, isNew, found, unrecorded, complaints } = recovered;
    this.#recovered = { version, isNew, found, unrecorded, complaints };
    this.#highWater = highWater;
    this.database = deps.database;
    this.catalogue = recovered.catalogue;
    this.storeId = recovered.version.storeId;
    this.complaints = new Set(recovered.complaints);
    this.#journal = new Journal({ ...deps, highWater }, recovered.position, deps.options.maxBatchBytes);
    this.#lost = [...recovered.onRecord, ...recovered.found];
    this.#dirty = new Set(recovered.dirty);
    this.#checkpoint = { ...recovered.checkpoint, baseline: recovered.position.baseline };
    // Opening has moved everything from LevelDB's log to tables.
    this.#milestones = [
      { sequence: recovered.position.lastSequence, committedBytes: Number.NEGATIVE_INFINITY },
    ];
  }

  /** Reads back what a database holds. {@link begin} is to follow. */
  static async load(deps: ContentsDeps): Promise<Contents> {
    const recovered = await recover(deps.database, deps.now());
    return new Contents(deps, recovered, await HighWaterFile.open(deps.database.directory));
  }

  /** Writes down what was found out on loading. The first write also proves that the directory takes any. */
  async begin(): Promise<void> {
    const { version, isNew, found, unrecorded, complaints } = this.#recovered;
    await this.#journal.append((batch) => {
      if (isNew) batch.put(versionKey, encodeVersion(version));
      for (const lost of found) batch.put(numberKey(space.damage, lost.firstSequence), jsonPayload(lost));
      for (const { hostId, series } of unrecorded) {
        batch.put(catalogueKey(hostId, seriesKey(series)), encodeSeries(series));
      }
    });
    if (found.length > 0 || complaints.length > 0) await this.checkpoint();
  }

  get lost(): readonly LostBatches[] {
    return this.#lost;
  }

  get queuedBytes(): number {
    return this.#journal.queuedBytes;
  }

  /** Keeps a complaint of a read, unless there are many already. */
  complain(complaint: string): void {
    if (this.complaints.size < complaintsLimit) this.complaints.add(complaint);
  }

  /** The keys of a host's fragments. @throws {RangeError} when the id is none */
  keysOf(hostId: string): FragmentKeys {
    return this.#hosts.get(hostId)?.keys ?? new FragmentKeys(hostId);
  }

  /** Writes fragments in one batch; what was rejected is settled at once, the rest when the batch is. */
  async write(fragments: readonly Fragment[], retry: (reason: string) => WriteFate): Promise<WriteFate[]> {
    const fates = new Array<WriteFate>(fragments.length).fill(stored);
    try {
      await this.#journal.append((batch) => {
        for (let i = 0; i < fragments.length; i++) {
          const reason = this.#add(batch, fragments[i]!);
          if (reason !== undefined) fates[i] = { status: "rejected", reason };
        }
      });
    } catch (failure) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      return fates.map((fate) => (fate.status === "stored" ? retry(reason) : fate));
    }
    this.#checkpointWhenDue();
    return fates;
  }

  /** @returns why it is rejected */
  #add(batch: Batch, fragment: Fragment): string | undefined {
    try {
      const { hostId, timestampMs, idHigh, idLow } = fragment;
      const host = this.#hosts.get(hostId) ?? newHost(hostId);
      const key = host.keys.of(timestampMs, idHigh, idLow);
      const { newSeries } = this.catalogue.observe(fragment);
      for (const series of newSeries)
        batch.put(catalogueKey(hostId, seriesKey(series)), encodeSeries(series));
      if (host.sequence === 0) this.#hosts.set(hostId, host);
      if (!host.isDirty) {
        host.isDirty = true;
        this.#dirty.add(hostId);
      }
      batch.putFragment(host, key, fragment);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async setMetadata(hostId: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    new FragmentKeys(hostId);
    await this.#journal.append((batch) => {
      const host = this.catalogue.ensureHost(hostId);
      host.metadata = { ...host.metadata, ...metadata };
      batch.put(hostKey(space.metadata, hostId), jsonPayload(host.metadata));
    });
  }

  /** Removes what a trim removes; see `MetricStore.trim`. */
  trim(beforeMs: number): Promise<TrimResult> {
    return this.#exclusively(async () => {
      const range = {
        gte: singleKey(space.fragment),
        lt: firstKeyOfBlock(Math.floor(beforeMs) - blockMs + 1),
      };
      const hasData = (await this.database.firstKey(range)) !== undefined;
      if (hasData) await this.database.clear(range);
      const result = await this.#trimCatalogue(beforeMs);
      // The batches before now hold fragments that a replay must not bring back into the catalogue.
      await this.#writeCheckpoint();
      if (hasData) await this.database.compact(range);
      return result;
    });
  }

  async #trimCatalogue(beforeMs: number): Promise<TrimResult> {
    let seriesRemoved = 0;
    let hostsRemoved = 0;
    await this.#journal.append((batch) => {
      const removed = this.catalogue.trim(beforeMs);
      for (const [hostId, keys] of removed.series) {
        seriesRemoved += keys.length;
        for (const key of keys) batch.delete(catalogueKey(hostId, key));
        putHosts(batch, [this.catalogue.host(hostId)]);
      }
      hostsRemoved = removed.hosts.length;
      for (const hostId of removed.hosts) {
        batch.delete(hostKey(space.latest, hostId));
        batch.delete(hostKey(space.metadata, hostId));
        this.#hosts.delete(hostId);
        this.#dirty.delete(hostId);
      }
      // A gap that the next open would look at needs its record still.
      const isPast = (lost: LostBatches): boolean =>
        lost.endMs < beforeMs && lost.lastSequence < this.#journal.baseline;
      for (const lost of this.#lost) {
        if (isPast(lost)) batch.delete(numberKey(space.damage, lost.firstSequence));
      }
      this.#lost = this.#lost.filter((lost) => !isPast(lost));
    });
    return { beforeMs, hostsRemoved, seriesRemoved };
  }

  /** Writes the last values of hosts that have changed, so that opening need not read what was written before. */
  checkpoint(): Promise<void> {
    return this.#exclusively(() => this.#writeCheckpoint());
  }

  #checkpointWhenDue(): void {
    const written = this.#journal.committedBytes - this.#checkpointedBytes;
    if (written < this.#deps.options.checkpointBytes || this.#checkpointDue !== undefined) return;
    // A checkpoint that fails has failed the journal, which tells of it; the next open reads further back.
    this.#checkpointDue = this.checkpoint()
      .catch(() => {})
      .finally(() => {
        this.#checkpointDue = undefined;
      });
  }

  async #writeCheckpoint(): Promise<void> {
    const covered = this.#journal.seal();
    const committedBytes = this.#journal.committedBytes;
    this.#checkpointedBytes = committedBytes;
    const dirty = [...this.#dirty];
    this.#dirty = new Set();
    for (const hostId of dirty) {
      const host = this.#hosts.get(hostId);
      if (host !== undefined) host.isDirty = false;
    }
    for (let i = 0; i < dirty.length; i += hostsPerBatch) {
      const hosts = dirty.slice(i, i + hostsPerBatch).map((hostId) => this.catalogue.host(hostId));
      await this.#journal.append((batch) => putHosts(batch, hosts));
    }
    this.#addMilestone({ sequence: covered, committedBytes });
    const baseline = this.#nextBaseline();
    const checkpoint = { covered, baseline };
    await this.#journal.append((batch) => batch.put(singleKey(space.position), jsonPayload(checkpoint)));
    this.#journal.baseline = baseline;
    this.#checkpoint = checkpoint;
    this.#checkpointSequence = this.#journal.durableSequence;
    try {
      await this.#highWater.sync();
    } catch (cause) {
      throw failureOf(cause, this.database.directory);
    }
    await this.database.clear({ gte: singleKey(space.sequence), lt: numberKey(space.sequence, baseline) });
  }

  /** Milestones are kept at some distance, so that there are few of them however often checkpoints are made. */
  #addMilestone(milestone: Milestone): void {
    const distance = milestone.committedBytes - (this.#milestones.at(-1)?.committedBytes ?? 0);
    if (distance >= this.#deps.options.writeBufferBytes / 16) this.#milestones.push(milestone);
  }

  /**
   * Sequence records are kept while LevelDB's log can still lose their batches: until four write buffers have been
   * written after them, of which the log holds two at most.
   */
  #nextBaseline(): number {
    const safeBytes = this.#journal.committedBytes - 4 * this.#deps.options.writeBufferBytes;
    const safe = this.#milestones.filter((milestone) => milestone.committedBytes <= safeBytes);
    this.#milestones = this.#milestones.slice(Math.max(safe.length - 1, 0));
    return Math.max(this.#checkpoint.baseline, (safe.at(-1)?.sequence ?? 0) + 1);
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#maintenance.then(task);
    this.#maintenance = run.catch(() => {});
    return run;
  }

  /** Finishes what was begun and leaves the directory so that opening it is quick. The database is still open then. */
  async finish(): Promise<void> {
    try {
      if (this.#journal.durableSequence !== this.#checkpointSequence) await this.checkpoint();
    } finally {
      await this.abandon();
    }
  }

  /** Takes nothing more and waits for what is under way, whatever becomes of it. */
  async abandon(): Promise<void> {
    await this.#maintenance;
    this.#journal.end();
    await this.#journal.idle();
    await this.#highWater.close();
  }
}

/** Complaints of reads that are kept; the rest is alike. */
const complaintsLimit = 100;

function newHost(hostId: string): WriterHost {
  return {
    keys: new FragmentKeys(hostId),
    isDirty: false,
    sequence: 0,
    range: { hostId, minMs: 0, maxMs: 0 },
  };
}

function putHosts(batch: Batch, hosts: readonly (HostState | undefined)[]): void {
  for (const host of hosts) {
    if (host !== undefined) batch.put(hostKey(space.latest, host.hostId), encodeHostState(host));
  }
}
