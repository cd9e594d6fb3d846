/**
 * Bytes that are under way to each peer. Whoever is slow fills its own budget and no other's: what is meant for it fails
 * at once then, instead of waiting in line.
 */
export class PeerBudgets {
  readonly #bytesMax: number;
  readonly #underWay = new Map<string, number>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes room, to be given back; false when there is none. A peer to which nothing is under way takes any size. */
  take(nodeId: string, bytes: number): boolean {
    const underWay = this.#underWay.get(nodeId) ?? 0;
    if (underWay > 0 && underWay + bytes > this.#bytesMax) return false;
    this.#underWay.set(nodeId, underWay + bytes);
    return true;
  }

  giveBack(nodeId: string, bytes: number): void {
    const left = (this.#underWay.get(nodeId) ?? 0) - bytes;
    if (left > 0) this.#underWay.set(nodeId, left);
    else this.#underWay.delete(nodeId);
  }
}
