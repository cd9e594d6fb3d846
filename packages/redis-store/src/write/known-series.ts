import type { Kind } from "@mon/store";
import type { SeriesEntry } from "../keys/series-entry.ts";
import type { KnownShape } from "./known-shapes.ts";

/** Successors that a set remembers, so that hosts of one program share their sets. */
const successorsMax = 64;

/**
 * The series that a host is known to have. Sets never change; one with more series is another one, and hosts that came
 * to have the same series in the same way share it.
 */
export class KnownSeries {
  static readonly none: KnownSeries = new KnownSeries(new Map());
  readonly #kinds: ReadonlyMap<string, Kind>;
  readonly #covered = new WeakSet<KnownShape>();
  readonly #successors = new Map<KnownShape, WeakRef<KnownSeries>>();

  /** @param kinds - by id; kept */
  constructor(kinds: ReadonlyMap<string, Kind>) {
    this.#kinds = kinds;
  }

  get size(): number {
    return this.#kinds.size;
  }

  has(id: string): boolean {
    return this.#kinds.has(id);
  }

  /** Whether all series of a shape are known, in these kinds or smaller ones. O(1) for a shape asked for before. */
  covers(shape: KnownShape): boolean {
    if (this.#covered.has(shape)) return true;
    if (shape.entries.some((entry) => this.#isNew(entry))) return false;
    this.#covered.add(shape);
    return true;
  }

  /** Those series of a shape that are new, or come with a smaller kind (R4). */
  missing(shape: KnownShape): SeriesEntry[] {
    return shape.entries.filter((entry) => this.#isNew(entry));
  }

  /** This set and the series of a shape. */
  with(shape: KnownShape): KnownSeries {
    const known = this.#successors.get(shape)?.deref();
    if (known !== undefined) return known;
    const kinds = new Map(this.#kinds);
    for (const { id, kind } of this.missing(shape)) kinds.set(id, kind);
    const successor = new KnownSeries(kinds);
    if (this.#successors.size === successorsMax) this.#successors.clear();
    this.#successors.set(shape, new WeakRef(successor));
    return successor;
  }

  #isNew({ id, kind }: SeriesEntry): boolean {
    const known = this.#kinds.get(id);
    return known === undefined || known > kind;
  }
}
