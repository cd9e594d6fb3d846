/** A set of whole numbers from 0 to below a bound, a bit for each. */
export class BitSet {
  readonly #words: Uint32Array;

  constructor(bound: number) {
    this.#words = new Uint32Array(Math.ceil(bound / 32));
  }

  /** Whether a number is in the set; one beyond the bound is not. */
  has(item: number): boolean {
    return ((this.#words[item >>> 5]! >>> (item & 31)) & 1) === 1;
  }

  addAll(items: Int32Array): void {
    const words = this.#words;
    for (let i = 0; i < items.length; i++) words[items[i]! >>> 5]! |= 1 << (items[i]! & 31);
  }

  /** The numbers, ascending. O(bound / 32 + numbers). */
  items(): Int32Array {
    const words = this.#words;
    let count = 0;
    for (let i = 0; i < words.length; i++) count += bitsIn(words[i]!);
    const items = new Int32Array(count);
    let place = 0;
    for (let i = 0; i < words.length; i++) {
      for (let word = words[i]!; word !== 0; word &= word - 1) {
        items[place++] = 32 * i + 31 - Math.clz32(word & -word);
      }
    }
    return items;
  }
}

/** @see Warren, Hacker's Delight, §5-1 */
function bitsIn(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
