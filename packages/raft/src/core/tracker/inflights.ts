import type { LogIndex } from "../../entry.ts";

/**
 * The window of appends to one follower that are not acknowledged yet, bounded by count and by bytes. A ring that
 * grows up to the bound as it is needed.
 */
export class Inflights {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  #indexes: LogIndex[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  /** Messages under way. */
  get count(): number {
    return this.#count;
  }

  /** Bytes under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Whether no further message may be sent. A message that goes over the bytes is still let through: it may be
   * larger than all of them.
   */
  get full(): boolean {
    return this.#count >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  /** Adds a message whose last entry is `lastIndex`; larger than that of the message before. */
  add(lastIndex: LogIndex, bytes: number): void {
    if (this.#count === this.#indexes.length) {
      this.#grow();
    }
    const at = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[at] = lastIndex;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Takes out all messages up to `index`: an acknowledgement covers everything before it. */
  freeTo(index: LogIndex): void {
    while (this.#count > 0 && this.#indexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % this.#indexes.length;
      this.#count--;
    }
  }

  /** Takes out all messages. */
  clear(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const { length } = this.#indexes;
    const rotate = (ring: number[]): number[] => {
      const grown = [...ring.slice(this.#start), ...ring.slice(0, this.#start)];
      for (let i = Math.max(4, length); i > 0; i--) {
        grown.push(0);
      }
      return grown;
    };
    this.#indexes = rotate(this.#indexes);
    this.#sizes = rotate(this.#sizes);
    this.#start = 0;
  }
}
