/** Memory that records are gathered in and stay in, as they are in the file; the worker thread sees it too. */
export interface Slab {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
}

/** The size of a slab; a record that is longer has one of its own. */
export const slabBytes: number = 2 * 1024 * 1024;

function createSlab(size: number): Slab {
  const memory = new SharedArrayBuffer(size);
  return { bytes: new Uint8Array(memory), view: new DataView(memory) };
}

/**
 * Slabs to be used again: fresh memory costs more than all else that is done with a report, because the system clears
 * each page first. Keeps at most so many; the rest is left to the garbage collector.
 */
export class SlabPool {
  readonly #spare: Slab[] = [];
  readonly #spareMax: number;

  constructor(spareMax: number) {
    this.#spareMax = spareMax;
  }

  /** A slab of at least so many bytes; what is in it means nothing. */
  take(size: number): Slab {
    if (size > slabBytes) return createSlab(Math.ceil(size / 4_096) * 4_096);
    return this.#spare.pop() ?? createSlab(slabBytes);
  }

  /** Takes slabs back to which nothing refers any more. */
  give(slabs: readonly Slab[]): void {
    for (const slab of slabs) {
      if (slab.bytes.length === slabBytes && this.#spare.length < this.#spareMax) this.#spare.push(slab);
    }
  }
}
