import { FragmentList } from "./fragment-list.ts";
import type { Generation } from "./generation.ts";
import type { Slab } from "./slab.ts";

/** Fragments of one host that are in memory. Their bytes are good until they are released. */
export interface HeadFragments {
  readonly list: FragmentList;
  /** To be called once, when nothing of it is needed any more. */
  release(): void;
}

/**
 * The generations that are not in chunks yet, oldest first: those that are closed, and the last, which takes what is
 * written. What a reader was given stays as it is when a generation leaves, until the reader releases it.
 */
export class Head {
  readonly #generations: Generation[];

  /** @param generations - at least one */
  constructor(generations: readonly Generation[]) {
    this.#generations = [...generations];
  }

  get generations(): readonly Generation[] {
    return this.#generations;
  }

  get active(): Generation {
    return this.#generations.at(-1)!;
  }

  /** The oldest of those that take nothing more; undefined when there is none. */
  get closed(): Generation | undefined {
    return this.#generations.length > 1 ? this.#generations[0] : undefined;
  }

  get bytes(): number {
    return this.#generations.reduce((sum, generation) => sum + generation.bytes, 0);
  }

  /** The earliest instant in it. */
  get minMs(): number {
    return Math.min(...this.#generations.map((generation) => generation.minMs));
  }

  /** Closes the active generation in favour of another. */
  begin(generation: Generation): void {
    this.#generations.push(generation);
  }

  /** Lets go of a generation that is in chunks. */
  remove(generation: Generation): void {
    this.#generations.splice(this.#generations.indexOf(generation), 1);
  }

  /** The durable fragments of a host within a range, both ends included. */
  fragmentsOf(hostId: string, startMs: number, endMs: number): HeadFragments {
    const pinned = [...this.#generations];
    for (const generation of pinned) generation.readers++;
    const found: Found = { generations: [], entries: [], timestampsMs: [] };
    let isSorted = true;
    for (let i = this.#generations.length - 1; i >= 0; i--) {
      const generation = this.#generations[i]!;
      for (const entry of generation.entriesOf(hostId, startMs, endMs)) {
        const timestampMs = generation.timestampsMs[entry]!;
        if (timestampMs > (found.timestampsMs.at(-1) ?? timestampMs)) isSorted = false;
        found.generations.push(i);
        found.entries.push(entry);
        found.timestampsMs.push(timestampMs);
      }
    }
    return {
      list: listOf(pinned, found, isSorted),
      release: () => {
        for (const generation of pinned) generation.readers--;
      },
    };
  }
}

/** Entries of generations, given by index, newest first. */
interface Found {
  readonly generations: number[];
  readonly entries: number[];
  readonly timestampsMs: number[];
}

function listOf(
  generations: readonly Generation[],
  { generations: owners, entries, timestampsMs }: Found,
  isSorted: boolean,
): FragmentList {
  const order = Uint32Array.from(entries, (_, index) => entries.length - 1 - index);
  // Stable, so that fragments of one instant stay in the order of writing.
  if (!isSorted) order.sort((a, b) => timestampsMs[a]! - timestampsMs[b]! || b - a);
  const firstSlabs: number[] = [];
  const slabs: Slab["bytes"][] = [];
  for (const generation of generations) {
    firstSlabs.push(slabs.length);
    for (const { bytes } of generation.slabs) slabs.push(bytes);
  }
  const places = new Uint32Array(3 * order.length);
  for (const [index, from] of order.entries()) {
    const owner = owners[from]!;
    const place = 3 * entries[from]!;
    const { places: found } = generations[owner]!;
    places[3 * index] = firstSlabs[owner]! + found[place]!;
    places[3 * index + 1] = found[place + 1]!;
    places[3 * index + 2] = found[place + 2]!;
  }
  return new FragmentList({
    timestampsMs: Float64Array.from(order, (from) => timestampsMs[from]!),
    slabs,
    places,
  });
}
