import { decodeSamples } from "./decode-samples.ts";
import { encodeSamples } from "./encode-samples.ts";
import { compareSamples } from "./fold.ts";
import type { Fragment } from "./fragment.ts";
import type { Layout, Layouts } from "./layout.ts";
import { tag } from "./tag.ts";
import { fieldEnd, isZero, varintEnd } from "./wire-walk.ts";

/** What a shape takes of a fragment. */
export type Statement = Pick<Fragment, "timestampMs" | "bytes" | "layout">;

/** Layouts that a shape recognises: zeros that come and go make as many, for canonical bytes leave them out. */
const layoutsMax = 8;

/** The newest fragment of one shape: one list of series, as one program of a host sends it time and again. */
export class ShapeState {
  #timestampMs: number;
  #bytes: Uint8Array;
  /** The layout that was met last. */
  #layout: Layout;
  /** Serials of layouts of this shape, that of the last in place of that of the eldest. */
  readonly #serials: number[];
  #layoutsMet = 1;
  readonly #shared: Layouts;

  /**
   * @param newest - canonical; its bytes are kept as they are, see {@link ShapeState.bytes}
   * @param shared - layouts for fragments that come without one
   */
  constructor(newest: Statement, shared: Layouts) {
    this.#timestampMs = newest.timestampMs;
    this.#bytes = newest.bytes;
    this.#layout = newest.layout ?? shared.of(newest.bytes);
    this.#serials = [this.#layout.serial];
    this.#shared = shared;
  }

  get timestampMs(): number {
    return this.#timestampMs;
  }

  /**
   * The newest fragment's bytes: those that were taken, not a copy. Whoever gave them leaves them alone until the shape
   * has taken others or was {@link ShapeState.detach | detached}.
   */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Replaces the bytes by a copy that nobody else has. */
  detach(): void {
    this.#bytes = this.#bytes.slice();
  }

  /** Whether a fragment comes with a layout that is known to be of this shape. O(1). */
  hasLayoutOf({ layout }: Statement): boolean {
    return layout !== undefined && this.#serials.includes(layout.serial);
  }

  /**
   * Takes a fragment when it is of this shape: a newer one in place of what was there, one of the same instant folded
   * with it (R4), an older one not at all. O(1) when it comes with a layout that is known, else a pass over the bytes,
   * without decoding.
   *
   * @returns whether it is of this shape
   */
  take(statement: Statement): boolean {
    const { timestampMs, bytes } = statement;
    if (!this.hasLayoutOf(statement)) {
      const isFitting = this.#layout.fits(bytes);
      if (!isFitting && !sameShape(this.#bytes, bytes)) return false;
      if (!isFitting || statement.layout !== undefined)
        this.#meet(statement.layout ?? this.#shared.of(bytes));
    }
    if (timestampMs > this.#timestampMs) {
      this.#timestampMs = timestampMs;
      this.#bytes = bytes;
    } else if (timestampMs === this.#timestampMs && !isEqual(this.#bytes, bytes)) {
      this.#bytes = folded(this.#bytes, bytes);
    }
    return true;
  }

  #meet(layout: Layout): void {
    this.#layout = layout;
    if (this.#serials.includes(layout.serial)) return;
    this.#serials[this.#layoutsMet % layoutsMax] = layout.serial;
    this.#layoutsMet++;
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
