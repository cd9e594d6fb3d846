/** Something that is due at a time. */
export interface Due {
  readonly dueMs: number;
}

/** What is due next, first: a binary heap. Adding and taking are O(log n). */
export class DueQueue<Item extends Due> {
  #heap: Item[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** What is due first; the order of equals is any. */
  peek(): Item | undefined {
    return this.#heap[0];
  }

  add(item: Item): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.dueMs <= item.dueMs) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = item;
  }

  take(): Item | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.dueMs < heap[child]!.dueMs) child++;
      if (heap[child]!.dueMs >= last.dueMs) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }

  /** Takes all, in no order. */
  takeAll(): readonly Item[] {
    const all = this.#heap;
    this.#heap = [];
    return all;
  }
}
