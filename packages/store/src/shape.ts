import { decodeSamples } from "./decode-samples.ts";
import { encodeSamples } from "./encode-samples.ts";
import { compareSamples } from "./fold.ts";
import { tag } from "./tag.ts";

/** The newest fragment of one shape: one list of series, as one program of a host sends it time and again. */
export class ShapeState {
  #timestampMs: number;
  #bytes: Uint8Array;
  /** Where the values stand in {@link bytes}. */
  #valueOffsets: Int32Array;

  /** @param bytes - canonical; kept, and written to when the shape takes a newer fragment */
  constructor(timestampMs: number, bytes: Uint8Array) {
    this.#timestampMs = timestampMs;
    this.#bytes = bytes;
    this.#valueOffsets = valueOffsets(bytes);
  }

  get timestampMs(): number {
    return this.#timestampMs;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * Takes a fragment when it is of this shape: a newer one in place of what was there, one of the same instant folded
   * with it (R4), an older one not at all. The bytes are copied. One pass over them, without decoding, when nothing but
   * values differs.
   *
   * @returns whether it is of this shape
   */
  take(timestampMs: number, bytes: Uint8Array): boolean {
    const hasSameLayout = this.#differsInValuesOnly(bytes);
    if (!hasSameLayout && !sameShape(this.#bytes, bytes)) return false;
    if (timestampMs > this.#timestampMs) {
      this.#timestampMs = timestampMs;
      if (hasSameLayout) this.#bytes.set(bytes);
      else this.#replace(bytes.slice());
    } else if (timestampMs === this.#timestampMs && !isEqual(this.#bytes, bytes)) {
      this.#replace(folded(this.#bytes, bytes));
    }
    return true;
  }

  #replace(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#valueOffsets = valueOffsets(bytes);
  }

  #differsInValuesOnly(bytes: Uint8Array): boolean {
    const own = this.#bytes;
    if (own.length !== bytes.length) return false;
    const offsets = this.#valueOffsets;
    let i = 0;
    for (let value = 0; value <= offsets.length; value++) {
      const end = value < offsets.length ? offsets[value]! : own.length;
      for (; i < end; i++) if (own[i] !== bytes[i]) return false;
      i += 8;
    }
    return true;
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

/** Where the values of canonical bytes stand. O(samples). */
function valueOffsets(bytes: Uint8Array): Int32Array {
  const offsets: number[] = [];
  for (let i = 0; i < bytes.length; ) {
    const end = fieldEnd(bytes, i);
    const nameEnd = fieldEnd(bytes, varintEnd(bytes, i + 1));
    if (nameEnd < end && bytes[nameEnd] === tag.value) offsets.push(nameEnd + 1);
    i = end;
  }
  return Int32Array.from(offsets);
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

/** Where the length-delimited field at `start` ends; beyond all bytes when it is none, or its length is not minimal. */
function fieldEnd(bytes: Uint8Array, start: number): number {
  const beyond = bytes.length + 1;
  let position = start + 1;
  let size = bytes[position++]!;
  if (size >= 0x80) {
    size &= 0x7f;
    for (let shift = 7; ; shift += 7) {
      const byte = bytes[position++];
      if (byte === undefined || byte === 0 || shift > 21) return beyond;
      size |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
  }
  const end = position + size;
  return end <= bytes.length ? end : beyond;
}

function varintEnd(bytes: Uint8Array, start: number): number {
  let position = start;
  while (position < bytes.length && bytes[position]! >= 0x80) position++;
  return position + 1;
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

/** Whether eight bytes are the double +0, which canonical bytes leave out. */
function isZero(bytes: Uint8Array, start: number): boolean {
  for (let i = start; i < start + 8; i++) if (bytes[i] !== 0) return false;
  return true;
}
