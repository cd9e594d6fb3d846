import {
  blockMs,
  compileMatchers,
  type Fragment,
  type Partition,
  type SeriesColumn,
  type WriteFate,
} from "@mon/store";
import { partitionChecksum } from "./checksum.ts";
import type { Clock } from "./clock.ts";
import { type ContentId, contentIdOf, contentKey, sumOf } from "./content.ts";
import type {
  GiveRequest,
  HeldPartition,
  ManifestRequest,
  NamedRequest,
  PartitionsRequest,
  Peer,
  PeerColumns,
  PeerReadRequest,
  PeerReply,
  Receipt,
  WriteRequest,
} from "./peer.ts";
import { manifestOf, type ReplicaStore, stream } from "./replica-store.ts";
import type { RingBook } from "./ring-book.ts";

export interface ReplicaServerDeps {
  readonly store: ReplicaStore;
  readonly book: RingBook;
  readonly clock: Clock;
  /** Lets others run while checksums are computed; absent, only those who wait for promises are. */
  readonly breathe?: () => Promise<void>;
}

export interface ReplicaServerOptions {
  /**
   * How long a request of a newer epoch waits for this broker to reach it, in milliseconds. Default 2,000. Shorter, and
   * writes are refused for a moment at each change; longer, and a broker that is cut off holds its callers up.
   */
  readonly catchUpMs?: number;
  /** Requests that wait for that at a time; more are refused. Default 1,024. */
  readonly waitersMax?: number;
}

/**
 * A broker's answers to the others: stores what it is sent, reads what it holds, and lets copies be made. It never sends
 * anything on, whoever owns it (R21).
 *
 * Until {@link serve} it answers only what copies are made by, so that a broker that was away can first give up what is
 * not its own any more (R25).
 */
export class ReplicaServer implements Peer {
  readonly #store: ReplicaStore;
  readonly #book: RingBook;
  readonly #clock: Clock;
  readonly #breathe: (() => Promise<void>) | undefined;
  readonly #catchUpMs: number;
  readonly #waitersMax: number;
  #waiters = 0;
  #isServing = false;
  /** Writes under way, by the epoch under which they were taken. */
  readonly #underWay = new Map<number, number>();
  readonly #drains = new Set<() => void>();

  constructor(deps: ReplicaServerDeps, options: ReplicaServerOptions = {}) {
    this.#store = deps.store;
    this.#book = deps.book;
    this.#clock = deps.clock;
    this.#breathe = deps.breathe;
    this.#catchUpMs = options.catchUpMs ?? 2_000;
    this.#waitersMax = options.waitersMax ?? 1_024;
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** From now on takes writes and answers reads. */
  serve(): void {
    this.#isServing = true;
  }

  /** Resolves when nothing that was taken under an epoch before this one is under way any more. */
  drained(epoch: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        for (const older of this.#underWay.keys()) if (older < epoch) return;
        this.#drains.delete(look);
        resolve();
      };
      this.#drains.add(look);
      look();
    });
  }

  async write(request: WriteRequest): Promise<PeerReply<readonly WriteFate[]>> {
    return (
      (await this.#refusal(request.epoch, true)) ??
      this.#take(request.epoch, () => this.#store.write(request.fragments))
    );
  }

  async give({ epoch, partition, fragments }: GiveRequest): Promise<PeerReply<Receipt>> {
    const refusal = await this.#refusal(epoch, false);
    if (refusal !== undefined) return refusal;
    return this.#take(epoch, async () => {
      const { fragments: held } = await this.#store.importPartition(partition, stream(fragments));
      const { high, low } = sumOf(fragments.map(contentIdOf));
      return { held, sumHigh: high, sumLow: low, lacking: [] };
    });
  }

  async read(request: PeerReadRequest): Promise<PeerReply<PeerColumns>> {
    return (await this.#refusal(request.epoch, true)) ?? this.#ok(await this.#columns(request));
  }

  async partitions(request: PartitionsRequest): Promise<PeerReply<readonly HeldPartition[]>> {
    const refusal = await this.#refusal(request.epoch, false);
    if (refusal !== undefined) return refusal;
    const { owner, keptFromMs, closedBeforeMs, after, limit } = request;
    const { forWrites } = this.#book.topology;
    const found: Partition[] = [];
    for await (const partition of this.#store.partitions()) {
      const { hostId, blockStartMs } = partition;
      if (blockStartMs + blockMs <= keptFromMs) continue;
      if (closedBeforeMs !== undefined && blockStartMs + blockMs > closedBeforeMs) continue;
      if (after !== undefined && comparePartitions(partition, after) <= 0) continue;
      if (forWrites.owners(hostId, blockStartMs).includes(owner)) found.push(partition);
    }
    const page = found.sort(comparePartitions).slice(0, limit);
    if (closedBeforeMs === undefined) return this.#ok(page);
    const held: HeldPartition[] = [];
    for (const partition of page) {
      held.push({ ...partition, checksum: await partitionChecksum(this.#store, partition, this.#breathe) });
    }
    return this.#ok(held);
  }

  async manifest({ epoch, partition }: ManifestRequest): Promise<PeerReply<readonly ContentId[]>> {
    return (await this.#refusal(epoch, false)) ?? this.#ok(await manifestOf(this.#store, partition));
  }

  async fetch({ epoch, partition, ids }: NamedRequest): Promise<PeerReply<readonly Fragment[]>> {
    const refusal = await this.#refusal(epoch, false);
    if (refusal !== undefined) return refusal;
    const wanted = new Set(ids.map(contentKey));
    const fragments: Fragment[] = [];
    for await (const fragment of this.#store.exportPartition(partition)) {
      if (wanted.has(contentKey(fragment))) fragments.push(fragment);
    }
    return this.#ok(fragments);
  }

  async receipt({ epoch, partition, ids }: NamedRequest): Promise<PeerReply<Receipt>> {
    const refusal = await this.#refusal(epoch, false);
    if (refusal !== undefined) return refusal;
    const there = new Set<string>();
    for await (const fragment of this.#store.exportPartition(partition)) there.add(contentKey(fragment));
    const held = ids.filter((id) => there.has(contentKey(id)));
    const { high, low } = sumOf(held);
    const lacking = ids.filter((id) => !there.has(contentKey(id)));
    return this.#ok({ held: held.length, sumHigh: high, sumLow: low, lacking });
  }

  /**
   * Why a request is not answered, if it is not. What follows it in the same turn of the event loop happens under the
   * epoch that was checked.
   */
  async #refusal(epoch: number, mustServe: boolean): Promise<PeerReply<never> | undefined> {
    if (epoch > this.#book.epoch && !(await this.#caughtUp(epoch))) {
      return this.#unavailable(`expected to know the epoch ${epoch}, got to ${this.#book.epoch} only`);
    }
    if (epoch < this.#book.epoch) return this.#wrongEpoch();
    if (mustServe && !this.#isServing)
      return this.#unavailable("gives up what is not its own, and serves after it");
    return undefined;
  }

  async #caughtUp(epoch: number): Promise<boolean> {
    if (this.#waiters >= this.#waitersMax) return false;
    this.#waiters++;
    try {
      return await this.#book.until(epoch, this.#clock, this.#catchUpMs);
    } finally {
      this.#waiters--;
    }
  }

  async #take<Value>(epoch: number, store: () => Promise<Value>): Promise<PeerReply<Value>> {
    // Some turns may have passed since the epoch was checked; from here on the write counts as under way.
    if (epoch !== this.#book.epoch) return this.#wrongEpoch();
    this.#underWay.set(epoch, (this.#underWay.get(epoch) ?? 0) + 1);
    try {
      return this.#ok(await store());
    } finally {
      const left = this.#underWay.get(epoch)! - 1;
      if (left > 0) this.#underWay.set(epoch, left);
      else this.#underWay.delete(epoch);
      for (const look of this.#drains) look();
    }
  }

  async #columns({ hostId, startMs, endMs, matchers }: PeerReadRequest): Promise<PeerColumns> {
    const matches = matchers === undefined ? undefined : compileMatchers(matchers);
    const wants = matches === undefined ? {} : { wants: matches.matchesSeries };
    const columns: SeriesColumn[] = [];
    const missing: string[] = [];
    let conflicts = 0;
    for await (const slice of this.#store.read({ hostId, startMs, endMs, ...wants })) {
      columns.push(...slice.columns);
      missing.push(...slice.missing);
      conflicts += slice.conflicts;
    }
    return { columns, conflicts, missing };
  }

  #ok<Value>(value: Value): PeerReply<Value> {
    return { status: "ok", epoch: this.#book.epoch, value };
  }

  #wrongEpoch(): PeerReply<never> {
    return { status: "wrongEpoch", epoch: this.#book.epoch, rings: this.#book.rings };
  }

  #unavailable(reason: string): PeerReply<never> {
    return { status: "unavailable", epoch: this.#book.epoch, reason, retryDelayMs: 1_000 };
  }
}

/** By host, then by start. */
function comparePartitions(a: Partition, b: Partition): number {
  if (a.hostId !== b.hostId) return a.hostId < b.hostId ? -1 : 1;
  return a.blockStartMs - b.blockStartMs;
}
