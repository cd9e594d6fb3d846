import { type ByteReader, chunkInvalid } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/** The longest code, in bits: a table of 2^11 entries decodes any in one look. */
export const codeLengthMax = 11;

/** A canonical Huffman code, made of counts or read; made anew for each column, in the same memory. */
export class PrefixCode {
  readonly #classCount: number;
  /** By class, how often it occurs: what a code is made of. */
  readonly counts: Uint32Array;
  /** By class: its code, the bit that is written first lowest, × 16 + its length. */
  readonly codes: Uint16Array;
  /** By the next bits: class × 16 + length of its code; 0 where no code begins so. */
  readonly table: Uint16Array = new Uint16Array(1 << codeLengthMax);
  /** By class, in bits; 0 when it does not occur. */
  readonly #lengths: Uint8Array;
  /** Lengths as they are written: up to the last that is used; a 0 and a nibble n stand for n + 1 zeros. */
  readonly #nibbles: Uint8Array;
  #nibbleCount = 0;
  /** Work space: counts and classes, sorted. */
  readonly #order: Float64Array;
  /** Work space: counts, then depths. */
  readonly #weights: Float64Array;

  /** @param classCount - at most 256 */
  constructor(classCount: number) {
    this.#classCount = classCount;
    this.counts = new Uint32Array(classCount);
    this.codes = new Uint16Array(classCount);
    this.#lengths = new Uint8Array(classCount);
    this.#nibbles = new Uint8Array(2 * classCount);
    this.#order = new Float64Array(classCount);
    this.#weights = new Float64Array(classCount);
  }

  /** Makes the code of {@link counts}, but for {@link codes}. @returns how many bits the code's table and all codes take */
  make(): number {
    this.#makeLengths();
    this.#makeNibbles();
    let bits = 8 * (1 + Math.ceil(this.#nibbleCount / 2));
    for (let i = 0; i < this.#classCount; i++) bits += this.counts[i]! * this.#lengths[i]!;
    return bits;
  }

  /** Writes the code that was made, and makes its {@link codes}. */
  write(out: ByteWriter): void {
    this.#makeCodes();
    out.byte(Math.ceil(this.#nibbleCount / 2));
    const nibbles = this.#nibbles;
    for (let i = 0; i < this.#nibbleCount; i += 2) out.byte(nibbles[i]! | (nibbles[i + 1]! << 4));
  }

  /**
   * Reads a code and fills its {@link table} as far as its longest code needs.
   *
   * @returns the mask of bits that are an index into it
   * @throws {StoreError} STORE_CHUNK_INVALID
   */
  read(reader: ByteReader): number {
    this.#readLengths(reader);
    if (!this.#makeCodes()) throw chunkInvalid("expected the lengths of a code, got too many short ones");
    const { codes, table } = this;
    const lengths = this.#lengths;
    let longest = 1;
    for (let i = 0; i < this.#classCount; i++) if (lengths[i]! > longest) longest = lengths[i]!;
    const mask = (1 << longest) - 1;
    table.fill(0, 0, mask + 1);
    for (let i = 0; i < this.#classCount; i++) {
      const length = lengths[i]!;
      if (length === 0) continue;
      const entry = i * 16 + length;
      for (let bits = codes[i]! >>> 4; bits <= mask; bits += 1 << length) table[bits] = entry;
    }
    return mask;
  }

  /** Gives each class that occurs a length: Huffman's, then cut to the longest allowed. */
  #makeLengths(): void {
    const { counts } = this;
    const lengths = this.#lengths;
    const order = this.#order;
    const weights = this.#weights;
    lengths.fill(0);
    let used = 0;
    for (let i = 0; i < this.#classCount; i++) if (counts[i]! > 0) order[used++] = counts[i]! * 256 + i;
    if (used === 0) return;
    const sorted = order.subarray(0, used).sort();
    if (used === 1) {
      lengths[sorted[0]! % 256] = 1;
      return;
    }
    for (let i = 0; i < used; i++) weights[i] = Math.floor(sorted[i]! / 256);
    depthsInPlace(weights, used);
    // Depths fall as counts rise. Cut to the longest they may take more than there is of the code space; then the rarest
    // that are shorter get longer, until it fits.
    let space = 0;
    for (let i = 0; i < used; i++) {
      weights[i] = Math.min(weights[i]!, codeLengthMax);
      space += 1 << (codeLengthMax - weights[i]!);
    }
    for (let i = 0; space > 1 << codeLengthMax; ) {
      if (weights[i]! < codeLengthMax) {
        weights[i]!++;
        space -= 1 << (codeLengthMax - weights[i]!);
      } else i++;
    }
    for (let i = 0; i < used; i++) lengths[sorted[i]! % 256] = weights[i]!;
  }

  #makeNibbles(): void {
    const lengths = this.#lengths;
    const nibbles = this.#nibbles;
    let last = this.#classCount - 1;
    while (last > 0 && lengths[last] === 0) last--;
    let count = 0;
    for (let i = 0; i <= last; ) {
      if (lengths[i]! > 0) nibbles[count++] = lengths[i++]!;
      else {
        let run = 1;
        while (run < 16 && lengths[i + run] === 0) run++;
        nibbles[count++] = 0;
        nibbles[count++] = run - 1;
        i += run;
      }
    }
    // Looked at as the other half of the last byte.
    nibbles[count] = 0;
    this.#nibbleCount = count;
  }

  #readLengths(reader: ByteReader): void {
    const lengths = this.#lengths;
    lengths.fill(0);
    const bytes = reader.take(reader.byte());
    const count = 2 * bytes.length;
    const nibbleAt = (index: number): number => (bytes[index >>> 1]! >>> (index % 2 === 0 ? 0 : 4)) & 15;
    let found = 0;
    for (let i = 0; i < count; i++) {
      const length = nibbleAt(i);
      if (length === 0) {
        if (i + 1 < count) found += nibbleAt(++i) + 1;
      } else if (length > codeLengthMax || found >= this.#classCount) {
        throw chunkInvalid(
          `expected ${this.#classCount} lengths of at most ${codeLengthMax} bits, got others`,
        );
      } else lengths[found++] = length;
    }
  }

  /** Makes canonical codes, in order of length, then class. @returns false when the lengths are no code */
  #makeCodes(): boolean {
    const lengths = this.#lengths;
    // By length, one further: first how many, then the code that is next.
    const next = new Uint16Array(codeLengthMax + 2);
    for (let i = 0; i < this.#classCount; i++) next[lengths[i]! + 1]!++;
    next[1] = 0;
    for (let length = 1; length <= codeLengthMax; length++) {
      const first = 2 * next[length]!;
      const used = next[length + 1]!;
      if (first + used > 1 << length) return false;
      next[length] = first;
      next[length + 1] = first + used;
    }
    for (let i = 0; i < this.#classCount; i++) {
      const length = lengths[i]!;
      if (length > 0) this.codes[i] = (reversed(next[length]!++, length) << 4) | length;
    }
    return true;
  }
}

function reversed(code: number, length: number): number {
  let result = 0;
  for (let i = 0; i < length; i++) result |= ((code >>> i) & 1) << (length - 1 - i);
  return result;
}

/**
 * Turns weights, rising, at least two, into the depths of Huffman's tree.
 *
 * @see Moffat and Katajainen, "In-place calculation of minimum-redundancy codes", 1995
 */
function depthsInPlace(weights: Float64Array, count: number): void {
  // Weights become parents: each new node is the two lightest of leaves and nodes that have no parent yet.
  let leaf = 0;
  let root = 0;
  for (let next = 0; next < count - 1; next++) {
    let sum = 0;
    for (let child = 0; child < 2; child++) {
      if (leaf >= count || (root < next && weights[root]! < weights[leaf]!)) {
        sum += weights[root]!;
        weights[root++] = next;
      } else sum += weights[leaf++]!;
    }
    weights[next] = sum;
  }
  // Parents become depths of nodes.
  weights[count - 2] = 0;
  for (let next = count - 3; next >= 0; next--) weights[next] = weights[weights[next]!]! + 1;
  // Depths of nodes become depths of leaves.
  let available = 1;
  let depth = 0;
  let node = count - 2;
  let next = count - 1;
  while (available > 0) {
    let nodes = 0;
    while (node >= 0 && weights[node] === depth) {
      nodes++;
      node--;
    }
    for (; available > nodes; available--) weights[next--] = depth;
    available = 2 * nodes;
    depth++;
  }
}
