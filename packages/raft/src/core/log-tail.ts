import { type Entry, entrySize, type LogIndex } from "../entry.ts";

/**
 * The newest entries, in memory: all that are not durable yet, and as many of the others as the bound allows, since
 * followers and the state machine nearly always want those. Older ones are read back from the log store.
 */
export class LogTail {
  readonly #maxBytes: number;
  /** Entries from `#head` on are live; the slots before it are dead until they are worth moving. */
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  /** Index of the first live entry, or of the one to come. */
  #first: LogIndex;
  #bytes = 0;

  constructor(next: LogIndex, maxBytes: number) {
    this.#first = next;
    this.#maxBytes = maxBytes;
  }

  /** Index of the oldest entry here; the next one to come when there is none. */
  get first(): LogIndex {
    return this.#first;
  }

  /** Bytes held, by {@link entrySize}. */
  get bytes(): number {
    return this.#bytes;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entrySize(entry);
  }

  /** Drops `index` and all after it. */
  truncate(index: LogIndex): void {
    if (index <= this.#first) {
      this.reset(index);
      return;
    }
    const length = this.#head + (index - this.#first);
    for (let at = length; at < this.#entries.length; at++) {
      this.#bytes -= entrySize(this.#entries[at]!);
    }
    this.#entries.length = length;
  }

  /** Drops everything; `next` comes next. */
  reset(next: LogIndex): void {
    this.#entries = [];
    this.#head = 0;
    this.#first = next;
    this.#bytes = 0;
  }

  /** Drops the oldest entries while there are too many bytes, but none after `durable`. */
  evict(durable: LogIndex): void {
    while (this.#bytes > this.#maxBytes && this.#first <= durable && this.#head < this.#entries.length) {
      this.#shift();
    }
    this.#compactSlots();
  }

  /** Drops entries up to `index`. */
  compact(index: LogIndex): void {
    while (this.#first <= index && this.#head < this.#entries.length) {
      this.#shift();
    }
    this.#first = Math.max(this.#first, index + 1);
    this.#compactSlots();
  }

  /**
   * Entries `from` (inclusive) to `to` (exclusive), at least one and otherwise as many as fit into `maxBytes`.
   *
   * @returns undefined when `from` is no longer here
   */
  slice(from: LogIndex, to: LogIndex, maxBytes: number): Entry[] | undefined {
    if (from < this.#first) {
      return undefined;
    }
    const start = this.#head + (from - this.#first);
    const end = Math.min(this.#head + (to - this.#first), this.#entries.length);
    let bytes = 0;
    let at = start;
    while (at < end) {
      bytes += entrySize(this.#entries[at]!);
      if (bytes > maxBytes && at > start) {
        break;
      }
      at++;
    }
    return this.#entries.slice(start, at) as Entry[];
  }

  #shift(): void {
    this.#bytes -= entrySize(this.#entries[this.#head]!);
    this.#entries[this.#head] = undefined;
    this.#head++;
    this.#first++;
  }

  #compactSlots(): void {
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}
