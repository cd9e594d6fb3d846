import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
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
  type WriteFate,
} from "@mon/store";
import { HostBuckets } from "./keys/host-buckets.ts";
import { isHostId, KeySpace } from "./keys/key-space.ts";
import type { ServersOptions } from "./options.ts";
import { ask, bytesOf, textOf } from "./read/ask.ts";
import { readHost } from "./read/host-reader.ts";
import { Mirror } from "./read/mirror.ts";
import { exportPartition } from "./read/partition-export.ts";
import { openServers } from "./servers/redis-servers.ts";
import type { Servers } from "./servers/servers.ts";
import { slotOf } from "./servers/slot.ts";
import { StoreMarks, type StoreMarksReport } from "./servers/store-marks.ts";
import { type RedisStoreOptions, type ResolvedStoreOptions, resolveStoreOptions } from "./store-options.ts";
import { usedMemoryBytes } from "./upkeep/memory.ts";
import { Packer } from "./upkeep/packer.ts";
import { Trimmer } from "./upkeep/trimmer.ts";
import { describeHost } from "./write/describe-host.ts";
import { HostBooks } from "./write/host-books.ts";
import { KnownShapes } from "./write/known-shapes.ts";
import { Registry } from "./write/registry.ts";
import * as scripts from "./write/scripts.ts";
import { Writer } from "./write/writer.ts";

/** Told what the store notices by itself; pino's loggers fit. */
export interface RedisStoreLogger {
  warn(facts: object, message: string): void;
}

/** What a Redis store is made of. */
export interface RedisStoreDeps {
  /** Which servers, and how to talk to them. */
  readonly servers: ServersOptions;
  /** The clock, milliseconds since the Unix epoch. It decides which buckets are still open, and dates changes. */
  readonly now: () => number;
  readonly logger?: RedisStoreLogger;
  /** The name of the cluster of brokers whose store it is; a store of another one is refused. By default it has none. */
  readonly cluster?: string;
  /**
   * Whether a block is this broker's to pack; by default all are. Brokers that share a Redis share the work by the ring; two
   * that pack the same block do no harm.
   */
  readonly owns?: (partition: Partition) => boolean;
  /**
   * Some primaries have come back without the data they had (R27). The store goes on: hosts are made known again as they are
   * written to.
   */
  readonly onEmptied?: (report: StoreMarksReport) => void;
  readonly options?: RedisStoreOptions;
}

type State = "new" | "opening" | "open" | "closing" | "closed";

/** What an open store works with. */
interface Parts {
  readonly servers: Servers;
  readonly books: HostBooks;
  readonly registry: Registry;
  readonly writer: Writer;
  readonly mirror: Mirror;
  readonly trimmer: Trimmer;
  readonly packer: Packer;
  readonly marks: StoreMarks;
}

/** Fragments that an import writes at once, and their bytes. */
const importFragments = 500;
const importBytes = 1 << 20;
/** Hosts asked about in one round trip. */
const hostsPerPage = 512;
/** Servers found empty that are remembered. */
const damageMax = 20;
/** How long the size of the servers' memory is remembered. */
const sizeAgeMsMax = 10_000;

/**
 * A {@link MetricStore} in Redis: one server, one watched by sentinels, or a cluster. Brokers share it: each sees what
 * the others write, and none needs to be told.
 */
export class RedisStore implements MetricStore {
  readonly kind = "redis";
  readonly durability = "process";
  readonly #deps: RedisStoreDeps;
  readonly #options: ResolvedStoreOptions;
  readonly #keys: KeySpace;
  #maxSeriesPerHost: number;
  #state: State = "new";
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #parts: Parts | undefined;
  readonly #closed = new AbortController();
  readonly #writes = new Set<Promise<unknown>>();
  #conflicts = 0;
  readonly #damage: string[] = [];
  #size = { bytes: 0, atMs: Number.NEGATIVE_INFINITY };

  /** @throws {RangeError} when an option is out of range */
  constructor(deps: RedisStoreDeps) {
    this.#deps = deps;
    this.#options = resolveStoreOptions(deps.options);
    this.#keys = new KeySpace(this.#options.prefix);
    this.#maxSeriesPerHost = this.#options.maxSeriesPerHost;
  }

  /** The servers, for status and metrics; undefined while the store is not open. */
  get servers(): Servers | undefined {
    return this.#parts?.servers;
  }

  /** Names the content of the servers, the same for all who share it: one that was made anew has another. */
  get storeId(): string | undefined {
    return this.#parts?.marks.store;
  }

  /**
   * Connects, and checks that the servers are what the options say.
   *
   * @throws {StoreError} STORE_UNUSABLE, STORE_UNAVAILABLE, STORE_VERSION_UNKNOWN
   */
  open(): Promise<void> {
    if (this.#state !== "new") return Promise.reject(notOpen(this.#state));
    this.#state = "opening";
    this.#opening = this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    let servers: Servers | undefined;
    try {
      servers = await openServers(this.#deps.servers, { scripts: Object.values(scripts) });
      const parts = this.#partsOn(servers);
      await parts.marks.start();
      this.#parts = parts;
      this.#state = "open";
    } catch (error) {
      this.#state = "closed";
      await servers?.close();
      throw error;
    }
  }

  #partsOn(servers: Servers): Parts {
    const keys = this.#keys;
    const { now } = this.#deps;
    const { bucketMs, rememberedHosts } = this.#options;
    const { cluster = "", onEmptied = () => {} } = this.#deps;
    const marks = new StoreMarks({
      servers,
      keyOf: (tag) => keys.mark(tag),
      newStoreId: () => randomBytes(8).toString("hex"),
      cluster,
      onEmptied: (report) => {
        this.#noteEmptied(report.emptied);
        onEmptied(report);
      },
    });
    const shapes = new KnownShapes();
    const books = new HostBooks({ servers, keys, shapes, bucketMs, now, booksMax: rememberedHosts });
    const registry = new Registry(servers, keys, randomBytes(8).toString("hex"));
    const mirror = new Mirror(servers, keys, { maxSeriesPerHost: this.#maxSeriesPerHost });
    const writer = new Writer({ servers, keys, shapes, books, registry, now, options: this.#options });
    writer.maxSeriesPerHost = this.#maxSeriesPerHost;
    const trimmer = new Trimmer({ servers, keys, mirror, registry, books, now });
    const { retentionMs } = this.#options;
    const packer = new Packer({
      servers,
      keys,
      mirror,
      now,
      retentionMs,
      owns: this.#deps.owns ?? (() => true),
    });
    return { servers, marks, books, registry, mirror, writer, trimmer, packer };
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
    await Promise.allSettled(this.#writes);
    const parts = this.#parts;
    this.#parts = undefined;
    parts?.marks.close();
    await parts?.books.close();
    await parts?.servers.close();
    this.#state = "closed";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  configure({ maxSeriesPerHost = this.#maxSeriesPerHost }: StoreLimits): void {
    resolveStoreOptions({ maxSeriesPerHost });
    this.#maxSeriesPerHost = maxSeriesPerHost;
    this.#parts?.mirror.catalogue.configure({ maxSeriesPerHost });
    if (this.#parts !== undefined) this.#parts.writer.maxSeriesPerHost = maxSeriesPerHost;
  }

  async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    return this.#write(fragments, true);
  }

  #write(fragments: readonly Fragment[], isLimited: boolean): Promise<readonly WriteFate[]> {
    const { writer } = this.#usable();
    const written = writer.write(fragments, isLimited);
    this.#writes.add(written);
    const done = (): void => {
      this.#writes.delete(written);
    };
    written.then(done, done);
    return written;
  }

  async *series(selector: SeriesSelector): AsyncGenerator<HostSeries> {
    const { mirror } = this.#usable();
    await mirror.refreshFor(selector);
    yield* selectSeriesInTurns(mirror.catalogue, selector, nextTurn);
  }

  async *read(request: ReadRequest): AsyncGenerator<ColumnSlice> {
    const { servers } = this.#usable();
    request.signal?.throwIfAborted();
    if (!isHostId(request.hostId)) return;
    for await (const slice of readHost({ servers, keys: this.#keys }, request)) {
      this.#conflicts += slice.conflicts;
      yield slice;
    }
  }

  /** In one round trip to each server for some hundred hosts, and another for those whose series have changed. */
  async latest(hostIds: readonly string[]): Promise<readonly HostLatest[]> {
    const { mirror } = this.#usable();
    const latest: HostLatest[] = [];
    for (let begin = 0; begin < hostIds.length; begin += hostsPerPage) {
      const page = hostIds.slice(begin, begin + hostsPerPage).filter(isHostId);
      for (const host of await mirror.newest(page)) {
        if (host !== undefined && host.series.size > 0) latest.push(host.latest());
      }
    }
    return latest;
  }

  async hosts(request: HostsRequest): Promise<readonly HostEntry[]> {
    const { mirror } = this.#usable();
    await mirror.refresh();
    const page = listHosts(mirror.catalogue, request);
    const entries: HostEntry[] = [];
    for (let begin = 0; begin < page.length; begin += hostsPerPage) {
      const part = page.slice(begin, begin + hostsPerPage);
      const instants = await mirror.lastSeenOf(part.map(({ hostId }) => hostId));
      for (const [i, entry] of part.entries()) entries.push({ ...entry, lastSeenMs: instants[i] ?? 0 });
    }
    return entries;
  }

  async metrics(selector: SeriesSelector): Promise<readonly MetricEntry[]> {
    const { mirror } = this.#usable();
    await mirror.refreshFor(selector);
    return listMetricsInTurns(mirror.catalogue, selector, nextTurn);
  }

  async setMetadata(hostId: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    const { servers, registry } = this.#usable();
    if (!isHostId(hostId))
      throw new RangeError(
        `expected a host id of letters, digits, '.', '_' and '-', got ${JSON.stringify(hostId)}`,
      );
    const nowMs = Math.floor(this.#deps.now());
    const retentionMs = Math.max(this.#options.retentionMs(hostId), this.#options.hostRetentionMs);
    const expireAtMs = Number.isFinite(retentionMs) ? nowMs + retentionMs : undefined;
    await describeHost({ servers, keys: this.#keys }, { hostId, metadata, nowMs, expireAtMs });
    await registry.registerHosts([hostId]);
  }

  async trim(beforeMs: number): Promise<TrimResult> {
    return this.#usable().trimmer.trim(beforeMs);
  }

  async pack(closedBeforeMs: number): Promise<PackResult> {
    return this.#usable().packer.pack(closedBeforeMs, this.#closed.signal);
  }

  async *partitions(): AsyncGenerator<Partition> {
    const { mirror, servers } = this.#usable();
    await mirror.refresh();
    const hostIds = Array.from(mirror.registered(), ({ hostId }) => hostId);
    for (let begin = 0; begin < hostIds.length; begin += hostsPerPage) {
      const page = hostIds.slice(begin, begin + hostsPerPage);
      const replies = await ask(
        servers,
        page.map((hostId) => ({
          slot: slotOf(hostId),
          encode: (commands) =>
            commands.begin(4).text("ZRANGE").text(this.#keys.index(hostId)).text("0").text("-1"),
        })),
      );
      for (const [i, hostId] of page.entries()) {
        const buckets = new HostBuckets(hostId, 1);
        const blocks = new Set(
          bytesOf(replies[i]![0]).map((member) => buckets.blockOf(Number(textOf(member)))),
        );
        for (const blockStartMs of blocks) yield { hostId, blockStartMs };
      }
    }
  }

  async *exportPartition(partition: Partition): AsyncGenerator<Fragment> {
    const { servers } = this.#usable();
    if (!isHostId(partition.hostId)) return;
    yield* exportPartition({ servers, keys: this.#keys }, partition);
  }

  async importPartition(partition: Partition, fragments: AsyncIterable<Fragment>): Promise<ImportReceipt> {
    this.#usable();
    const pending: Fragment[] = [];
    let pendingBytes = 0;
    let count = 0;
    for await (const fragment of fragments) {
      assertBelongs(fragment, partition);
      pending.push(fragment);
      pendingBytes += fragment.bytes.length;
      count++;
      if (pending.length < importFragments && pendingBytes < importBytes) continue;
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

  async stats(): Promise<StoreStats> {
    const { mirror, servers } = this.#usable();
    await mirror.refresh();
    const nowMs = this.#deps.now();
    if (Math.abs(nowMs - this.#size.atMs) >= sizeAgeMsMax)
      this.#size = { bytes: await usedMemoryBytes(servers), atMs: nowMs };
    const { hosts, series, seriesOverLimit } = mirror.catalogue;
    return {
      hosts,
      series,
      seriesOverLimit,
      bytes: this.#size.bytes,
      conflicts: this.#conflicts,
      damage: [...this.#damage],
    };
  }

  /** Servers that came back empty are named in the damage: what they held is missing from every answer. */
  #noteEmptied(names: readonly string[]): void {
    for (const name of names) {
      const message = `redis at ${name} came back without the data it had`;
      this.#damage.push(message);
      if (this.#damage.length > damageMax) this.#damage.shift();
      this.#deps.logger?.warn({ server: name }, message);
    }
  }

  #usable(): Parts {
    if (this.#parts === undefined || this.#state !== "open") throw notOpen(this.#state);
    return this.#parts;
  }
}

function notOpen(state: State): StoreError {
  return new StoreError("STORE_NOT_OPEN", `expected an open store, got one that is ${state}`);
}

function assertBelongs(fragment: Fragment, { hostId, blockStartMs }: Partition): void {
  if (fragment.hostId === hostId && blockStart(hostId, fragment.timestampMs) === blockStartMs) return;
  throw new StoreError(
    "STORE_FRAGMENT_INVALID",
    `expected fragments of ${hostId} in block ${blockStartMs}, got ${fragment.hostId} at ${fragment.timestampMs}`,
  );
}
