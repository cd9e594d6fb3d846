import type { ConfState } from "../conf-state.ts";
import { quorumVote } from "../core/quorum/joint.ts";
import type { LogIndex, NodeId } from "../entry.ts";

/** What is known of the fingerprints at one index. */
export interface Verdict {
  /** Members outside the largest group of equal fingerprints; of equally large groups the first one met is largest. */
  readonly minority: readonly NodeId[];
  /** The fingerprint that a quorum of the voters has, if one has. */
  readonly quorumHash: string | undefined;
  /** Members that have another than the quorum. */
  readonly wrong: readonly NodeId[];
}

/** The fingerprints of members at the same indexes. Keeps the newest few indexes. */
export class HashBook {
  readonly #hashes = new Map<LogIndex, Map<NodeId, string>>();

  /** The fingerprint of a member, if it is known. */
  get(index: LogIndex, id: NodeId): string | undefined {
    return this.#hashes.get(index)?.get(id);
  }

  /**
   * Adds a fingerprint; of one member at one index the first counts.
   *
   * @param conf - says what a quorum is
   * @returns what is known of this index now; undefined when nothing was added
   */
  add(index: LogIndex, id: NodeId, hash: string, conf: ConfState): Verdict | undefined {
    const hashes = this.#hashes.get(index) ?? new Map<NodeId, string>();
    this.#hashes.set(index, hashes);
    if (this.#hashes.size > MAX_INDEXES) {
      this.#hashes.delete(Math.min(...this.#hashes.keys()));
    }
    if (hashes.has(id)) {
      return undefined;
    }
    hashes.set(id, hash);
    const quorumHash = [...new Set(hashes.values())].find((each) => hasQuorum(hashes, each, conf));
    return {
      minority: others(hashes, largest(hashes)),
      quorumHash,
      wrong: quorumHash === undefined ? [] : others(hashes, quorumHash),
    };
  }

  /** Forgets the fingerprints of a member: its state machine was replaced. */
  forget(id: NodeId): void {
    for (const hashes of this.#hashes.values()) {
      hashes.delete(id);
    }
  }
}

function hasQuorum(hashes: ReadonlyMap<NodeId, string>, hash: string, conf: ConfState): boolean {
  const votes = (id: NodeId): boolean | undefined => (hashes.has(id) ? hashes.get(id) === hash : undefined);
  return quorumVote(conf, votes) === "won";
}

function largest(hashes: ReadonlyMap<NodeId, string>): string {
  const counts = new Map<string, number>();
  for (const hash of hashes.values()) {
    counts.set(hash, (counts.get(hash) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]![0];
}

function others(hashes: ReadonlyMap<NodeId, string>, hash: string): NodeId[] {
  return [...hashes].filter(([, each]) => each !== hash).map(([id]) => id);
}

const MAX_INDEXES = 8;
