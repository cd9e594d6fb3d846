import type { LogIndex, NodeId } from "../entry.ts";

/** The fingerprints of members at the same indexes. Keeps the newest few indexes. */
export class HashBook {
  readonly #hashes = new Map<LogIndex, Map<NodeId, string>>();

  /**
   * Adds a fingerprint.
   *
   * @returns the members that differ from most others at this index, when adding this one told so; else none
   */
  add(index: LogIndex, id: NodeId, hash: string): NodeId[] {
    const hashes = this.#hashes.get(index) ?? new Map<NodeId, string>();
    this.#hashes.set(index, hashes);
    if (this.#hashes.size > MAX_INDEXES) {
      this.#hashes.delete(Math.min(...this.#hashes.keys()));
    }
    if (hashes.has(id)) {
      return [];
    }
    hashes.set(id, hash);
    return minority(hashes);
  }
}

/**
 * Members outside the largest group of equal fingerprints; of equally large groups the first one met counts as
 * largest.
 */
function minority(hashes: ReadonlyMap<NodeId, string>): NodeId[] {
  const counts = new Map<string, number>();
  for (const hash of hashes.values()) {
    counts.set(hash, (counts.get(hash) ?? 0) + 1);
  }
  const [largest] = [...counts].sort((a, b) => b[1] - a[1])[0]!;
  return [...hashes].filter(([, hash]) => hash !== largest).map(([id]) => id);
}

const MAX_INDEXES = 8;
