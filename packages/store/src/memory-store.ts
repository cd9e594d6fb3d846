import { blockMs, blockStart } from "./block.ts";
import { Catalogue } from "./catalogue.ts";
import { ColumnBuilder } from "./columns.ts";
import { StoreError } from "./errors.ts";
import { type Fragment, fragmentId } from "./fragment.ts";
import { listHosts, listMetrics, selectSeries } from "./selection.ts";
import type {
  ColumnSlice,
  HostEntry,
  HostLatest,
  HostSeries,
  HostsRequest,
  ImportReceipt,
  MetricEntry,
  MetricStore,
  Partition,
  ReadRequest,
  SeriesSelector,
  StoreStats,
  TrimResult,
  WriteFate,
} from "./store.ts";

/** Fragments of one block, by id and instant. */
type Block = Map<string, Fragment>;

const stored: WriteFate = { status: "stored", durability: "memory", copies: 1 };

/**
 * A store in memory: for tests, and the slow obvious oracle that other stores are compared with. It keeps everything
 * until it is trimmed; its user bounds what is written.
 */
export class MemoryStore implements MetricStore {
  readonly kind = "memory";
  readonly durability = "memory";
  #catalogue = new Catalogue();
  /** Blocks of each host, by start. */
  readonly #hosts: Map<string, Map<number, Block>> = new Map();
  #bytes = 0;
  #conflicts = 0;
  #open = false;

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

  #writeOne(fragment: Fragment): WriteFate {
    try {
      this.#catalogue.observe(fragment);
    } catch (cause) {
      return { status: "rejected", reason: cause instanceof Error ? cause.message : String(cause) };
    }
    const blocks = this.#hosts.get(fragment.hostId) ?? new Map<number, Block>();
    this.#hosts.set(fragment.hostId, blocks);
    const start = blockStart(fragment.hostId, fragment.timestampMs);
    const block = blocks.get(start) ?? new Map<string, Fragment>();
    blocks.set(start, block);
    const key = `${fragment.timestampMs}/${fragmentId(fragment)}`;
    if (!block.has(key)) {
      block.set(key, { ...fragment, bytes: fragment.bytes.slice() });
      this.#bytes += fragment.bytes.length;
    }
    return stored;
  }

  async *series(selector: SeriesSelector): AsyncIterable<HostSeries> {
    this.#assertOpen();
    yield* selectSeries(this.#catalogue, selector);
  }

  async *read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    this.#assertOpen();
    const blocks = this.#hosts.get(request.hostId);
    if (blocks === undefined) return;
    const builder = new ColumnBuilder(request.wants ?? (() => true));
    for (const start of [...blocks.keys()].sort((a, b) => a - b)) {
      request.signal?.throwIfAborted();
      if (start > request.endMs || start + blockMs <= request.startMs) continue;
      for (const fragment of byInstant(blocks.get(start)!)) {
        if (fragment.timestampMs < request.startMs || fragment.timestampMs > request.endMs) continue;
        builder.add(fragment.timestampMs, fragment.bytes);
      }
      const columns = builder.take();
      if (columns.length === 0) continue;
      yield {
        startMs: Math.max(start, request.startMs),
        endMs: Math.min(start + blockMs - 1, request.endMs),
        columns,
        conflicts: builder.conflicts,
        missing: [],
      };
      this.#conflicts += builder.conflicts;
      builder.conflicts = 0;
    }
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
    return listMetrics(this.#catalogue, selector);
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
      const [fate] = await this.write([fragment]);
      if (fate!.status !== "stored") throw new StoreError("STORE_FRAGMENT_INVALID", fate!.reason);
      count++;
    }
    return { fragments: count, durability: "memory" };
  }

  async stats(): Promise<StoreStats> {
    this.#assertOpen();
    return {
      hosts: this.#catalogue.hosts,
      series: this.#catalogue.series,
      bytes: this.#bytes,
      conflicts: this.#conflicts,
      damage: [],
    };
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
