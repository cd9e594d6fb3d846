import type { Layout } from "@mon/store";
import type { JournalFile } from "./journal-file.ts";
import { entryHeadBytes } from "./journal-record.ts";
import type { Slab } from "./slab.ts";

/** Where the next record of a file goes. */
export interface Tail {
  readonly position: number;
  /** Where the file's checksums begin. */
  readonly seed: number;
}

/** Entries that a new generation has room for before its lists grow. */
const entriesMin = 256;

/** Layouts that a generation gives numbers to. */
const layoutsMax = 0xffff;

/** A place without entry before it. */
const none = -1;

/** How a generation begins. */
export type GenerationOrigin = Pick<Generation, "ordinal" | "firstSequence" | "file" | "begunMs">;

/** A host as one generation knows it: the newest of its entries. */
export interface GenerationHost {
  readonly hostId: string;
  last: number;
}

/**
 * What one file of the journal holds, in memory: the records' own bytes, and lists of where its fragments stand. An
 * entry is an index into these lists; entries of a host are chained, each naming the one before.
 *
 * Entries are added in the order of writing, so that a list is written from front to back. Bytes never change once they
 * are durable; views of them stay good for as long as somebody has them.
 */
export class Generation {
  /** Of its file's use. */
  readonly ordinal: number;
  readonly firstSequence: number;
  /** Where its records are; resolved late, so that beginning a generation does not wait for the disk. */
  readonly file: Promise<JournalFile>;
  /** When its first record was written, by the writer's clock. */
  readonly begunMs: number;
  readonly slabs: Slab[] = [];
  /** By host id, in order of first entry. */
  readonly hosts: Map<string, GenerationHost> = new Map();
  /** The sequence of the last record that is durable; before {@link firstSequence} when there is none. */
  lastSequence: number;
  /** Undefined until the first record is written. */
  tail: Tail | undefined;
  /** Entries, durable or not. */
  count = 0;
  /** Entries whose records are durable: the first so many. */
  durableCount = 0;
  /** Bytes of entries. */
  bytes = 0;
  minMs: number = Number.POSITIVE_INFINITY;
  /** When the first of its blocks to end does so, and the last. */
  minBlockEndMs: number = Number.POSITIVE_INFINITY;
  maxBlockEndMs: number = Number.NEGATIVE_INFINITY;
  timestampsMs: Float64Array = new Float64Array(entriesMin);
  /** Ordinal of the slab, place in it and length, three numbers for each entry. */
  places: Uint32Array = new Uint32Array(3 * entriesMin);
  previous: Int32Array = new Int32Array(entriesMin);
  /** Numbers of the fragments' layouts within the generation, 0 where it is not known. */
  layouts: Uint16Array = new Uint16Array(entriesMin);
  /** Readers that have views of its slabs. */
  readers = 0;
  readonly #layoutNumbers = new Map<Layout, number>();

  constructor(origin: GenerationOrigin) {
    this.ordinal = origin.ordinal;
    this.firstSequence = origin.firstSequence;
    this.lastSequence = origin.firstSequence - 1;
    this.file = origin.file;
    this.begunMs = origin.begunMs;
    // Whoever writes to it hears of it.
    this.file.catch(() => {});
  }

  /** The host of an id, made when it is new. */
  host(hostId: string): GenerationHost {
    let host = this.hosts.get(hostId);
    if (host === undefined) {
      host = { hostId, last: none };
      this.hosts.set(hostId, host);
    }
    return host;
  }

  /** The number of a layout; 0 when there are too many. */
  layoutNumber(layout: Layout): number {
    let number = this.#layoutNumbers.get(layout);
    if (number === undefined) {
      number = this.#layoutNumbers.size + 1;
      if (number > layoutsMax) return 0;
      this.#layoutNumbers.set(layout, number);
    }
    return number;
  }

  /** Adds an entry whose fragment stands in the last slab. */
  push(
    host: GenerationHost,
    timestampMs: number,
    offset: number,
    length: number,
    layout: number,
    blockEndMs: number,
  ): void {
    if (this.count === this.timestampsMs.length) this.#grow();
    const entry = this.count++;
    this.timestampsMs[entry] = timestampMs;
    const place = 3 * entry;
    this.places[place] = this.slabs.length - 1;
    this.places[place + 1] = offset;
    this.places[place + 2] = length;
    this.layouts[entry] = layout;
    this.previous[entry] = host.last;
    host.last = entry;
    this.bytes += length + entryHeadBytes + host.hostId.length;
    if (timestampMs < this.minMs) this.minMs = timestampMs;
    if (blockEndMs < this.minBlockEndMs) this.minBlockEndMs = blockEndMs;
    if (blockEndMs > this.maxBlockEndMs) this.maxBlockEndMs = blockEndMs;
  }

  /** Takes the last entry back, which is this host's. */
  pop(host: GenerationHost): void {
    const entry = --this.count;
    this.bytes -= this.places[3 * entry + 2]! + entryHeadBytes + host.hostId.length;
    host.last = this.previous[entry]!;
  }

  #grow(): void {
    const capacity = 2 * this.timestampsMs.length;
    this.timestampsMs = grown(this.timestampsMs, new Float64Array(capacity));
    this.places = grown(this.places, new Uint32Array(3 * capacity));
    this.previous = grown(this.previous, new Int32Array(capacity));
    this.layouts = grown(this.layouts, new Uint16Array(capacity));
  }

  /** The fragment of an entry: a view. */
  bytesOf(entry: number): Uint8Array {
    const place = 3 * entry;
    const { bytes } = this.slabs[this.places[place]!]!;
    const offset = this.places[place + 1]!;
    return bytes.subarray(offset, offset + this.places[place + 2]!);
  }

  /** Durable entries of a host within a range, newest first. O(entries of the host). */
  *entriesOf(hostId: string, startMs: number, endMs: number): Generator<number> {
    let entry = this.hosts.get(hostId)?.last ?? none;
    for (; entry !== none; entry = this.previous[entry]!) {
      const timestampMs = this.timestampsMs[entry]!;
      if (entry < this.durableCount && timestampMs >= startMs && timestampMs <= endMs) yield entry;
    }
  }
}

function grown<T extends Float64Array | Uint32Array | Int32Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
