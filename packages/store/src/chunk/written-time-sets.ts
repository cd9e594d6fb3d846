import { ByteReader, chunkInvalid } from "./byte-reader.ts";
import { columnSamplesMax } from "./column-format.ts";
import { readColumn } from "./read-column.ts";
import type { Instants } from "./time-sets.ts";

/** A set that has not been read yet. */
interface WrittenSet {
  readonly length: number;
  readonly isRuns: boolean;
  readonly bytes: Uint8Array;
}

/** The sets of a chunk, each read when it is first asked for. */
export class WrittenTimeSets {
  readonly #written: readonly WrittenSet[];
  /** The index of the set that others are parts of. */
  readonly #longest: number;
  readonly #sets: (Instants | undefined)[] = [];
  readonly #startMs: number;
  readonly #endMs: number;

  private constructor(written: readonly WrittenSet[], longest: number, startMs: number, endMs: number) {
    this.#written = written;
    this.#longest = longest;
    this.#startMs = startMs;
    this.#endMs = endMs;
  }

  /** Reads what `writeTimeSets` wrote, but for the instants. */
  static read(reader: ByteReader, startMs: number, endMs: number): WrittenTimeSets {
    const count = reader.count(2);
    const longest = reader.varint();
    if (longest >= count) throw chunkInvalid(`expected ${count} sets of instants, got number ${longest}`);
    const written: WrittenSet[] = [];
    for (let i = 0; i < count; i++) {
      const length = reader.varint();
      if (length === 0 || length > columnSamplesMax) {
        throw chunkInvalid(`expected 1 to ${columnSamplesMax} instants, got ${length}`);
      }
      const size = reader.varint();
      written.push({ length, isRuns: size % 2 === 1, bytes: reader.take(Math.floor(size / 2)) });
    }
    return new WrittenTimeSets(written, longest, startMs, endMs);
  }

  get count(): number {
    return this.#written.length;
  }

  /** How many instants a set has. */
  lengthOf(index: number): number {
    return this.#written[index]!.length;
  }

  /** @throws {StoreError} STORE_CHUNK_INVALID */
  get(index: number): Instants {
    let set = this.#sets[index];
    if (set === undefined) {
      set = this.#read(index);
      this.#sets[index] = set;
    }
    return set;
  }

  #read(index: number): Instants {
    const { length, isRuns, bytes } = this.#written[index]!;
    if (isRuns) {
      if (index === this.#longest) throw chunkInvalid("expected instants, got a set that is part of itself");
      return readRuns(bytes, this.get(this.#longest), length);
    }
    const set = readColumn(new ByteReader(bytes), length, 0, length).values;
    let last = this.#startMs - 1;
    for (let i = 0; i < length; i++) {
      const instant = set[i]! + this.#startMs;
      if (!(instant > last && instant <= this.#endMs && Number.isInteger(instant))) {
        throw chunkInvalid(`expected instants that rise up to ${this.#endMs}, got ${instant} after ${last}`);
      }
      set[i] = instant;
      last = instant;
    }
    return set;
  }
}

function readRuns(bytes: Uint8Array, base: Instants, length: number): Instants {
  const reader = new ByteReader(bytes);
  const set = new Float64Array(length);
  let i = 0;
  for (let j = 0; j < length; ) {
    i += reader.varint();
    const run = reader.varint();
    if (run === 0 || run > length - j || i + run > base.length) {
      throw chunkInvalid(`expected a run of at most ${length - j} instants, got ${run}`);
    }
    set.set(base.subarray(i, i + run), j);
    i += run;
    j += run;
  }
  reader.assertEnd();
  return set;
}
