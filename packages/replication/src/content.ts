import { type Fragment, fragmentId } from "@mon/store";

/** What names a fragment of a host: its instant, and the hash of its bytes. */
export interface ContentId {
  readonly timestampMs: number;
  readonly idHigh: number;
  readonly idLow: number;
  /** Of the fragment's bytes. */
  readonly size: number;
}

/** The name of a fragment, apart from its bytes. */
export function contentIdOf({ timestampMs, idHigh, idLow, bytes }: Fragment): ContentId {
  return { timestampMs, idHigh, idLow, size: bytes.length };
}

/** A text for use as a key: equal for equal content ids of one host. */
export function contentKey(id: Pick<ContentId, "timestampMs" | "idHigh" | "idLow">): string {
  return `${id.timestampMs}/${fragmentId(id)}`;
}

/** A sum of 64-bit numbers modulo 2⁶⁴, in two halves: the same for any order. */
export class Sum64 {
  high = 0;
  low = 0;
  count = 0;

  add(high: number, low: number): void {
    const sum = this.low + low;
    this.low = sum >>> 0;
    this.high = (this.high + high + (sum > 0xffff_ffff ? 1 : 0)) >>> 0;
    this.count++;
  }

  /** Whether as many numbers were added, and to the same sum. */
  equals(other: Sum64): boolean {
    return this.count === other.count && this.high === other.high && this.low === other.low;
  }
}

/** The number of content ids and the sum of their hashes: with each id acknowledged, proof that a copy is whole (R24). */
export function sumOf(ids: Iterable<ContentId>): Sum64 {
  const sum = new Sum64();
  for (const { idHigh, idLow } of ids) sum.add(idHigh, idLow);
  return sum;
}
