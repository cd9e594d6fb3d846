import type { SeriesColumn } from "../columns.ts";
import { compareBits } from "../fold.ts";

/** A column of several, and how often they disagreed. */
export interface MergedColumn {
  readonly column: SeriesColumn;
  /** Instants at which parts disagreed, each counted once. */
  readonly conflicts: number;
}

/** How far a part has been merged. */
interface Cursor {
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  /** The same memory as `values`. */
  readonly words: Uint32Array;
  readonly flags: Uint32Array;
  position: number;
}

/**
 * Folds columns of one series (R4): the samples of all, of several at one instant the greatest, and the smallest kind.
 * Parts may overlap in any way. The result is the same for any order of parts.
 * O(samples × log(parts)); stretches where one part is alone are copied whole.
 *
 * @param parts - at least one; not kept, and copied even when there is only one
 * @throws {RangeError} when there are none
 */
export function mergeColumns(parts: readonly SeriesColumn[]): MergedColumn {
  if (parts.length === 0) throw new RangeError("expected at least one column, got none");
  return new Merge(parts).run();
}

class Merge {
  readonly #series: SeriesColumn["series"];
  /** A binary heap: the cursor with the smallest instant comes first. */
  readonly #heap: Cursor[];
  readonly #timestampsMs: Float64Array;
  readonly #values: Float64Array;
  readonly #words: Uint32Array;
  readonly #flags: Uint32Array;
  #length = 0;
  #conflicts = 0;
  /** Where the last conflict is, so that an instant counts once however many parts disagree. */
  #conflictIndex = -1;

  constructor(parts: readonly SeriesColumn[]) {
    this.#series = parts
      .map(({ series }) => series)
      .reduce((least, one) => (one.kind < least.kind ? one : least));
    this.#heap = parts.filter(({ timestampsMs }) => timestampsMs.length > 0).map(cursorOf);
    let total = 0;
    for (const { timestampsMs } of this.#heap) total += timestampsMs.length;
    this.#timestampsMs = new Float64Array(total);
    this.#values = new Float64Array(total);
    this.#words = new Uint32Array(this.#values.buffer);
    this.#flags = new Uint32Array(total);
  }

  run(): MergedColumn {
    const heap = this.#heap;
    for (let i = heap.length >>> 1; i >= 0; i--) this.#sink(i);
    while (heap.length > 0) {
      const top = heap[0]!;
      this.#take(top, this.#runEnd(top));
      if (top.position < top.timestampsMs.length) this.#sink(0);
      else {
        const last = heap.pop()!;
        if (heap.length > 0) {
          heap[0] = last;
          this.#sink(0);
        }
      }
    }
    const length = this.#length;
    return {
      column: {
        series: this.#series,
        timestampsMs: shortened(this.#timestampsMs, length),
        values: shortened(this.#values, length),
        flags: length === this.#flags.length ? this.#flags : this.#flags.slice(0, length),
      },
      conflicts: this.#conflicts,
    };
  }

  /** The end of the stretch that the top has to itself; at least one sample. */
  #runEnd({ timestampsMs, position }: Cursor): number {
    const heap = this.#heap;
    let next = Number.POSITIVE_INFINITY;
    if (heap.length > 1) next = instantOf(heap[1]!);
    if (heap.length > 2) next = Math.min(next, instantOf(heap[2]!));
    // In growing strides, then by halves: parts either take turns, or one is alone for long.
    let low = position + 1;
    let stride = 1;
    while (low + stride <= timestampsMs.length && timestampsMs[low + stride - 1]! < next) {
      low += stride;
      stride *= 2;
    }
    let high = Math.min(low + stride - 1, timestampsMs.length);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (timestampsMs[middle]! < next) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #take(cursor: Cursor, end: number): void {
    const { timestampsMs, position } = cursor;
    let start = position;
    if (this.#length > 0 && this.#timestampsMs[this.#length - 1] === timestampsMs[start]) {
      this.#foldLast(cursor);
      start++;
    }
    const count = end - start;
    const at = this.#length;
    if (count === 1) {
      this.#timestampsMs[at] = timestampsMs[start]!;
      this.#words[2 * at] = cursor.words[2 * start]!;
      this.#words[2 * at + 1] = cursor.words[2 * start + 1]!;
      this.#flags[at] = cursor.flags[start]!;
    } else if (count > 0) {
      this.#timestampsMs.set(timestampsMs.subarray(start, end), at);
      this.#values.set(cursor.values.subarray(start, end), at);
      this.#flags.set(cursor.flags.subarray(start, end), at);
    }
    this.#length = at + count;
    cursor.position = end;
  }

  #foldLast({ words, flags, position }: Cursor): void {
    const index = this.#length - 1;
    const low = words[2 * position]!;
    const high = words[2 * position + 1]!;
    const flag = flags[position]!;
    const order = compareBits(
      high,
      low,
      flag,
      this.#words[2 * index + 1]!,
      this.#words[2 * index]!,
      this.#flags[index]!,
    );
    if (order > 0) {
      this.#words[2 * index] = low;
      this.#words[2 * index + 1] = high;
      this.#flags[index] = flag;
    }
    if (order === 0 || index === this.#conflictIndex) return;
    this.#conflictIndex = index;
    this.#conflicts++;
  }

  /** Lets a cursor sink to where no smaller one is below it. */
  #sink(from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let least = at;
      const left = 2 * at + 1;
      if (left < heap.length && instantOf(heap[left]!) < instantOf(heap[least]!)) least = left;
      if (left + 1 < heap.length && instantOf(heap[left + 1]!) < instantOf(heap[least]!)) least = left + 1;
      if (least === at) return;
      const cursor = heap[at]!;
      heap[at] = heap[least]!;
      heap[least] = cursor;
      at = least;
    }
  }
}

function cursorOf({ timestampsMs, values, flags }: SeriesColumn): Cursor {
  // A view of words must begin at a multiple of four, which that of doubles does.
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  return { timestampsMs, values, words, flags, position: 0 };
}

function instantOf({ timestampsMs, position }: Cursor): number {
  return timestampsMs[position]!;
}

function shortened(array: Float64Array, length: number): Float64Array {
  return length === array.length ? array : array.slice(0, length);
}
