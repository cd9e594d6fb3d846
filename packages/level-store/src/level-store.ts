import { statfs } from "node:fs/promises";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import {
  blockStart,
  type ColumnSlice,
  type Fragment,
  type HostEntry,
  type HostLatest,
  type HostSeries,
  type HostsRequest,
  type ImportReceipt,
  listHosts,
  listMetricsInTurns,
  type MetricEntry,
  type MetricStore,
  type PackResult,
  type Partition,
  type ReadRequest,
  type SeriesSelector,
  StoreError,
  type StoreLimits,
  type StoreStats,
  selectSeriesInTurns,
  type TrimResult,
  type VerifyOptions,
  type VerifyResult,
  type WriteFate,
} from "@mon/store";
import { BlockDecoder } from "./block-decoder.ts";
import { ChunkMaker } from "./chunk-maker.ts";
import { Contents } from "./contents.ts";
import { describeLoss } from "./damage.ts";
import { Database, filesOf } from "./database.ts";
import { failureOf } from "./failure.ts";
import { isHostId } from "./host-blocks.ts";
import { type LevelStoreOptions, resolveOptions } from "./options.ts";
import { exportPartition } from "./partition-export.ts";
import { listPartitions } from "./partition-list.ts";
import { readColumns } from "./reader.ts";
import { verifyContents } from "./verification.ts";

/** Told what the store does by itself; pino's loggers fit. */
export interface LevelStoreLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** What a level store is made of. */
export interface LevelStoreDeps {
  /** Where the data is; made when only its parent is there. One process at a time may have it open. */
  readonly directory: string;
  /** The clock, milliseconds since the Unix epoch. It dates what is written, never samples. */
  readonly now: () => number;
  readonly logger?: LevelStoreLogger;
  /**
   * Waits before the directory is reopened, or chunks are made, after a failure, and between the pieces of a verification;
   * rejects when the signal aborts. By default a timer that does not keep the process alive.
   */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** The thread that makes chunks, for stores that share one; by default one of its own, which ends with the store. */
  readonly maker?: ChunkMaker;
  /**
   * The threads in which large reads are decoded, for stores that share them; by default one of its own, which ends with
   * the store.
   */
  readonly decoder?: BlockDecoder;
  readonly options?: LevelStoreOptions;
}

type State = "new" | "opening" | "open" | "closing" | "closed";

/** Nothing can be written for now. */
interface Outage {
  /** What failed first. */
  readonly failure: string;
  /** That, and what the last attempt to reopen met. */
  reason: string;
  /** How long until the next attempt; writers come back then. */
  retryDelayMs: number;
  /** The last record of the journal that was acknowledged, when the journal failed. */
  acknowledged: number | undefined;
  readonly end: AbortController;
  readonly recovery: Promise<void>;
}

/** After so many hosts a listing lets others run. */
const hostsPerTurn = 64;

/** Fragments that an import writes at once. */
const importFragments = 500;

/** What a verification reads in a second unless told otherwise: a tenth of what a slow disk gives. */
const verifyBytesPerSecond = 8 * 1024 * 1024;

/** How long the size of the directory is remembered. */
const sizeAgeMsMax = 10_000;

/** How a level store is. */
export interface LevelStoreStats extends StoreStats {
  /** Bytes of reports in memory, that are in the journal and not in chunks. */
  readonly headBytes: number;
  /** Parts that they are in: 1, or more while chunks are made. */
  readonly generations: number;
}

/**
 * A {@link MetricStore} in a directory, for one machine: what is written goes to a journal, in group-committed, synced
 * records, and from there to chunks in LevelDB. Everything has a checksum and a sequence number, so that what is lost or
 * damaged is noticed (R12).
 *
 * When the disk fails or is full, writes are answered `retry`, reads go on, and the directory is reopened with back-off
 * until it can be written again.
 */
export class LevelStore implements MetricStore {
  readonly kind = "level";
  readonly durability = "fsync";
  readonly #deps: LevelStoreDeps;
  readonly #options: Required<LevelStoreOptions>;
  readonly #maker: ChunkMaker;
  readonly #decoder: BlockDecoder;
  #state: State = "new";
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** Undefined while the directory is not open: before `open`, after `close`, and for a moment while it is reopened. */
  #contents: Contents | undefined;
  #outage: Outage | undefined;
  #conflicts = 0;
  #size = { bytes: 0, atMs: Number.NEGATIVE_INFINITY };
  /** As made with, or configured since. */
  #limits: StoreLimits;
  #verification: Promise<VerifyResult> | undefined;
  /** Aborted when the store is closed. */
  readonly #closed = new AbortController();
  /** Tables of LevelDB that are damaged; to be verified whole, and mended, when the directory is opened anew. */
  readonly #suspects = new Set<number>();

  /** @throws {RangeError} when an option is out of range */
  constructor(deps: LevelStoreDeps) {
    this.#deps = deps;
    this.#options = resolveOptions(deps.options);
    this.#limits = { maxSeriesPerHost: this.#options.maxSeriesPerHost };
    this.#maker = deps.maker ?? new ChunkMaker();
    this.#decoder = deps.decoder ?? new BlockDecoder();
  }

  /** Names the content of the directory: one that comes back empty has another. */
  get storeId(): string {
    return this.#readable().storeId;
  }

  /**
   * Opens the directory, checks that nothing that was acknowledged is missing, and reads the catalogue back. A directory
   * that can be read but not written is opened all the same: writes are answered `retry` until it can.
   *
   * @throws {StoreError} STORE_LOCKED, STORE_UNUSABLE, STORE_VERSION_UNKNOWN, STORE_CORRUPT, STORE_UNAVAILABLE
   */
  open(): Promise<void> {
    if (this.#state !== "new") {
      const got = `expected a new store, got one that is ${this.#state}`;
      return Promise.reject(new StoreError("STORE_NOT_OPEN", got));
    }
    this.#state = "opening";
    this.#opening = this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    try {
      this.#contents = await this.#load();
    } catch (error) {
      this.#state = "closed";
      throw error;
    }
    this.#state = "open";
    // When the disk takes nothing an outage has begun, and the store is open for reading.
    await this.#contents.begin().catch(() => {});
  }

  async #load(): Promise<Contents> {
    const { directory, now, logger, wait = waitWithTimer } = this.#deps;
    const database = await Database.open(directory, this.#options, this.#suspects);
    this.#suspects.clear();
    try {
      const contents: Contents = await Contents.load({
        database,
        options: this.#options,
        now,
        wait,
        maker: this.#maker,
        acknowledged: this.#outage?.acknowledged,
        onSettleRetry: (error) => {
          logger?.warn({ directory, error }, "the journal could not be made into chunks; it stays as it is");
        },
        onFailure: (failure) => {
          if (this.#contents !== undefined && this.#contents.database === database)
            this.#beginOutage(failure);
        },
      });
      // They may have been set while the directory was not open.
      contents.catalogue.configure(this.#limits);
      const damage = damageOf(contents);
      if (damage.length > 0) logger?.warn({ directory, damage }, "stored data is damaged");
      return contents;
    } catch (error) {
      await database.close();
      throw failureOf(error, directory);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Whoever opened it hears why that failed.
    await this.#opening?.catch(() => {});
    if (this.#state !== "open") {
      this.#state = "closed";
      return;
    }
    this.#state = "closing";
    this.#closed.abort();
    await this.#verification?.catch(() => {});
    this.#outage?.end.abort();
    await this.#outage?.recovery;
    const contents = this.#contents;
    this.#contents = undefined;
    this.#outage = undefined;
    if (this.#deps.decoder === undefined) await this.#decoder.close();
    await contents?.close();
    await contents?.database.close();
    if (this.#deps.maker === undefined) await this.#maker.close();
    this.#state = "closed";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    return this.#write(fragments, true);
  }

  async #write(fragments: readonly Fragment[], isLimited: boolean): Promise<readonly WriteFate[]> {
    this.#assertOpen();
    if (fragments.length === 0) return [];
    const contents = this.#contents;
    if (this.#outage !== undefined || contents === undefined) {
      return fragments.map(() => this.#retry(this.#outage?.reason ?? "the directory is being opened"));
    }
    return contents.writer.write(fragments, isLimited, (reason) => this.#retry(reason));
  }

  #retry(reason: string): WriteFate {
    const retryDelayMs = this.#outage?.retryDelayMs ?? this.#options.reopenDelayMsMin;
    return { status: "retry", reason, retryDelayMs };
  }

  async *series(selector: SeriesSelector): AsyncGenerator<HostSeries> {
    yield* selectSeriesInTurns(this.#readable().catalogue, selector, nextTurn);
  }

  async *read(request: ReadRequest): AsyncGenerator<ColumnSlice> {
    const contents = this.#readable();
    request.signal?.throwIfAborted();
    if (!isHostId(request.hostId)) return;
    const deps = {
      database: contents.database,
      head: contents.journal.head,
      decoder: this.#decoder,
      losses: contents.losses,
      maxSliceSamples: this.#options.maxSliceSamples,
      complain: (complaint: string): void => contents.complain(complaint),
    };
    try {
      for await (const slice of readColumns(deps, request)) {
        // A block is read ahead of the one that is consumed.
        this.#assertOpen();
        this.#conflicts += slice.conflicts;
        yield slice;
      }
    } catch (error) {
      request.signal?.throwIfAborted();
      throw this.#readFailure(error);
    }
  }

  async latest(hostIds: readonly string[]): Promise<readonly HostLatest[]> {
    const { catalogue } = this.#readable();
    const latest: HostLatest[] = [];
    for (const [index, hostId] of hostIds.entries()) {
      if (index > 0 && index % hostsPerTurn === 0) await nextTurn();
      const host = catalogue.host(hostId);
      if (host !== undefined && host.series.size > 0) latest.push(host.latest());
    }
    return latest;
  }

  async hosts(request: HostsRequest): Promise<readonly HostEntry[]> {
    return listHosts(this.#readable().catalogue, request);
  }

  async metrics(selector: SeriesSelector): Promise<readonly MetricEntry[]> {
    return listMetricsInTurns(this.#readable().catalogue, selector, nextTurn);
  }

  async setMetadata(hostId: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    await this.#writable().setMetadata(hostId, metadata);
  }

  async trim(beforeMs: number): Promise<TrimResult> {
    return this.#writable().trim(beforeMs);
  }

  /**
   * Merges the chunks of each closed block into one, in the background thread. Reports that are still in the journal are
   * made into chunks first when all of them have ended, or have been there for `generationAgeMs`.
   *
   * @throws {StoreError} STORE_UNAVAILABLE; what was packed by then stays packed
   */
  async pack(closedBeforeMs: number): Promise<PackResult> {
    const contents = this.#writable();
    try {
      return await contents.pack(closedBeforeMs);
    } catch (error) {
      throw this.#readFailure(error);
    }
  }

  async *partitions(): AsyncGenerator<Partition> {
    const { database, journal } = this.#readable();
    yield* listPartitions(database, [...journal.head.generations]);
  }

  /** @throws {StoreError} STORE_CORRUPT after all readable fragments, when some are not */
  async *exportPartition(partition: Partition): AsyncGenerator<Fragment> {
    const { database, journal } = this.#readable();
    if (!isHostId(partition.hostId)) return;
    let damage: string | undefined;
    const deps = {
      database,
      head: journal.head,
      decoder: this.#decoder,
      maxSliceSamples: this.#options.maxSliceSamples,
      onDamage: (reason: string): void => {
        damage ??= reason;
      },
    };
    yield* exportPartition(deps, partition);
    if (damage !== undefined)
      throw new StoreError("STORE_CORRUPT", `expected a whole partition, got: ${damage}`);
  }

  async importPartition(partition: Partition, fragments: AsyncIterable<Fragment>): Promise<ImportReceipt> {
    const pending: Fragment[] = [];
    let pendingBytes = 0;
    let count = 0;
    for await (const fragment of fragments) {
      assertBelongs(fragment, partition);
      pending.push(fragment);
      pendingBytes += fragment.bytes.length;
      count++;
      if (pending.length < importFragments && pendingBytes < this.#options.maxBatchBytes) continue;
      await this.#writeAll(pending.splice(0));
      pendingBytes = 0;
    }
    await this.#writeAll(pending);
    return { fragments: count, durability: this.durability };
  }

  async #writeAll(fragments: readonly Fragment[]): Promise<void> {
    for (const fate of await this.#write(fragments, false)) {
      if (fate.status === "stored") continue;
      const code = fate.status === "retry" ? "STORE_UNAVAILABLE" : "STORE_FRAGMENT_INVALID";
      throw new StoreError(code, `expected to store a partition, got: ${fate.reason}`);
    }
  }

  async stats(): Promise<LevelStoreStats> {
    this.#assertOpen();
    const unavailable = this.#outage === undefined ? {} : { unavailable: this.#outage.reason };
    return {
      hosts: this.#contents?.catalogue.hosts ?? 0,
      series: this.#contents?.catalogue.series ?? 0,
      seriesOverLimit: this.#contents?.catalogue.seriesOverLimit ?? 0,
      bytes: await this.#bytes(),
      conflicts: this.#conflicts,
      damage: this.#contents === undefined ? [] : damageOf(this.#contents),
      headBytes: this.#contents?.journal.head.bytes ?? 0,
      generations: this.#contents?.journal.head.generations.length ?? 0,
      ...unavailable,
    };
  }

  configure(limits: StoreLimits): void {
    const resolved = resolveOptions({ ...this.#options, ...this.#limits, ...limits });
    this.#limits = { maxSeriesPerHost: resolved.maxSeriesPerHost };
    this.#contents?.catalogue.configure(this.#limits);
  }

  /**
   * Verifies LevelDB's tables and the chunks in them. Opening has verified only so much of the chunks (`openCheckBytes`), and
   * a disk may damage what was sound: call it after opening, and each day or so. When a table is damaged, what it may have
   * held is named by reads from then on, and the directory is opened anew without it, for which writes are answered `retry`
   * a moment.
   */
  verify(options: VerifyOptions = {}): Promise<VerifyResult> {
    if (this.#verification !== undefined) return this.#verification;
    const running = this.#verify(options);
    this.#verification = running;
    const end = (): void => {
      this.#verification = undefined;
    };
    running.then(end, end);
    return running;
  }

  async #verify({ bytesPerSecondMax = verifyBytesPerSecond, signal }: VerifyOptions): Promise<VerifyResult> {
    const contents = this.#readable();
    const wait = this.#deps.wait ?? waitWithTimer;
    const ended = AbortSignal.any([this.#closed.signal, ...(signal === undefined ? [] : [signal])]);
    const pace = async (bytes: number): Promise<void> => {
      ended.throwIfAborted();
      const ms = Math.ceil((bytes * 1_000) / bytesPerSecondMax);
      await (ms < 1 ? nextTurn() : wait(ms, ended));
    };
    const suspects: number[] = [];
    const onSuspect = (number: number): void => {
      suspects.push(number);
    };
    try {
      return await verifyContents({ contents, onSuspect, pace });
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#readFailure(error);
    } finally {
      await this.#takeOutOfUse(suspects);
    }
  }

  /** Opens the directory anew, so that LevelDB reads damaged tables no more, nor writes what it reads there anew. */
  async #takeOutOfUse(suspects: readonly number[]): Promise<void> {
    if (suspects.length === 0) return;
    const { directory, logger } = this.#deps;
    logger?.warn({ directory, suspects }, "stored data is damaged");
    for (const suspect of suspects) this.#suspects.add(suspect);
    this.#beginOutage(
      new StoreError("STORE_UNAVAILABLE", `${directory}: a damaged table is taken out of use`),
    );
    await this.#outage?.recovery;
  }

  async #bytes(): Promise<number> {
    const nowMs = this.#deps.now();
    if (Math.abs(nowMs - this.#size.atMs) >= sizeAgeMsMax && this.#contents !== undefined) {
      this.#size = { bytes: await this.#contents.database.fileBytes(), atMs: nowMs };
    }
    return this.#size.bytes;
  }

  #beginOutage(failure: StoreError): void {
    if (this.#outage !== undefined || this.#state !== "open") return;
    const { directory, logger } = this.#deps;
    logger?.warn(
      { directory, error: failure },
      "writes are refused until the directory can be written again",
    );
    const end = new AbortController();
    const { reopenDelayMsMin, reopenDelayMsMax } = this.#options;
    // LevelDB met a table that it cannot read, and would again: reopening would only interrupt the reads.
    const isLasting = failure.code === "STORE_CORRUPT";
    this.#outage = {
      failure: failure.message,
      reason: failure.message,
      retryDelayMs: isLasting ? reopenDelayMsMax : reopenDelayMsMin,
      acknowledged: undefined,
      end,
      recovery: isLasting ? Promise.resolve() : this.#recover(end.signal),
    };
  }

  /** Tries to reopen the directory until it works or the signal aborts. Never rejects. */
  async #recover(signal: AbortSignal): Promise<void> {
    const wait = this.#deps.wait ?? waitWithTimer;
    let delayMs = this.#options.reopenDelayMsMin;
    while (!signal.aborted) {
      try {
        await wait(delayMs, signal);
      } catch {
        // The store is being closed.
        return;
      }
      delayMs = Math.min(delayMs * 2, this.#options.reopenDelayMsMax);
      if (this.#outage !== undefined) this.#outage.retryDelayMs = delayMs;
      if (await this.#reopen()) return;
    }
  }

  /** @returns whether the directory is open and takes writes */
  async #reopen(): Promise<boolean> {
    const { directory, logger } = this.#deps;
    try {
      // LevelDB cannot be opened on a full disk, and until it is closed it can at least be read.
      await this.#assertRoom();
      const former = this.#contents;
      if (former !== undefined) {
        const { failure, durableSequence } = former.journal;
        if (this.#outage !== undefined && failure !== undefined) this.#outage.acknowledged = durableSequence;
        await former.close();
        this.#contents = undefined;
        await former.database.close();
      }
      this.#contents = await this.#load();
      await this.#contents.begin();
      this.#outage = undefined;
      logger?.info({ directory }, "writes are taken again");
      return true;
    } catch (error) {
      if (this.#outage !== undefined) {
        this.#outage.reason = `${this.#outage.failure}; on reopening: ${failureOf(error, directory).message}`;
      }
      logger?.warn({ directory, error }, "the directory cannot be written yet");
      return false;
    }
  }

  /** Opening writes what the log holds to a table, so it needs as much room again. */
  async #assertRoom(): Promise<void> {
    const { directory } = this.#deps;
    const files = await filesOf(directory);
    const logBytes = files.reduce((sum, { name, bytes }) => (name.endsWith(".log") ? sum + bytes : sum), 0);
    const { bavail, bsize } = await statfs(directory);
    const needed = logBytes + reserveBytes;
    if (bavail * bsize >= needed) return;
    throw new StoreError(
      "STORE_UNAVAILABLE",
      `${directory}: expected ${needed} bytes of room to reopen, got ${bavail * bsize}`,
    );
  }

  /** @throws {StoreError} what a read that failed is answered with: the directory may have been closed meanwhile */
  #readFailure(error: unknown): unknown {
    if (this.#state !== "open") return notOpen(this.#state);
    return failureOf(error, this.#deps.directory);
  }

  #assertOpen(): void {
    if (this.#state !== "open") throw notOpen(this.#state);
  }

  #readable(): Contents {
    this.#assertOpen();
    if (this.#contents !== undefined) return this.#contents;
    throw new StoreError(
      "STORE_UNAVAILABLE",
      `${this.#deps.directory}: expected an open directory, got one that is being reopened`,
    );
  }

  #writable(): Contents {
    const contents = this.#readable();
    if (this.#outage === undefined) return contents;
    throw new StoreError("STORE_UNAVAILABLE", this.#outage.reason);
  }
}

/** What opening writes besides the log: a manifest, a table's index, the first batch and the first record. */
const reserveBytes = 256 * 1024;

function notOpen(state: State): StoreError {
  return new StoreError("STORE_NOT_OPEN", `expected an open store, got one that is ${state}`);
}

function damageOf(contents: Contents): readonly string[] {
  return [...contents.losses.map(describeLoss), ...contents.complaints];
}

function assertBelongs(fragment: Fragment, { hostId, blockStartMs }: Partition): void {
  if (fragment.hostId === hostId && blockStart(hostId, fragment.timestampMs) === blockStartMs) return;
  throw new StoreError(
    "STORE_FRAGMENT_INVALID",
    `expected fragments of ${hostId} in block ${blockStartMs}, got ${fragment.hostId} at ${fragment.timestampMs}`,
  );
}

async function waitWithTimer(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false });
}
