import { blockMs, blockStart } from "./block.ts";
import { type Admission, Catalogue, type CatalogueOptions } from "./catalogue/catalogue.ts";
import { listHosts, listMetricsInTurns, selectSeriesInTurns } from "./catalogue/selection.ts";
import { ColumnBuilder } from "./columns.ts";
import { StoreError } from "./errors.ts";
import { type Fragment, fragmentId } from "./fragment.ts";
import {
  type ColumnSlice,
  type HostEntry,
  type HostLatest,
  type HostSeries,
  type HostsRequest,
  type ImportReceipt,
  type MetricEntry,
  type MetricStore,
  type PackResult,
  type Partition,
  type ReadRequest,
  type SeriesSelector,
  type StoreLimits,
  type StoreStats,
  sliceSamplesMax,
  type TrimResult,
  type WriteFate,
} from "./store.ts";

/** Fragments of one block, by id and instant. */
type Block = Map<string, Fragment>;

const stored = { status: "stored", durability: "memory", copies: 1 } satisfies WriteFate;

/** How a store in memory is set up. */
export interface MemoryStoreOptions extends CatalogueOptions {
  /** Lets others run while many series are looked at; by default only callers that wait for promises are. */
  readonly breathe?: () => Promise<void>;
}

/**
 * A store in memory: for tests, and the slow obvious oracle that other stores are compared with. It keeps everything
 * until it is trimmed; its user bounds what is written.
 */
export class MemoryStore implements MetricStore {
  readonly kind = "memory";
  readonly durability = "memory";
  readonly #catalogue: Catalogue;
  /** Blocks of each host, by start. */
  readonly #hosts: Map<string, Map<number, Block>> = new Map();
  #bytes = 0;
  #conflicts = 0;
  #open = false;
  readonly #breathe: () => Promise<void>;

  /** @throws {RangeError} when an option is out of range */
  constructor({ breathe = async () => {}, ...limits }: MemoryStoreOptions = {}) {
    this.#catalogue = new Catalogue(limits);
    this.#breathe = breathe;
  }

  async open(): Promise<void> {
    this.#open = true;
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    this.#assertOpen();
    return fragments.map((fragment) => this.#writeOne(fragment));
  }

  #writeOne(given: Fragment): WriteFate {
    let admission: Admission;
    try {
      admission = this.#catalogue.admit({ ...given, bytes: given.bytes.slice() });
    } catch (cause) {
      return { status: "rejected", reason: cause instanceof Error ? cause.message : String(cause) };
    }
    const { fragment, refusedSamples } = admission;
    if (fragment === undefined)
      return { status: "rejected", reason: this.#catalogue.limitReason, refusedSamples };
    this.#keep(fragment);
    return refusedSamples.length === 0 ? stored : { ...stored, refusedSamples };
  }

  /** @param fragment - its bytes are kept */
  #keep(fragment: Fragment): void {
    const blocks = this.#hosts.get(fragment.hostId) ?? new Map<number, Block>();
    this.#hosts.set(fragment.hostId, blocks);
    const start = blockStart(fragment.hostId, fragment.timestampMs);
    const block = blocks.get(start) ?? new Map<string, Fragment>();
    blocks.set(start, block);
    const key = `${fragment.timestampMs}/${fragmentId(fragment)}`;
    if (!block.has(key)) {
      block.set(key, fragment);
      this.#bytes += fragment.bytes.length;
    }
  }

  async *series(selector: SeriesSelector): AsyncIterable<HostSeries> {
    this.#assertOpen();
    yield* selectSeriesInTurns(this.#catalogue, selector, this.#breathe);
  }

  async *read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    this.#assertOpen();
    const blocks = this.#hosts.get(request.hostId);
    if (blocks === undefined) return;
    const builder = new ColumnBuilder(request.wants ?? (() => true));
    for (const start of [...blocks.keys()].sort((a, b) => a - b)) {
      request.signal?.throwIfAborted();
      if (start > request.endMs || start + blockMs <= request.startMs) continue;
      let startMs = Math.max(start, request.startMs);
      let lastMs = startMs;
      for (const { timestampMs, bytes } of byInstant(blocks.get(start)!)) {
        if (timestampMs < request.startMs || timestampMs > request.endMs) continue;
        if (builder.samples >= sliceSamplesMax && timestampMs > lastMs) {
          yield* this.#slice(builder, startMs, timestampMs - 1);
          startMs = timestampMs;
        }
        builder.add(timestampMs, bytes);
        lastMs = timestampMs;
      }
      yield* this.#slice(builder, startMs, Math.min(start + blockMs - 1, request.endMs));
    }
  }

  /** What a builder has, if it has anything. */
  *#slice(builder: ColumnBuilder, startMs: number, endMs: number): Generator<ColumnSlice> {
    const columns = builder.take();
    const { conflicts } = builder;
    builder.conflicts = 0;
    builder.samples = 0;
    this.#conflicts += conflicts;
    if (columns.length > 0) yield { startMs, endMs, columns, conflicts, missing: [] };
  }

  async latest(hostIds: readonly string[]): Promise<readonly HostLatest[]> {
    this.#assertOpen();
    return hostIds.flatMap((hostId) => {
      const host = this.#catalogue.host(hostId);
      return host === undefined || host.series.size === 0 ? [] : [host.latest()];
    });
  }

  async hosts(request: HostsRequest): Promise<readonly HostEntry[]> {
    this.#assertOpen();
    return listHosts(this.#catalogue, request);
  }

  async metrics(selector: SeriesSelector): Promise<readonly MetricEntry[]> {
    this.#assertOpen();
    return listMetricsInTurns(this.#catalogue, selector, this.#breathe);
  }

  async setMetadata(hostId: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    this.#assertOpen();
    const host = this.#catalogue.ensureHost(hostId);
    host.metadata = { ...host.metadata, ...metadata };
  }

  async trim(beforeMs: number): Promise<TrimResult> {
    this.#assertOpen();
    for (const [hostId, blocks] of this.#hosts) {
      for (const [start, block] of blocks) {
        if (start + blockMs > beforeMs) continue;
        for (const fragment of block.values()) this.#bytes -= fragment.bytes.length;
        blocks.delete(start);
      }
      if (blocks.size === 0) this.#hosts.delete(hostId);
    }
    const removed = this.#catalogue.trim(beforeMs);
    const seriesRemoved = [...removed.series.values()].reduce((sum, keys) => sum + keys.length, 0);
    return { beforeMs, hostsRemoved: removed.hosts.length, seriesRemoved };
  }

  /** Packs nothing: fragments are kept as they came, so that others can be compared with them. */
  async pack(): Promise<PackResult> {
    this.#assertOpen();
    return { blocks: 0, bytesBefore: 0, bytesAfter: 0 };
  }

  async *partitions(): AsyncIterable<Partition> {
    this.#assertOpen();
    for (const [hostId, blocks] of this.#hosts) {
      for (const blockStartMs of blocks.keys()) yield { hostId, blockStartMs };
    }
  }

  async *exportPartition({ hostId, blockStartMs }: Partition): AsyncIterable<Fragment> {
    this.#assertOpen();
    const block = this.#hosts.get(hostId)?.get(blockStartMs);
    if (block !== undefined) yield* byInstant(block);
  }

  async importPartition(partition: Partition, fragments: AsyncIterable<Fragment>): Promise<ImportReceipt> {
    this.#assertOpen();
    let count = 0;
    for await (const fragment of fragments) {
      if (
        fragment.hostId !== partition.hostId ||
        blockStart(fragment.hostId, fragment.timestampMs) !== partition.blockStartMs
      ) {
        throw new StoreError(
          "STORE_FRAGMENT_INVALID",
          `expected fragments of ${partition.hostId} in block ${partition.blockStartMs}, got ${fragment.hostId} at ${fragment.timestampMs}`,
        );
      }
      const owned = { ...fragment, bytes: fragment.bytes.slice() };
      this.#catalogue.observe(owned);
      this.#keep(owned);
      count++;
    }
    return { fragments: count, durability: "memory" };
  }

  /**
   * Removes exactly these fragments of a partition. The catalogue keeps what it knows of their series until it is trimmed.
   *
   * @returns how many were there, and how many others are left
   */
  async removeFragments(
    { hostId, blockStartMs }: Partition,
    ids: readonly Pick<Fragment, "timestampMs" | "idHigh" | "idLow">[],
  ): Promise<{ removed: number; left: number }> {
    this.#assertOpen();
    const blocks = this.#hosts.get(hostId);
    const block = blocks?.get(blockStartMs);
    if (blocks === undefined || block === undefined) return { removed: 0, left: 0 };
    let removed = 0;
    for (const id of ids) {
      const key = `${id.timestampMs}/${fragmentId(id)}`;
      this.#bytes -= block.get(key)?.bytes.length ?? 0;
      if (block.delete(key)) removed++;
    }
    if (block.size === 0) blocks.delete(blockStartMs);
    if (blocks.size === 0) this.#hosts.delete(hostId);
    return { removed, left: block.size };
  }

  async stats(): Promise<StoreStats> {
    this.#assertOpen();
    return {
      hosts: this.#catalogue.hosts,
      series: this.#catalogue.series,
      seriesOverLimit: this.#catalogue.seriesOverLimit,
      bytes: this.#bytes,
      conflicts: this.#conflicts,
      damage: [],
    };
  }

  configure(limits: StoreLimits): void {
    this.#catalogue.configure(limits);
  }

  #assertOpen(): void {
    if (!this.#open) throw new StoreError("STORE_NOT_OPEN", "expected an open store, got a closed one");
  }
}

function byInstant(block: Block): Fragment[] {
  return [...block.values()].sort(
    (a, b) => a.timestampMs - b.timestampMs || a.idHigh - b.idHigh || a.idLow - b.idLow,
  );
}
