import { firstFrom } from "./block-walk.ts";

/** Fragments of one host by instant, and where their bytes stand in memory that threads share. */
export interface FragmentPlaces {
  readonly timestampsMs: Float64Array;
  readonly slabs: readonly Uint8Array<SharedArrayBuffer>[];
  /** Index of the slab, place in it and length, three numbers for each fragment. */
  readonly places: Uint32Array;
}

/** Fragments of one host in memory, by instant. */
export class FragmentList implements FragmentPlaces {
  readonly timestampsMs: Float64Array;
  readonly slabs: readonly Uint8Array<SharedArrayBuffer>[];
  readonly places: Uint32Array;

  constructor({ timestampsMs, slabs, places }: FragmentPlaces) {
    this.timestampsMs = timestampsMs;
    this.slabs = slabs;
    this.places = places;
  }

  get length(): number {
    return this.timestampsMs.length;
  }

  /** The bytes of one: a view. */
  bytesAt(index: number): Uint8Array {
    const offset = this.places[3 * index + 1]!;
    return this.slabs[this.places[3 * index]!]!.subarray(offset, offset + this.lengthAt(index));
  }

  lengthAt(index: number): number {
    return this.places[3 * index + 2]!;
  }

  /** Those of a range, both ends included. It shares memory with this one. */
  within(startMs: number, endMs: number): FragmentList {
    const first = firstFrom(this.timestampsMs, startMs);
    const end = firstFrom(this.timestampsMs, endMs + 1);
    return new FragmentList({
      timestampsMs: this.timestampsMs.subarray(first, end),
      slabs: this.slabs,
      places: this.places.subarray(3 * first, 3 * end),
    });
  }

  /** What to send to another thread: no more than what is needed. */
  toPlaces(): FragmentPlaces {
    const places = this.places.slice();
    const slabs: Uint8Array<SharedArrayBuffer>[] = [];
    const indices = new Map<number, number>();
    for (let i = 0; i < places.length; i += 3) {
      const known = indices.get(places[i]!);
      const index = known ?? slabs.push(this.slabs[places[i]!]!) - 1;
      if (known === undefined) indices.set(places[i]!, index);
      places[i] = index;
    }
    return { timestampsMs: this.timestampsMs.slice(), slabs, places };
  }
}
