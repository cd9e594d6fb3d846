import { blockMs, type Partition } from "@mon/store";
import { type Clock, longestMs, pause } from "./clock.ts";
import type { ContentId } from "./content.ts";
import type { Copier } from "./copier.ts";
import { ReplicationError } from "./errors.ts";
import type { Propose } from "./hand-over.ts";
import type { ReplicaServer } from "./replica-server.ts";
import { manifestOf, type ReplicaStore } from "./replica-store.ts";
import type { RingBook } from "./ring-book.ts";
import type { Topology } from "./topology.ts";

export interface SurrenderDeps {
  readonly nodeId: string;
  readonly store: ReplicaStore;
  readonly book: RingBook;
  readonly server: ReplicaServer;
  readonly copier: Copier;
  readonly propose: Propose;
  readonly clock: Clock;
  /** The cluster's time, in milliseconds since the Unix epoch. */
  readonly clusterTimeMs: () => number;
}

export interface SurrenderOptions {
  /** What is older than this is left to the store's own trimming, in milliseconds. Default: everything is surrendered. */
  readonly retentionMs?: number;
  /**
   * Between the last receipt and the removal, in milliseconds. Default 10,000. It must be longer than a read may wait for
   * a member: else a read that asked the new holder before the copy came, and this one after it is gone, sees neither.
   */
  readonly graceMs?: number;
  /** Partitions that wait for their removal together. Default 1,000. */
  readonly partitionsMax?: number;
}

/** What a sweep did. */
export interface SweepResult {
  /** Partitions of which something was given up. */
  readonly partitions: number;
  /** Fragments removed here. */
  readonly fragments: number;
  /** Partitions that are not this broker's and stay for now. */
  readonly kept: number;
  /** Why, for people; at most ten. */
  readonly reasons: readonly string[];
}

interface Verified {
  readonly partition: Partition;
  readonly ids: readonly ContentId[];
}

const reasonsMax = 10;

/**
 * Gives up what this broker holds and does not own by the ring in force (R25): names it, sees to it that every owner has
 * each fragment on disk, waits, and removes exactly what it named. Old holders do it after a hand-over, those who stood
 * in for an owner when that is back, and a broker that was away before it serves.
 *
 * A sweep that leaves nothing that only a past ring would look for is reported to the cluster (`cleared`); when all have,
 * readers forget that ring.
 */
export class Surrender {
  readonly #deps: SurrenderDeps;
  readonly #retentionMs: number;
  readonly #graceMs: number;
  readonly #partitionsMax: number;
  #running: Promise<SweepResult> | undefined;

  constructor(deps: SurrenderDeps, options: SurrenderOptions = {}) {
    this.#deps = deps;
    this.#retentionMs = options.retentionMs ?? longestMs;
    this.#graceMs = options.graceMs ?? 10_000;
    this.#partitionsMax = options.partitionsMax ?? 1_000;
  }

  /**
   * Goes through all partitions once. Does nothing while a ring is pending. To be called every minute or so, and when a
   * hand-over has ended. A call while another is under way shares it.
   *
   * @throws {ReplicationError} REPLICATION_NOT_COMMITTED when the cluster was not told; the next sweep tells it
   */
  sweep(signal?: AbortSignal): Promise<SweepResult> {
    this.#running ??= this.#sweep(signal).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #sweep(signal: AbortSignal | undefined): Promise<SweepResult> {
    const { book, nodeId, server, store, clusterTimeMs, propose } = this.#deps;
    const { rings, topology } = book;
    const total = { partitions: 0, fragments: 0, kept: 0, reasons: [] as string[] };
    if (rings.change !== undefined) return total;
    await server.drained(topology.epoch);
    const keptFromMs = clusterTimeMs() - this.#retentionMs;
    const foreign: Partition[] = [];
    for await (const partition of store.partitions()) {
      const { hostId, blockStartMs } = partition;
      if (blockStartMs + blockMs <= keptFromMs) continue;
      if (!topology.inForce.owners(hostId, blockStartMs).includes(nodeId)) foreign.push(partition);
    }
    /** Whether something stays that no reader would look for here without the past rings. */
    let isHidden = false;
    for (let at = 0; at < foreign.length; at += this.#partitionsMax) {
      const kept = await this.#giveUp(foreign.slice(at, at + this.#partitionsMax), topology, total, signal);
      for (const { hostId, blockStartMs } of kept) {
        total.kept++;
        const asked = topology.inForce.candidates(hostId, blockStartMs, topology.standInsMax);
        isHidden ||= !asked.includes(nodeId);
      }
    }
    if (isHidden) return total;
    for (const { ring, uncleared } of rings.past) {
      if (!uncleared.includes(nodeId)) continue;
      await propose({ kind: "cleared", epoch: ring.epoch, nodeId, atMs: clusterTimeMs() });
    }
    return total;
  }

  /** @returns the partitions of which something stays */
  async #giveUp(
    partitions: readonly Partition[],
    topology: Topology,
    total: { partitions: number; fragments: number; reasons: string[] },
    signal: AbortSignal | undefined,
  ): Promise<Partition[]> {
    const { book, store, clock } = this.#deps;
    const verified: Verified[] = [];
    const kept: Partition[] = [];
    for (const partition of partitions) {
      try {
        verified.push({ partition, ids: await this.#verify(partition, topology, signal) });
      } catch (error) {
        if (!(error instanceof ReplicationError)) throw error;
        if (total.reasons.length < reasonsMax) total.reasons.push(error.message);
        kept.push(partition);
      }
    }
    if (verified.length > 0) await pause(clock, this.#graceMs, signal);
    for (const { partition, ids } of verified) {
      // Receipts were those of this ring's owners: under another, others may be asked, and lack it.
      if (book.epoch !== topology.epoch) return [...kept, ...verified.map((each) => each.partition)];
      const { removed, left } = await store.removeFragments(partition, ids);
      total.fragments += removed;
      total.partitions++;
      if (left > 0) kept.push(partition);
    }
    return kept;
  }

  /** Makes sure that all owners have what is here. @returns what they acknowledged */
  async #verify(
    partition: Partition,
    { epoch, inForce }: Topology,
    signal: AbortSignal | undefined,
  ): Promise<ContentId[]> {
    const { copier, store } = this.#deps;
    const ids = await manifestOf(store, partition);
    for (const owner of inForce.owners(partition.hostId, partition.blockStartMs)) {
      await copier.push(owner, ids, { partition, epoch, ...(signal ? { signal } : {}) });
    }
    return ids;
  }
}
