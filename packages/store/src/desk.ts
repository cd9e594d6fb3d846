/**
 * A place to which bytes are copied so that they can be read four at a time, wherever they came from. It grows to the
 * longest that was put there and stays so.
 */
export class Desk {
  /** What lies there, in words as the machine has them; those beyond {@link Desk.length} mean nothing. */
  words: Int32Array = new Int32Array(256);
  /** How many bytes lie there. */
  length = 0;
  #bytes = new Uint8Array(this.words.buffer);

  /** Puts a copy of bytes there, in place of what there was. */
  put(bytes: Uint8Array): void {
    if (bytes.length > this.#bytes.length) {
      this.words = new Int32Array(2 ** Math.ceil(Math.log2(bytes.length / 4)));
      this.#bytes = new Uint8Array(this.words.buffer);
    }
    this.#bytes.set(bytes);
    this.length = bytes.length;
  }
}
