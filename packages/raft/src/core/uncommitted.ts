import type { LogIndex } from "../entry.ts";

/**
 * The bytes of proposals that a leader appended and that are not committed. Bounds what piles up while there is no
 * quorum.
 */
export class Uncommitted {
  readonly #maxBytes: number;
  #batches: { index: LogIndex; bytes: number }[] = [];
  #head = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether `bytes` more may be appended. A batch larger than the bound passes when nothing else waits. */
  admits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#maxBytes;
  }

  /** Adds a batch whose last entry is `index`. */
  add(index: LogIndex, bytes: number): void {
    this.#batches.push({ index, bytes });
    this.#bytes += bytes;
  }

  /** Takes out what is committed up to `index`. */
  commitTo(index: LogIndex): void {
    while (this.#head < this.#batches.length && this.#batches[this.#head]!.index <= index) {
      this.#bytes -= this.#batches[this.#head]!.bytes;
      this.#head++;
    }
    if (this.#head === this.#batches.length) {
      this.#batches = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#head);
      this.#head = 0;
    }
  }
}
