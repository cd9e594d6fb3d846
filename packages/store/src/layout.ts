import { tag } from "./tag.ts";
import { fieldEnd, isZero, varintEnd } from "./wire-walk.ts";

/** Bytes that can also be read four at a time. */
export class AlignedBytes {
  readonly bytes: Uint8Array;
  /** The same memory in words; what follows the bytes in the last one is zero. */
  readonly words: Int32Array;

  constructor(length: number) {
    this.words = new Int32Array(Math.ceil(length / 4));
    this.bytes = new Uint8Array(this.words.buffer, 0, length);
  }

  /** A copy of bytes. */
  static of(bytes: Uint8Array): AlignedBytes {
    const aligned = new AlignedBytes(bytes.length);
    aligned.bytes.set(bytes);
    return aligned;
  }
}

/**
 * What fragments of one shape have in common: all their bytes but the values. Hosts that run the same program share
 * one, so that comparing a fragment with it touches memory that is at hand.
 */
export class Layout {
  readonly length: number;
  /** The bytes, values zeroed. */
  readonly #template: Int32Array;
  /** For each word: ones where bytes count, zeros where they belong to a value. */
  readonly #mask: Int32Array;
  /** Where values stand. */
  readonly #valueOffsets: readonly number[];
  /** Where bytes are put to be looked at. */
  #desk: AlignedBytes;

  /** @param bytes - canonical; not kept */
  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    const mask = new AlignedBytes(bytes.length);
    mask.bytes.fill(0xff);
    this.#valueOffsets = valueOffsets(bytes);
    for (const offset of this.#valueOffsets) mask.bytes.fill(0, offset, offset + 8);
    this.#mask = mask.words;
    this.#template = AlignedBytes.of(bytes).words;
    for (let i = 0; i < this.#mask.length; i++) this.#template[i]! &= this.#mask[i]!;
    this.#desk = new AlignedBytes(bytes.length);
  }

  /**
   * Whether bytes are canonical as those of this layout and differ from them in values only; a copy of them then lies
   * ready for {@link swap}.
   * O(bytes / 4), no allocation.
   */
  fits(bytes: Uint8Array): boolean {
    if (bytes.length !== this.length) return false;
    this.#desk.bytes.set(bytes);
    const words = this.#desk.words;
    const template = this.#template;
    const mask = this.#mask;
    for (let i = 0; i < template.length; i++) if ((words[i]! & mask[i]!) !== template[i]!) return false;
    for (const offset of this.#valueOffsets)
      if (bytes[offset + 7] === 0 && isZero(bytes, offset)) return false;
    return true;
  }

  /** Gives the copy of what {@link fits} has just found to fit, for bytes of this layout that are not needed any more. */
  swap(done: AlignedBytes): AlignedBytes {
    const copy = this.#desk;
    this.#desk = done;
    return copy;
  }
}

/** Where the values of canonical bytes stand. */
function valueOffsets(bytes: Uint8Array): number[] {
  const offsets: number[] = [];
  for (let i = 0; i < bytes.length; ) {
    const end = fieldEnd(bytes, i);
    const nameEnd = fieldEnd(bytes, varintEnd(bytes, i + 1));
    if (nameEnd < end && bytes[nameEnd] === tag.value) offsets.push(nameEnd + 1);
    i = end;
  }
  return offsets;
}

/** Layouts of one length that are kept; beyond it the eldest goes, and those that have it keep it for themselves. */
const perLengthMax = 16;
/** Lengths that are kept; beyond it all are dropped. */
const lengthsMax = 1_024;

/** Layouts to be shared. */
export class Layouts {
  readonly #byLength = new Map<number, Layout[]>();

  /** The layout of canonical bytes: one that is known, or a new one. */
  of(bytes: Uint8Array): Layout {
    let candidates = this.#byLength.get(bytes.length);
    const known = candidates?.find((layout) => layout.fits(bytes));
    if (known !== undefined) return known;
    if (candidates === undefined) {
      if (this.#byLength.size === lengthsMax) this.#byLength.clear();
      candidates = [];
      this.#byLength.set(bytes.length, candidates);
    }
    const layout = new Layout(bytes);
    if (candidates.length === perLengthMax) candidates.shift();
    candidates.push(layout);
    return layout;
  }
}
