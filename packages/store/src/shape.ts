import { decodeSamples } from "./decode-samples.ts";
import { encodeSamples } from "./encode-samples.ts";
import { compareSamples } from "./fold.ts";
import { AlignedBytes, type Layout, type Layouts } from "./layout.ts";
import { tag } from "./tag.ts";
import { fieldEnd, isZero, varintEnd } from "./wire-walk.ts";

/** The newest fragment of one shape: one list of series, as one program of a host sends it time and again. */
export class ShapeState {
  #timestampMs: number;
  #aligned: AlignedBytes;
  #layout: Layout;
  readonly #layouts: Layouts;

  /** @param bytes - canonical; copied */
  constructor(timestampMs: number, bytes: Uint8Array, layouts: Layouts) {
    this.#timestampMs = timestampMs;
    this.#aligned = AlignedBytes.of(bytes);
    this.#layout = layouts.of(bytes);
    this.#layouts = layouts;
  }

  get timestampMs(): number {
    return this.#timestampMs;
  }

  /** Good until the shape takes the next fragment. */
  get bytes(): Uint8Array {
    return this.#aligned.bytes;
  }

  /**
   * Takes a fragment when it is of this shape: a newer one in place of what was there, one of the same instant folded
   * with it (R4), an older one not at all. The bytes are copied. One pass over them, without decoding, when nothing but
   * values differs.
   *
   * @returns whether it is of this shape
   */
  take(timestampMs: number, bytes: Uint8Array): boolean {
    const hasSameLayout = this.#layout.fits(bytes);
    if (!hasSameLayout && !sameShape(this.bytes, bytes)) return false;
    if (timestampMs > this.#timestampMs) {
      this.#timestampMs = timestampMs;
      if (hasSameLayout) this.#aligned = this.#layout.swap(this.#aligned);
      else this.#replace(bytes);
    } else if (timestampMs === this.#timestampMs && !isEqual(this.bytes, bytes)) {
      this.#replace(folded(this.bytes, bytes));
    }
    return true;
  }

  #replace(bytes: Uint8Array): void {
    this.#aligned = AlignedBytes.of(bytes);
    this.#layout = this.#layouts.of(bytes);
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Two fragments of one shape and instant as one: each series keeps the greater value. */
function folded(a: Uint8Array, b: Uint8Array): Uint8Array {
  const rivals = decodeSamples(b);
  return encodeSamples(
    decodeSamples(a).map((sample, index) => {
      const rival = rivals[index]!;
      return compareSamples(rival, sample) > 0 ? rival : sample;
    }),
  );
}

/**
 * Whether a fragment holds the same series with the same kinds as a canonical one, so that they differ in values and
 * flags at most. When it does, it is canonical itself: a repeated shape needs no other check. O(bytes), no allocation.
 *
 * @param a - a canonical fragment
 * @param b - any bytes
 */
export function sameShape(a: Uint8Array, b: Uint8Array): boolean {
  let i = 0;
  let j = 0;
  while (i < a.length) {
    if (b[j] !== tag.samples) return false;
    const endOfA = fieldEnd(a, i);
    const endOfB = fieldEnd(b, j);
    i = varintEnd(a, i + 1);
    j = varintEnd(b, j + 1);
    const nameEnd = fieldEnd(a, i);
    for (; i < nameEnd; i++, j++) if (a[i] !== b[j]) return false;
    if (i < endOfA && a[i] === tag.value) i += 9;
    if (j < endOfB && b[j] === tag.value) {
      if (b[j + 8] === 0 && isZero(b, j + 1)) return false;
      j += 9;
    }
    const identityEnd = flagsStart(a, i, endOfA);
    for (; i < identityEnd; i++, j++) if (a[i] !== b[j]) return false;
    if (j !== endOfB && !isFlags(b, j, endOfB)) return false;
    i = endOfA;
    j = endOfB;
  }
  return j === b.length;
}

/** Skips labels and kind of a sample. */
function flagsStart(bytes: Uint8Array, start: number, end: number): number {
  let position = start;
  while (position < end && bytes[position] === tag.labels) position = fieldEnd(bytes, position);
  if (position < end && bytes[position] === tag.kind) position = varintEnd(bytes, position + 1);
  return position;
}

/** Whether a run is one flags field as canonical bytes have it: not 0, a minimal varint of 32 bits. */
function isFlags(bytes: Uint8Array, start: number, end: number): boolean {
  const size = end - start - 1;
  if (bytes[start] !== tag.flags || size < 1 || size > 5) return false;
  for (let i = start + 1; i < end - 1; i++) if (bytes[i]! < 0x80) return false;
  const last = bytes[end - 1]!;
  return last > 0 && last < (size === 5 ? 0x10 : 0x80);
}
