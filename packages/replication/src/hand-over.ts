import type { ClusterCommand, RingChange } from "@mon/cluster";
import { bucketStart, movementAt, plan } from "@mon/hashring";
import type { Partition } from "@mon/store";
import { type Clock, longestMs } from "./clock.ts";
import type { Copier } from "./copier.ts";
import { ReplicationError } from "./errors.ts";
import type { ReplicaServer } from "./replica-server.ts";
import type { RingBook } from "./ring-book.ts";
import type { Rings } from "./rings.ts";
import { Placement } from "./topology.ts";

/** Has the cluster agree on a step; rejects when it did not, or when that is not known. */
export type Propose = (command: ClusterCommand) => Promise<void>;

export interface HandOverDeps {
  readonly nodeId: string;
  readonly book: RingBook;
  readonly server: ReplicaServer;
  readonly copier: Copier;
  readonly propose: Propose;
  readonly clock: Clock;
  /** The cluster's time, in milliseconds since the Unix epoch. */
  readonly clusterTimeMs: () => number;
}

export interface HandOverOptions {
  /** What is older than this is not copied, in milliseconds. Default: everything is. */
  readonly retentionMs?: number;
  /** Partitions listed in one message. Default 1,000. */
  readonly pageSize?: number;
}

/** Where a hand-over is, as seen from one broker. */
export type HandOverStep =
  /** None is pending. */
  | "none"
  /** This broker's part is done, or cannot begin before others have done theirs. */
  | "waiting"
  /** This broker has said that nothing written under the old ring is under way. */
  | "drained"
  /** This broker has said that it has all that is its own. */
  | "copied";

/** How far copying has come, on one broker. */
export interface HandOverProgress {
  readonly epoch: number;
  readonly partitions: number;
  /** Partitions that are to be looked at; rises while sources are asked. */
  readonly partitionsTotal: number;
  readonly bytes: number;
  readonly bytesPerSecond: number;
  /** By the rate so far; undefined before there is one. */
  readonly leftMs: number | undefined;
  /** Sources that do not answer. Up to a minority is done without; beyond, copying waits for them. */
  readonly absent: readonly string[];
}

/**
 * A broker's part in a hand-over (R24): the state machine is Raft's (`RingChange`), and this does what it waits for.
 *
 *     pending epoch → each source: refuse older epochs, drain, `drained`
 *                   → each target: for all old holders: manifest, fetch what is lacking, receipts; `copied`
 *                   → in force → each old holder: see Surrender
 *
 * Nothing here is remembered but in Raft and in stores: after a crash of anybody, {@link step} goes on by what it finds.
 * An abort ends it: the old ring gets a new epoch, and what was written under the pending one is surrendered.
 */
export class HandOver {
  readonly #deps: HandOverDeps;
  readonly #retentionMs: number;
  readonly #pageSize: number;
  #running: Promise<HandOverStep> | undefined;
  #progress: HandOverProgress | undefined;

  constructor(deps: HandOverDeps, options: HandOverOptions = {}) {
    this.#deps = deps;
    this.#retentionMs = options.retentionMs ?? longestMs;
    this.#pageSize = options.pageSize ?? 1_000;
  }

  /** Of the hand-over that this broker copies for, or did last. */
  get progress(): HandOverProgress | undefined {
    return this.#progress;
  }

  /**
   * Does what this broker can do now. To be called when the state changes, and every second or so: one that failed is
   * simply called again. A call while another is under way shares it.
   *
   * @throws {ReplicationError} when a step failed; what was copied stays
   */
  step(signal?: AbortSignal): Promise<HandOverStep> {
    this.#running ??= this.#step(signal).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #step(signal: AbortSignal | undefined): Promise<HandOverStep> {
    const { book, nodeId, server, propose } = this.#deps;
    const { rings } = book;
    const { change } = rings;
    if (change === undefined) return "none";
    const { epoch } = change.ring;
    if (change.undrained.includes(nodeId)) {
      await server.drained(epoch);
      await propose({ kind: "drained", epoch, nodeId, atMs: this.#deps.clusterTimeMs() });
      return "drained";
    }
    if (change.undrained.length > 0 || !change.uncopied.includes(nodeId)) return "waiting";
    const { partitions, bytes } = await this.#copy(rings, change, signal);
    await propose({ kind: "copied", epoch, nodeId, partitions, bytes, atMs: this.#deps.clusterTimeMs() });
    return "copied";
  }

  /** Copies what becomes this broker's, of all who may have it. */
  async #copy(rings: Rings, change: RingChange, signal: AbortSignal | undefined): Promise<HandOverProgress> {
    const { nodeId, copier, clock } = this.#deps;
    const before = new Placement(rings.ring);
    const { epoch } = change.ring;
    const beganMs = clock.now();
    const absent: string[] = [];
    const work: { source: string; partition: Partition }[] = [];
    const moves = plan(before.ring, new Placement(change.ring).ring);
    for (const source of oldHolders(rings)) {
      if (source === nodeId || isGone(rings, change, source)) continue;
      try {
        for await (const partition of this.#list(source, epoch)) {
          const { hostId, blockStartMs } = partition;
          const position = before.ring.positionOfBucket(hostId, bucketOf(before, partition));
          if (movementAt(moves, position) !== undefined)
            work.push({ source, partition: { hostId, blockStartMs } });
        }
      } catch (error) {
        if (isOver(error)) throw error;
        absent.push(source);
      }
    }
    let [partitions, bytes] = [0, 0];
    const note = (): HandOverProgress => {
      const elapsedMs = clock.now() - beganMs;
      const leftMs = partitions === 0 ? undefined : (elapsedMs / partitions) * (work.length - partitions);
      const bytesPerSecond = elapsedMs === 0 ? 0 : (bytes / elapsedMs) * 1_000;
      this.#progress = {
        epoch,
        partitions,
        partitionsTotal: work.length,
        bytes,
        bytesPerSecond,
        leftMs,
        absent: [...absent],
      };
      return this.#progress;
    };
    note();
    for (const { source, partition } of work) {
      signal?.throwIfAborted();
      if (absent.includes(source)) continue;
      try {
        const copied = await copier.pull(source, { partition, epoch, ...(signal ? { signal } : {}) });
        bytes += copied.bytes;
        partitions++;
      } catch (error) {
        if (isOver(error)) throw error;
        absent.push(source);
      }
      note();
    }
    // With fewer absent than it takes to acknowledge a write, each acknowledged fragment was on one that was not (R23).
    const quorum = Math.min(before.quorum, ...rings.past.map(({ ring }) => new Placement(ring).quorum));
    if (absent.length < quorum) return note();
    throw new ReplicationError(
      "REPLICATION_PEER_SILENT",
      `expected all but ${quorum - 1} of the old holders to answer, without ${absent.join(", ")}`,
    );
  }

  async *#list(source: string, epoch: number): AsyncGenerator<Partition> {
    const { copier, nodeId, clusterTimeMs } = this.#deps;
    const request = {
      epoch,
      owner: nodeId,
      keptFromMs: clusterTimeMs() - this.#retentionMs,
      limit: this.#pageSize,
    };
    let after: Partition | undefined;
    for (;;) {
      const from = after === undefined ? {} : { after };
      const page = await copier.ask(source, (peer) => peer.partitions({ ...request, ...from }));
      yield* page;
      after = page.at(-1);
      if (after === undefined || page.length < this.#pageSize) return;
    }
  }
}

/** The start of the bucket that a block is part of. */
function bucketOf({ ring }: Placement, { hostId, blockStartMs }: Partition): number {
  return bucketStart(hostId, blockStartMs, ring.parameters.shardBucketMs);
}

/** Who may hold what was written before: those of the ring in force, and of past ones who have not given it up. */
function oldHolders({ ring, past }: Rings): Set<string> {
  return new Set([...ring.members.map(({ id }) => id), ...past.flatMap(({ uncleared }) => uncleared)]);
}

/** Whether a member is removed because it is dead: what it alone had is lost, and nobody waits for it. */
function isGone({ members }: Rings, { wish }: RingChange, nodeId: string): boolean {
  const state = members.get(nodeId)?.state;
  if (state === undefined) return true;
  return state === "down" && wish.kind === "remove" && wish.nodeId === nodeId;
}

/** Whether a failure means that the hand-over is no more what it was, or was called off. */
function isOver(error: unknown): boolean {
  return !(error instanceof ReplicationError) || error.code === "REPLICATION_WRONG_EPOCH";
}
