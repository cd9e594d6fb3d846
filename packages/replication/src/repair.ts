import type { Partition } from "@mon/store";
import { partitionChecksum } from "./checksum.ts";
import { longestMs } from "./clock.ts";
import type { Copier } from "./copier.ts";
import { ReplicationError } from "./errors.ts";
import type { ReplicaStore } from "./replica-store.ts";
import type { RingBook } from "./ring-book.ts";

export interface RepairDeps {
  readonly nodeId: string;
  readonly store: ReplicaStore;
  readonly book: RingBook;
  readonly copier: Copier;
  /** The cluster's time, in milliseconds since the Unix epoch. */
  readonly clusterTimeMs: () => number;
  /** Lets others run while checksums are computed; absent, only those who wait for promises are. */
  readonly breathe?: () => Promise<void>;
}

export interface RepairOptions {
  /** What is older than this is not brought back, in milliseconds. Default: nothing is too old. */
  readonly retentionMs?: number;
  /** How long after its end a block counts as closed, in milliseconds. Default 600,000: what is still written to differs all the time. */
  readonly closedAfterMs?: number;
  /** Partitions compared in one message. Default 20: their checksums are computed for it. */
  readonly pageSize?: number;
}

/** What a round of repair did. */
export interface RepairResult {
  readonly compared: number;
  /** Partitions that differed. */
  readonly differed: number;
  /** Fragments that came. */
  readonly fragments: number;
  readonly bytes: number;
  /** Members that could not be compared with, and why. */
  readonly absent: readonly string[];
}

/**
 * Compares closed partitions with what others hold of them, by checksums that do not depend on packing, and gets what is
 * lacking (R26). Each broker repairs itself only; when all have, all owners of a bucket have the same.
 */
export class Repair {
  readonly #deps: RepairDeps;
  readonly #retentionMs: number;
  readonly #closedAfterMs: number;
  readonly #pageSize: number;

  constructor(deps: RepairDeps, options: RepairOptions = {}) {
    this.#deps = deps;
    this.#retentionMs = options.retentionMs ?? longestMs;
    this.#closedAfterMs = options.closedAfterMs ?? 600_000;
    this.#pageSize = options.pageSize ?? 20;
  }

  /** Compares once with each member. Does nothing while a ring is pending: its hand-over copies. */
  async round(signal?: AbortSignal): Promise<RepairResult> {
    const { book, nodeId } = this.#deps;
    const { rings } = book;
    const total = { compared: 0, differed: 0, fragments: 0, bytes: 0, absent: [] as string[] };
    if (rings.change !== undefined) return total;
    for (const { id } of rings.ring.members) {
      if (id === nodeId) continue;
      try {
        await this.#compare(id, book.epoch, total, signal);
      } catch (error) {
        if (!(error instanceof ReplicationError)) throw error;
        total.absent.push(`${id}: ${error.message}`);
      }
    }
    return total;
  }

  async #compare(
    source: string,
    epoch: number,
    total: { compared: number; differed: number; fragments: number; bytes: number },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { nodeId, store, copier, clusterTimeMs, breathe } = this.#deps;
    const nowMs = clusterTimeMs();
    const request = {
      epoch,
      owner: nodeId,
      keptFromMs: nowMs - this.#retentionMs,
      closedBeforeMs: nowMs - this.#closedAfterMs,
      limit: this.#pageSize,
    };
    let after: Partition | undefined;
    for (;;) {
      const from = after === undefined ? {} : { after };
      const page = await copier.ask(source, (peer) => peer.partitions({ ...request, ...from }));
      for (const { hostId, blockStartMs, checksum } of page) {
        signal?.throwIfAborted();
        const partition = { hostId, blockStartMs };
        total.compared++;
        if ((await partitionChecksum(store, partition, breathe)) === checksum) continue;
        total.differed++;
        const copied = await copier.pull(source, { partition, epoch, ...(signal ? { signal } : {}) });
        total.fragments += copied.fragments;
        total.bytes += copied.bytes;
      }
      after = page.at(-1);
      if (after === undefined || page.length < this.#pageSize) return;
    }
  }
}
