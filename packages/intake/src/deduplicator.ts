import type { Fragment, WriteFate } from "@mon/store";
import type { Settler } from "./ticket.ts";

/** A repeat that waits for the fate of the fragment that it repeats. */
interface Waiting {
  readonly ticket: Settler;
  readonly index: number;
}

/** What a remembered fragment takes in memory, at most, in bytes: its columns and its share of the table. */
const flightBytes = 64;
/** Fragments that there is room for at first. */
const capacityMin = 512;
/** The handle of no fragment. */
const none = -1;

/**
 * Remembers fragments by (host, instant, id), so that a repeat is answered without a second write (R9). It only saves
 * work: the store is correct without it. Bounded: when the younger of two generations is full the older is forgotten,
 * so at least half of the bound is remembered.
 *
 * A fragment that was added has a handle, a number that is never used again.
 */
export class Deduplicator {
  readonly #perGeneration: number;
  #young: Generation;
  #old: Generation;
  /** Repeats by the handle of what they repeat; kept apart, so that forgetting a generation loses nobody who waits. */
  readonly #waiting = new Map<number, Waiting[]>();

  /** @param bytesMax - memory that it may take, in bytes, roughly; less than 128 turns it off */
  constructor(bytesMax: number) {
    this.#perGeneration = Math.floor(bytesMax / flightBytes / 2);
    this.#young = new Generation(0, capacityMin);
    this.#old = this.#young;
  }

  /** The handle of a fragment seen before, or −1. O(1). */
  find(fragment: Fragment, hash: number = hashOf(fragment)): number {
    const handle = this.#young.find(fragment, hash);
    return handle !== none || this.#old === this.#young ? handle : this.#old.find(fragment, hash);
  }

  /** Remembers a fragment that is on its way. @returns its handle, −1 when nothing is remembered */
  add(fragment: Fragment, hash: number = hashOf(fragment)): number {
    if (this.#perGeneration === 0) return none;
    if (this.#young.size >= this.#perGeneration) {
      this.#old = this.#young;
      this.#young = new Generation(this.#old.end, this.#old.capacity);
    }
    return this.#young.add(fragment, hash);
  }

  /** What became of a fragment; undefined while it is on its way. */
  fateOf(handle: number): WriteFate | undefined {
    return this.#generationOf(handle)?.fateOf(handle);
  }

  /** Lets a repeat share the fate of a fragment that is on its way. */
  wait(handle: number, ticket: Settler, index: number): void {
    const waiting = this.#waiting.get(handle);
    if (waiting === undefined) this.#waiting.set(handle, [{ ticket, index }]);
    else waiting.push({ ticket, index });
  }

  /** Takes note of a fragment's fate and tells it to who waits for it. One that is not stored is forgotten. */
  land(handle: number, fate: WriteFate): void {
    this.#generationOf(handle)?.land(handle, fate);
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting.get(handle);
    if (waiting === undefined) return;
    this.#waiting.delete(handle);
    for (const { ticket, index } of waiting) ticket.settle(index, fate);
  }

  /** Forgets everything: after a failover, a reconnect, or a change of the store's identity or of the ring (R9). */
  clear(): void {
    this.#young = new Generation(this.#young.end, capacityMin);
    this.#old = this.#young;
  }

  #generationOf(handle: number): Generation | undefined {
    if (this.#young.holds(handle)) return this.#young;
    return this.#old.holds(handle) ? this.#old : undefined;
  }
}

/** Fragments in columns, found through a table of open addressing. Nothing is ever taken out. */
class Generation {
  /** The handle of its first fragment. */
  readonly #start: number;
  size = 0;
  /** Fragments that there is room for; doubled when there is none. */
  capacity: number;
  /**
   * Two slots for each fragment that there is room for, of two numbers each: its index and one, 0 when the slot is free,
   * and its hash, so that whatever has another hash is passed over without a look elsewhere.
   */
  #slots: Int32Array;
  #idHighs: Uint32Array;
  #idLows: Uint32Array;
  #timestamps: Float64Array;
  readonly #hostIds: string[] = [];
  readonly #fates: (WriteFate | undefined)[] = [];

  constructor(start: number, capacity: number) {
    this.#start = start;
    this.capacity = capacity;
    this.#slots = new Int32Array(4 * capacity);
    this.#idHighs = new Uint32Array(capacity);
    this.#idLows = new Uint32Array(capacity);
    this.#timestamps = new Float64Array(capacity);
  }

  /** The handle after its last fragment's. */
  get end(): number {
    return this.#start + this.size;
  }

  holds(handle: number): boolean {
    return handle >= this.#start && handle < this.end;
  }

  find(fragment: Fragment, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = (hash << 1) & mask; ; slot = (slot + 2) & mask) {
      const index = slots[slot]! - 1;
      if (index < 0) return none;
      if (slots[slot + 1] === hash && this.#isSame(index, fragment)) return this.#start + index;
    }
  }

  add(fragment: Fragment, hash: number): number {
    if (this.size === this.capacity) this.#grow();
    const index = this.size++;
    this.#idHighs[index] = fragment.idHigh;
    this.#idLows[index] = fragment.idLow;
    this.#timestamps[index] = fragment.timestampMs;
    this.#hostIds.push(fragment.hostId);
    this.#fates.push(undefined);
    insert(this.#slots, index + 1, hash);
    return this.#start + index;
  }

  fateOf(handle: number): WriteFate | undefined {
    return this.#fates[handle - this.#start];
  }

  land(handle: number, fate: WriteFate): void {
    const index = handle - this.#start;
    this.#fates[index] = fate;
    // No instant is NaN, so that nothing is found here any more.
    if (fate.status !== "stored") this.#timestamps[index] = Number.NaN;
  }

  #isSame(index: number, fragment: Fragment): boolean {
    return (
      this.#idLows[index] === fragment.idLow &&
      this.#idHighs[index] === fragment.idHigh &&
      this.#timestamps[index] === fragment.timestampMs &&
      this.#hostIds[index] === fragment.hostId
    );
  }

  #grow(): void {
    this.capacity *= 2;
    this.#idHighs = grown(this.#idHighs, new Uint32Array(this.capacity));
    this.#idLows = grown(this.#idLows, new Uint32Array(this.capacity));
    this.#timestamps = grown(this.#timestamps, new Float64Array(this.capacity));
    const slots = new Int32Array(4 * this.capacity);
    for (let i = 0; i < this.#slots.length; i += 2) {
      if (this.#slots[i] !== 0) insert(slots, this.#slots[i]!, this.#slots[i + 1]!);
    }
    this.#slots = slots;
  }
}

/** Puts an index, plus one, and a hash into the first free slot. */
function insert(slots: Int32Array, entry: number, hash: number): void {
  const mask = slots.length - 1;
  let slot = (hash << 1) & mask;
  while (slots[slot] !== 0) slot = (slot + 2) & mask;
  slots[slot] = entry;
  slots[slot + 1] = hash;
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** The hash that a fragment is looked up by. Mixes host, instant and id, so that hosts which say the same at the same time do not meet in one place. */
export function hashOf({ hostId, timestampMs, idLow }: Fragment): number {
  let hash = idLow | 0;
  for (let i = 0; i < hostId.length; i++) hash = Math.imul(hash ^ hostId.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (timestampMs | 0), 0x85ebca6b);
  return Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ (hash >>> 13);
}
