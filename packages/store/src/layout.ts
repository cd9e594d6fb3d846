import { Desk } from "./desk.ts";
import { tag } from "./tag.ts";
import { fieldEnd, isZero, varintEnd } from "./wire-walk.ts";

/** Layouts made. */
let layouts = 0;

/**
 * What runs of samples have in common that differ in values only: all their other bytes. Fragments with one layout list
 * the same series in the same order, with the same labels, kinds and flags, and leave out the same values. Programs
 * send the same list time and again, so that most fragments can be recognised by comparing words.
 */
export class Layout {
  /** Tells this layout from all others of the process: for those who want to recognise it and not to keep it. */
  readonly serial: number = ++layouts;
  /** Bytes of such a run. */
  readonly length: number;
  /** Where the eight bytes of each value stand, ascending. A sample whose value is left out has none. */
  readonly valueOffsets: readonly number[];
  /** The bytes, values zeroed. */
  readonly #template: Int32Array;
  /** The same memory. */
  readonly #blank: Uint8Array;
  /** For each word: ones where bytes count, zeros where they belong to a value. */
  readonly #mask: Int32Array;

  /**
   * @param bytes - a run of samples, canonical unless told where its values stand; not kept
   * @param valueOffsets - where the values stand, ascending
   */
  constructor(bytes: Uint8Array, valueOffsets: readonly number[] = canonicalValueOffsets(bytes)) {
    this.length = bytes.length;
    this.valueOffsets = valueOffsets;
    const words = Math.ceil(bytes.length / 4);
    this.#template = new Int32Array(words);
    this.#mask = new Int32Array(words);
    this.#blank = new Uint8Array(this.#template.buffer, 0, bytes.length);
    const mask = new Uint8Array(this.#mask.buffer, 0, bytes.length);
    this.#blank.set(bytes);
    mask.fill(0xff);
    for (const offset of valueOffsets) {
      this.#blank.fill(0, offset, offset + 8);
      mask.fill(0, offset, offset + 8);
    }
  }

  /** Whether what lies on a desk differs from runs of this layout in values only. O(bytes / 4), no allocation. */
  covers({ length, words }: Desk): boolean {
    if (length !== this.length) return false;
    const template = this.#template;
    const mask = this.#mask;
    // One look at the end is cheaper than one at each word.
    let difference = 0;
    for (let i = 0; i < template.length; i++) difference |= (words[i]! & mask[i]!) ^ template[i]!;
    return difference === 0;
  }

  /**
   * Whether bytes are canonical as those of this layout and differ from them in values only.
   * O(bytes / 4), no allocation.
   */
  fits(bytes: Uint8Array): boolean {
    if (bytes.length !== this.length) return false;
    desk.put(bytes);
    if (!this.covers(desk)) return false;
    for (const offset of this.valueOffsets)
      if (bytes[offset + 7] === 0 && isZero(bytes, offset)) return false;
    return true;
  }

  /** Writes a run of this layout whose values are all zero bytes, to be filled in. @param target - as long as it */
  writeBlank(target: Uint8Array): void {
    target.set(this.#blank);
  }
}

/** Nothing lies here longer than one call. */
const desk = new Desk();

/** Where the values of canonical bytes stand. */
function canonicalValueOffsets(bytes: Uint8Array): number[] {
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

/** Layouts to be shared by fragments that come without one. */
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
