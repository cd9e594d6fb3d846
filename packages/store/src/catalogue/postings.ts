/** Whole numbers in ascending order, none twice. */
export class IntList {
  #items: Int32Array;
  #length: number;

  /** @param items - ascending; kept */
  constructor(items: Int32Array) {
    this.#items = items;
    this.#length = items.length;
  }

  get length(): number {
    return this.#length;
  }

  /** The numbers; good until the list changes. */
  get items(): Int32Array {
    return this.#items.subarray(0, this.#length);
  }

  has(item: number): boolean {
    return this.#items[this.#place(item)] === item;
  }

  /** Adds a number that is not there: at the end in O(1), amortised, elsewhere in O(length). */
  add(item: number): void {
    if (this.#length === this.#items.length) {
      const items = new Int32Array(this.#length + (this.#length >> 1) + 2).fill(beyond, this.#length);
      items.set(this.#items);
      this.#items = items;
    }
    const place = this.#place(item);
    this.#items.copyWithin(place + 1, place, this.#length++);
    this.#items[place] = item;
  }

  /** Where a number is, or would be. */
  #place(item: number): number {
    const items = this.#items;
    let high = this.#length;
    if (high > 0 && items[high - 1]! < item) return high;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (items[middle]! < item) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What stands in places that are not taken, so that no number is found there. */
const beyond = 0x7fffffff;

/**
 * Whole numbers in ascending order, at least one: a single one as itself. Of labels such as a container's id most values
 * have one series, and most series of such labels one host, where a list would cost ten times what it holds.
 */
export type Postings = number | IntList;

export function countOf(postings: Postings): number {
  return typeof postings === "number" ? 1 : postings.length;
}

export function hasPosting(postings: Postings, item: number): boolean {
  return typeof postings === "number" ? postings === item : postings.has(item);
}

/** The numbers; good until they change. */
export function itemsOf(postings: Postings): Int32Array {
  return typeof postings === "number" ? Int32Array.of(postings) : postings.items;
}

/** @param item - not among them yet */
export function withPosting(postings: Postings | undefined, item: number): Postings {
  if (postings === undefined) return item;
  if (typeof postings !== "number") {
    postings.add(item);
    return postings;
  }
  return new IntList(postings < item ? Int32Array.of(postings, item) : Int32Array.of(item, postings));
}

/** Those of them that are to be kept, in O(length); undefined when none is. */
export function keptPostings(postings: Postings, isKept: (item: number) => boolean): Postings | undefined {
  return postingsOf(itemsOf(postings).filter(isKept));
}

/** @param items - ascending */
export function postingsOf(items: Int32Array): Postings | undefined {
  return items.length < 2 ? items[0] : new IntList(items);
}
