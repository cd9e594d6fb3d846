import { compareBits } from "./fold.ts";
import type { Series } from "./sample.ts";
import { SampleReader } from "./sample-reader.ts";

/**
 * Samples of one series, as columns of equal length. Owned by the reader that got them, who may hand their memory on or
 * free it; columns of one slice may share memory, so that it goes with all of them.
 */
export interface SeriesColumn {
  readonly series: Series;
  /** Rising, no instant twice; whole milliseconds since the Unix epoch. */
  readonly timestampsMs: Float64Array;
  /** Bit for bit as written; read NaNs through a view of the buffer, not as numbers, when their payload matters. */
  readonly values: Float64Array;
  /** See {@link SampleFlag}. */
  readonly flags: Uint32Array;
}

/** A growing column. Values are written as bits, the lower half first, as every machine that Node runs on has them. */
class Column {
  length = 0;
  #capacity = 16;
  #timestampsMs = new Float64Array(16);
  #values = new Uint32Array(32);
  #flags = new Uint32Array(16);
  /** Where the last conflict is, so that an instant counts once however many fragments disagree. */
  #conflictIndex = -1;

  push(timestampMs: number, high: number, low: number, flags: number): void {
    if (this.length === this.#capacity) this.#grow();
    const index = this.length++;
    this.#timestampsMs[index] = timestampMs;
    this.#set(index, high, low, flags);
  }

  get lastTimestampMs(): number {
    return this.length === 0 ? Number.NaN : this.#timestampsMs[this.length - 1]!;
  }

  /** Folds a value into the last one (R4). @returns whether this is the first to disagree at its instant */
  foldLast(high: number, low: number, flags: number): boolean {
    const index = this.length - 1;
    const values = this.#values;
    const order = compareBits(
      high,
      low,
      flags,
      values[2 * index + 1]!,
      values[2 * index]!,
      this.#flags[index]!,
    );
    if (order > 0) this.#set(index, high, low, flags);
    if (order === 0 || index === this.#conflictIndex) return false;
    this.#conflictIndex = index;
    return true;
  }

  take(series: Series): SeriesColumn {
    const length = this.length;
    this.length = 0;
    this.#conflictIndex = -1;
    return {
      series,
      timestampsMs: this.#timestampsMs.slice(0, length),
      values: new Float64Array(this.#values.slice(0, 2 * length).buffer),
      flags: this.#flags.slice(0, length),
    };
  }

  #set(index: number, high: number, low: number, flags: number): void {
    this.#values[2 * index] = low;
    this.#values[2 * index + 1] = high;
    this.#flags[index] = flags;
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#timestampsMs = grown(this.#timestampsMs, new Float64Array(this.#capacity));
    this.#values = grown(this.#values, new Uint32Array(2 * this.#capacity));
    this.#flags = grown(this.#flags, new Uint32Array(this.#capacity));
  }
}

function grown<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Turns fragments of one host, added in order of time, into folded columns (R4). */
export class ColumnBuilder {
  /** Instants at which fragments disagreed on a series, counted for each series. */
  conflicts = 0;
  /** Samples taken in, before folding. */
  samples = 0;
  readonly #reader = new SampleReader();
  readonly #columns: (Column | undefined)[] = [];
  readonly #wants: (series: Series) => boolean;

  /** @param wants - which series get a column; asked once for each */
  constructor(wants: (series: Series) => boolean) {
    this.#wants = wants;
  }

  /**
   * Adds a fragment whose instant is not before that of the fragment before.
   *
   * @throws {StoreError} STORE_FRAGMENT_INVALID
   */
  add(timestampMs: number, bytes: Uint8Array): void {
    this.#reader.read(bytes, (slot, high, low, flags) => {
      if (slot === this.#columns.length) {
        this.#columns.push(this.#wants(this.#reader.series[slot]!) ? new Column() : undefined);
      }
      const column = this.#columns[slot];
      if (column === undefined) return;
      this.samples++;
      if (column.lastTimestampMs !== timestampMs) column.push(timestampMs, high, low, flags);
      else if (column.foldLast(high, low, flags)) this.conflicts++;
    });
  }

  /** Gives the columns that have samples and begins anew with the series kept, so that a next slice reuses them. */
  take(): SeriesColumn[] {
    const taken: SeriesColumn[] = [];
    for (const [slot, column] of this.#columns.entries()) {
      if (column !== undefined && column.length > 0) taken.push(column.take(this.#reader.series[slot]!));
    }
    return taken;
  }
}
