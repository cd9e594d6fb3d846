import type { Generation } from "./generation.ts";

/** Fragments of one host that are in memory, by instant. Their bytes are views, good until they are released. */
export interface HeadFragments {
  readonly timestampsMs: readonly number[];
  bytesAt(index: number): Uint8Array;
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
    const found: { timestampMs: number; generation: Generation; entry: number }[] = [];
    let isSorted = true;
    for (let i = this.#generations.length - 1; i >= 0; i--) {
      const generation = this.#generations[i]!;
      for (const entry of generation.entriesOf(hostId, startMs, endMs)) {
        const timestampMs = generation.timestampsMs[entry]!;
        if (found.length > 0 && timestampMs > found.at(-1)!.timestampMs) isSorted = false;
        found.push({ timestampMs, generation, entry });
      }
    }
    found.reverse();
    if (!isSorted) found.sort((a, b) => a.timestampMs - b.timestampMs);
    return {
      timestampsMs: found.map(({ timestampMs }) => timestampMs),
      bytesAt: (index) => {
        const { generation, entry } = found[index]!;
        return generation.bytesOf(entry);
      },
      release: () => {
        for (const generation of pinned) generation.readers--;
      },
    };
  }
}
