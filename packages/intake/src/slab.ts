/** Bytes of a slab. */
const slabBytes = 65_536;

/**
 * Gives out pieces of memory that are carved from larger ones: a buffer of its own costs a small piece many times what
 * is put in it. A slab is let go when the last piece of it is.
 */
export class Slab {
  #bytes = new Uint8Array(0);
  #position = 0;

  /** So many bytes, with anything in them. */
  take(length: number): Uint8Array {
    if (length > slabBytes / 8) return new Uint8Array(length);
    if (this.#position + length > this.#bytes.length) {
      this.#bytes = new Uint8Array(slabBytes);
      this.#position = 0;
    }
    const start = this.#position;
    this.#position += length;
    return this.#bytes.subarray(start, this.#position);
  }
}
