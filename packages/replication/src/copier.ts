import { type Fragment, murmur3, type Partition } from "@mon/store";
import { callWithin, valueIn } from "./call.ts";
import { type Clock, pause } from "./clock.ts";
import { type ContentId, contentIdOf, contentKey, Sum64, sumOf } from "./content.ts";
import { ReplicationError } from "./errors.ts";
import type { Peer, PeerReply, PeersById, Receipt } from "./peer.ts";
import { manifestOf, type ReplicaStore, stream } from "./replica-store.ts";
import type { RingBook } from "./ring-book.ts";
import type { TokenBucket } from "./token-bucket.ts";

export interface CopierDeps {
  readonly store: ReplicaStore;
  readonly book: RingBook;
  readonly peers: PeersById;
  readonly clock: Clock;
  /** Shared by all that copies on this broker, so that all of it together keeps the rate. */
  readonly throttle: TokenBucket;
}

export interface CopierOptions {
  /** How long to wait for a peer, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
  /** Bytes of fragments in one message, but for a fragment that is larger. Default 1 MiB. */
  readonly batchBytesMax?: number;
}

/** What a copy took. */
export interface Copied {
  readonly fragments: number;
  readonly bytes: number;
}

/** A partition, under the epoch by which it is copied. */
export interface CopyRequest {
  readonly partition: Partition;
  readonly epoch: number;
  readonly signal?: AbortSignal;
}

/** Times that a pull begins anew because its source packed the partition meanwhile. */
const pullsMax = 3;

/**
 * Copies fragments between this broker and others, by name: only what is lacking travels, so that a copy that was broken
 * off goes on where it was. A copy counts when each fragment of the manifest was acknowledged on disk, and their number
 * and the sum of their ids are the manifest's (R24).
 */
export class Copier {
  readonly #deps: CopierDeps;
  readonly #timeoutMs: number;
  readonly #batchBytesMax: number;

  constructor(deps: CopierDeps, options: CopierOptions = {}) {
    this.#deps = deps;
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#batchBytesMax = options.batchBytesMax ?? 1024 * 1024;
  }

  /** Asks a peer, within the time. @throws {ReplicationError} when it does not give a value */
  async ask<Value>(nodeId: string, call: (peer: Peer) => Promise<PeerReply<Value>>): Promise<Value> {
    const { clock, peers, book } = this.#deps;
    return valueIn(await callWithin(clock, this.#timeoutMs, () => call(peers(nodeId))), book);
  }

  /**
   * Gets what a source has of a partition and this broker has not.
   *
   * @throws {ReplicationError} when not all of it came; what did stays
   */
  async pull(source: string, request: CopyRequest): Promise<Copied> {
    let fragments = 0;
    let bytes = 0;
    for (let pull = 0; pull < pullsMax; pull++) {
      const outcome = await this.#pullOnce(source, request);
      fragments += outcome.fragments;
      bytes += outcome.bytes;
      if (outcome.isWhole) return { fragments, bytes };
    }
    const { hostId, blockStartMs } = request.partition;
    throw new ReplicationError(
      "REPLICATION_COPY_DIFFERS",
      `expected all of ${hostId}:${blockStartMs} that ${source} named, got less ${pullsMax} times`,
    );
  }

  async #pullOnce(source: string, request: CopyRequest): Promise<Copied & { isWhole: boolean }> {
    const { partition, epoch, signal } = request;
    const { store } = this.#deps;
    const manifest = await this.ask(source, (peer) => peer.manifest({ epoch, partition }));
    const mine = new Set((await manifestOf(store, partition)).map(contentKey));
    const acknowledged = new Sum64();
    for (const id of manifest) if (mine.has(contentKey(id))) acknowledged.add(id.idHigh, id.idLow);
    let [fragments, bytes] = [0, 0];
    for (const ids of this.#batches(manifest.filter((id) => !mine.has(contentKey(id))))) {
      await this.#throttle(ids, signal);
      const came = await this.ask(source, (peer) => peer.fetch({ epoch, partition, ids }));
      assertNamed(ids, came, source);
      const receipt = await store.importPartition(partition, stream(came));
      if (receipt.fragments !== came.length) {
        throw new ReplicationError(
          "REPLICATION_COPY_DIFFERS",
          `expected ${came.length} fragments to be imported, got ${receipt.fragments}`,
        );
      }
      for (const { idHigh, idLow, bytes: content } of came) {
        acknowledged.add(idHigh, idLow);
        fragments++;
        bytes += content.length;
      }
    }
    return { fragments, bytes, isWhole: acknowledged.equals(sumOf(manifest)) };
  }

  /**
   * Sees to it that a target has on disk what is named here.
   *
   * @param ids - of fragments that this broker has
   * @throws {ReplicationError} when it has not acknowledged them all
   */
  async push(target: string, ids: readonly ContentId[], request: CopyRequest): Promise<Copied> {
    const { partition, epoch, signal } = request;
    const known = await this.ask(target, (peer) => peer.receipt({ epoch, partition, ids }));
    const acknowledged = new Sum64();
    addReceipt(acknowledged, known);
    let [fragments, bytes] = [0, 0];
    for (const batch of this.#batches(known.lacking)) {
      await this.#throttle(batch, signal);
      const given = await this.#own(partition, batch);
      const receipt = await this.ask(target, (peer) => peer.give({ epoch, partition, fragments: given }));
      addReceipt(acknowledged, receipt);
      fragments += given.length;
      for (const { bytes: content } of given) bytes += content.length;
    }
    if (acknowledged.equals(sumOf(ids))) return { fragments, bytes };
    throw new ReplicationError(
      "REPLICATION_COPY_DIFFERS",
      `expected ${target} to acknowledge ${ids.length} fragments, got ${acknowledged.count}, or others`,
    );
  }

  async #own(partition: Partition, ids: readonly ContentId[]): Promise<Fragment[]> {
    const wanted = new Set(ids.map(contentKey));
    const own: Fragment[] = [];
    for await (const fragment of this.#deps.store.exportPartition(partition)) {
      if (wanted.has(contentKey(fragment))) own.push(fragment);
    }
    return own;
  }

  *#batches(ids: readonly ContentId[]): Generator<readonly ContentId[]> {
    let batch: ContentId[] = [];
    let bytes = 0;
    for (const id of ids) {
      if (batch.length > 0 && bytes + id.size > this.#batchBytesMax) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push(id);
      bytes += id.size;
    }
    if (batch.length > 0) yield batch;
  }

  async #throttle(ids: readonly ContentId[], signal: AbortSignal | undefined): Promise<void> {
    const { throttle, clock } = this.#deps;
    signal?.throwIfAborted();
    const bytes = ids.reduce((sum, { size }) => sum + size, 0);
    const delayMs = throttle.take(bytes, clock.now());
    if (delayMs > 0) await pause(clock, delayMs, signal);
  }
}

/** Adds what a receipt acknowledges. */
function addReceipt(sum: Sum64, { held, sumHigh, sumLow }: Receipt): void {
  sum.add(sumHigh, sumLow);
  sum.count += held - 1;
}

/** Each fragment is one that was asked for, comes once, and has the bytes that its name says. */
function assertNamed(ids: readonly ContentId[], came: readonly Fragment[], source: string): void {
  const wanted = new Set(ids.map(contentKey));
  for (const fragment of came) {
    const { high, low } = murmur3(fragment.bytes);
    const isItself = high === fragment.idHigh && low === fragment.idLow;
    if (isItself && wanted.delete(contentKey(fragment))) continue;
    throw new ReplicationError(
      "REPLICATION_COPY_DIFFERS",
      `expected fragments that were asked for from ${source}, got ${contentKey(contentIdOf(fragment))}`,
    );
  }
}
