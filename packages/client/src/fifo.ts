/** A first-in, first-out queue over one array. Every method is O(1), amortised; `prepend` is O(length). */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  /** Items in the queue. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The item `index` places behind the first, or undefined. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  /** Adds an item at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first item out. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#head += 1;
    // Half of the array is spent: moving the rest costs as much as the shifts that spent it.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Puts items before the first, keeping their order. */
  prepend(items: readonly T[]): void {
    this.#items = items.concat(this.#items.slice(this.#head));
    this.#head = 0;
  }
}
