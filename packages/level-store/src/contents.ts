import {
  blockMs,
  type Catalogue,
  type Fragment,
  type PackResult,
  type StoreError,
  type TrimResult,
} from "@mon/store";
import type { Batch } from "./batch.ts";
import { BatchLog } from "./batch-log.ts";
import { firstKeyOfBlock } from "./chunk-key.ts";
import type { ChunkMaker } from "./chunk-maker.ts";
import type { Loss } from "./damage.ts";
import type { Database } from "./database.ts";
import { failureOf } from "./failure.ts";
import { convertFormat1, hasFormat1, observeFormat1 } from "./format-1.ts";
import { Generation } from "./generation.ts";
import { Head } from "./head.ts";
import { HighWaterFile } from "./high-water.ts";
import { assertHostId } from "./host-blocks.ts";
import { catalogueKey, encodeHostState } from "./host-record.ts";
import { writeHosts } from "./host-writer.ts";
import { Journal } from "./journal.ts";
import { JournalFiles } from "./journal-files.ts";
import { hostKey, numberKey, singleKey, space } from "./key.ts";
import type { LevelStoreOptions } from "./options.ts";
import { Packer } from "./packer.ts";
import { jsonPayload } from "./record.ts";
import { type Recovered, recover } from "./recovery.ts";
import { Settler } from "./settler.ts";
import { SlabPool, slabBytes } from "./slab.ts";
import { encodeVersion, formatVersion, versionKey } from "./version.ts";
import { Writer } from "./writer.ts";
import { hostOf, type WriterHost } from "./writer-host.ts";

/** What the contents of a directory need. */
export interface ContentsDeps {
  readonly database: Database;
  readonly options: Required<LevelStoreOptions>;
  readonly now: () => number;
  readonly maker: ChunkMaker;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Told once, when nothing more can be written until the directory is opened anew. */
  readonly onFailure: (failure: StoreError) => void;
  /** Told when chunks could not be made and it will be tried again. */
  readonly onSettleRetry: (error: unknown) => void;
  /** The last record of the journal that was acknowledged, when it was given up. */
  readonly acknowledged: number | undefined;
}

/** Complaints of reads that are kept; the rest is alike. */
const complaintsLimit = 100;

/**
 * What an open directory holds: the journal, which takes what is written; the chunks that it becomes in LevelDB; and the
 * catalogue in memory.
 *
 * The catalogue takes note of a fragment when it is added to a record, so that each is looked at once. Until the record
 * is durable the catalogue is ahead of the disk; when one fails these contents are given up, and read back.
 */
export class Contents {
  readonly database: Database;
  readonly catalogue: Catalogue;
  readonly storeId: string;
  readonly complaints: Set<string>;
  readonly journal: Journal;
  readonly writer: Writer;
  readonly #deps: ContentsDeps;
  readonly #recovered: Recovered;
  readonly #files: JournalFiles;
  readonly #highWater: HighWaterFile;
  readonly #batches: BatchLog;
  readonly #settler: Settler;
  readonly #packer: Packer;
  readonly #end = new AbortController();
  readonly #hosts: Map<string, WriterHost>;
  #losses: readonly Loss[];
  #lastOrdinal: number;
  /** What rearranges stored data, one at a time. */
  #maintenance: Promise<unknown> = Promise.resolve();

  private constructor(
    deps: ContentsDeps,
    recovered: Recovered,
    files: JournalFiles,
    highWater: HighWaterFile,
    slabs: SlabPool,
  ) {
    const { database, now, options, wait } = deps;
    this.#deps = deps;
    this.#recovered = recovered;
    this.#files = files;
    this.#highWater = highWater;
    this.database = database;
    this.catalogue = recovered.catalogue;
    this.storeId = recovered.version.storeId;
    this.complaints = new Set(recovered.complaints);
    this.#hosts = recovered.hosts;
    this.#losses = [...recovered.onRecord, ...recovered.found];
    this.#lastOrdinal = recovered.lastOrdinal;
    const onFailure = (failure: StoreError): void => {
      this.#end.abort();
      deps.onFailure(failure);
    };
    const logDeps = { ...options, database, directory: database.directory, highWater, now, onFailure, slabs };
    this.#batches = new BatchLog(logDeps, recovered.batches);
    this.journal = new Journal(logDeps, this.#headOf(recovered), recovered.journal);
    const shared = {
      database,
      catalogue: this.catalogue,
      hosts: this.#hosts,
      journal: this.journal,
      batches: this.#batches,
      maker: deps.maker,
      files,
      highWater,
      slabs,
      now,
      wait,
      exclusively: <T>(task: () => Promise<T>): Promise<T> => this.#exclusively(task),
    };
    this.#settler = new Settler({
      ...shared,
      settledSequence: recovered.settledSequence,
      onRetry: deps.onSettleRetry,
      retryDelayMsMin: options.reopenDelayMsMin,
      retryDelayMsMax: options.reopenDelayMsMax,
    });
    this.writer = new Writer({
      ...options,
      ...shared,
      settler: this.#settler,
      newGeneration: (firstSequence) => this.#newGeneration(firstSequence),
      signal: this.#end.signal,
    });
    this.#packer = new Packer({
      ...shared,
      complain: (complaint) => this.complain(complaint),
      signal: this.#end.signal,
    });
  }

  /** What was found goes on where it ended, unless the journal was given up. */
  #headOf({ generations, journal }: Recovered): Head {
    if (generations.length > 0 && this.#deps.acknowledged === undefined) return new Head(generations);
    return new Head([...generations, this.#newGeneration(journal.lastSequence + 1)]);
  }

  #newGeneration(firstSequence: number): Generation {
    return new Generation({
      ordinal: ++this.#lastOrdinal,
      firstSequence,
      file: this.#files.acquire(),
      begunMs: this.#deps.now(),
    });
  }

  /** Reads back what a database and its journal hold. {@link begin} is to follow. */
  static async load(deps: ContentsDeps): Promise<Contents> {
    const { database, options, acknowledged } = deps;
    const files = await JournalFiles.open(database.directory);
    // As many as two generations are made of, about.
    const slabs = new SlabPool(Math.ceil((2 * options.generationBytes) / slabBytes) + 2);
    let highWater: HighWaterFile | undefined;
    try {
      const recovered = await recover({
        database,
        files,
        slabs,
        nowMs: deps.now(),
        maxSeriesPerHost: options.maxSeriesPerHost,
        acknowledged,
      });
      highWater = await HighWaterFile.open(database.directory, recovered.highWater);
      const contents = new Contents(deps, recovered, files, highWater, slabs);
      await contents.#convert();
      return contents;
    } catch (error) {
      await highWater?.close();
      await files.close();
      throw error;
    }
  }

  async #convert(): Promise<void> {
    if (!(await hasFormat1(this.database))) return;
    await this.#batches.append((batch) => batch.put(versionKey, encodeVersion(this.storeId)));
    const observe = (fragment: Fragment): void => {
      const { newSeries } = this.catalogue.observe(fragment);
      hostOf(this.#hosts, fragment.hostId).unrecorded.push(...newSeries);
    };
    await observeFormat1(this.database, observe);
    await this.#writeHosts(this.catalogue.hostIds());
    const losses = await convertFormat1(this.database, this.#batches, this.#deps.now());
    this.#losses = [...this.#losses, ...losses];
  }

  /**
   * Writes down what was found out on loading, and begins to make chunks of what the journal holds of closed
   * generations. The first writes also prove that the directory takes any.
   *
   * @throws {StoreError} STORE_UNAVAILABLE when it does not; it can be read all the same
   */
  async begin(): Promise<void> {
    const { version, isNew, found, complaints, generations } = this.#recovered;
    try {
      // What a process wrote that was killed before it synced is built on from now on.
      for (const { file } of generations) await (await file).sync();
      await this.#batches.append((batch) => {
        if (isNew || version.format < formatVersion) batch.put(versionKey, encodeVersion(this.storeId));
        for (const loss of found) batch.put(lossKey(loss), jsonPayload(loss));
      });
      await this.journal.prove();
      const { tableLosses } = this.database;
      if (found.length > 0 || complaints.length > 0 || tableLosses.areNew) {
        await this.#writeHosts(this.catalogue.hostIds());
        await tableLosses.settle();
      }
    } catch (error) {
      const failure = failureOf(error, this.database.directory);
      this.#deps.onFailure(failure);
      throw failure;
    }
    this.#settler.begin();
  }

  #writeHosts(hostIds: Iterable<string>): Promise<void> {
    const { catalogue, journal } = this;
    return writeHosts({ catalogue, hosts: this.#hosts, journal, batches: this.#batches }, hostIds);
  }

  /** What is known to be lost. */
  get losses(): readonly Loss[] {
    return [...this.#losses, ...this.database.tableLosses.all];
  }

  /** Keeps a complaint of a read, unless there are many already. */
  complain(complaint: string): void {
    if (this.complaints.size < complaintsLimit) this.complaints.add(complaint);
  }

  async setMetadata(hostId: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    assertHostId(hostId);
    await this.#batches.append((batch) => {
      const host = this.catalogue.ensureHost(hostId);
      host.metadata = { ...host.metadata, ...metadata };
      batch.put(hostKey(space.metadata, hostId), jsonPayload(host.metadata));
    });
  }

  /** Removes what a trim removes; see `MetricStore.trim`. */
  async trim(beforeMs: number): Promise<TrimResult> {
    if (this.journal.head.minMs < beforeMs) await this.#settleAll(() => true);
    return this.#exclusively(async () => {
      const ranges = [space.chunk, space.unpacked].map((first) => ({
        gte: singleKey(first),
        lt: firstKeyOfBlock(Math.floor(beforeMs) - blockMs + 1, first),
      }));
      const hasData = (await this.database.firstKey(ranges[0]!)) !== undefined;
      if (hasData) for (const range of ranges) await this.database.clear(range);
      const result = await this.#trimCatalogue(beforeMs);
      if (hasData) await this.database.compact(ranges[0]!);
      return result;
    });
  }

  /** Writers wait meanwhile: what is written of hosts must not tell of what is not yet durable. */
  async #trimCatalogue(beforeMs: number): Promise<TrimResult> {
    const resume = this.writer.pause();
    let seriesRemoved = 0;
    let hostsRemoved = 0;
    let committed: Promise<void>;
    try {
      await this.journal.flush();
      committed = this.#batches.append((batch) => {
        const removed = this.catalogue.trim(beforeMs);
        for (const [hostId, keys] of removed.series) {
          seriesRemoved += keys.length;
          for (const key of keys) batch.delete(catalogueKey(hostId, key));
          const host = this.catalogue.host(hostId);
          if (host !== undefined) batch.put(hostKey(space.latest, hostId), encodeHostState(host));
        }
        hostsRemoved = removed.hosts.length;
        for (const hostId of removed.hosts) {
          batch.delete(hostKey(space.latest, hostId));
          batch.delete(hostKey(space.metadata, hostId));
          this.#hosts.delete(hostId);
        }
        this.#trimLosses(beforeMs, batch);
      });
    } finally {
      resume();
    }
    await committed;
    await this.database.tableLosses.trim(beforeMs);
    return { beforeMs, hostsRemoved, seriesRemoved };
  }

  #trimLosses(beforeMs: number, batch: Batch): void {
    // A gap that the next open would look at needs its record still.
    const isPast = (loss: Loss): boolean => {
      const isSeen =
        loss.of === "journal"
          ? loss.lastSequence > this.#settler.settledSequence
          : loss.lastSequence >= this.#batches.baseline;
      return loss.endMs < beforeMs && !isSeen;
    };
    for (const loss of this.#losses) if (isPast(loss)) batch.delete(lossKey(loss));
    this.#losses = this.#losses.filter((loss) => !isPast(loss));
  }

  /** Packs what has ended; see `MetricStore.pack`. */
  async pack(closedBeforeMs: number): Promise<PackResult> {
    await this.#settleAll(
      (generation) =>
        generation.minBlockEndMs <= closedBeforeMs &&
        (generation.maxBlockEndMs <= closedBeforeMs || this.writer.isOld),
    );
    return this.#packer.pack(closedBeforeMs);
  }

  /** Makes chunks of what is closed, and then of the active generation when that is wanted. */
  async #settleAll(wantsActive: (generation: Generation) => boolean): Promise<void> {
    const { head } = this.journal;
    await this.#settler.settleClosed();
    if (head.active.count === 0 || !wantsActive(head.active)) return;
    while (head.closed !== undefined) await this.#settler.settleClosed();
    this.writer.roll();
    await this.#settler.settleClosed();
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#maintenance.then(task);
    this.#maintenance = run.catch(() => {});
    return run;
  }

  /**
   * Takes nothing more and waits for what is under way, whatever becomes of it. The journal stays as it is: reading it
   * takes less time at the next open than chunks would take now. The database is still open then.
   */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#settler.stop();
    await this.#maintenance;
    this.journal.end();
    this.#batches.end();
    await this.journal.idle();
    await this.#batches.idle();
    await this.#highWater.close();
    await Promise.allSettled(this.journal.head.generations.map(({ file }) => file));
    await this.#files.close();
  }
}

function lossKey({ of, firstSequence }: Loss): Uint8Array {
  return numberKey(of === "journal" ? space.journalDamage : space.damage, firstSequence);
}
