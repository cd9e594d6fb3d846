import { type Series, type SeriesColumn, seriesKey } from "@mon/store";
import type { Evaluator } from "./evaluator.ts";
import { SeriesBuffer, type SeriesSlice } from "./series-buffer.ts";

/** Bytes that a value takes: instant and number. */
const valueBytes = 16;

/** One series under evaluation. */
interface SeriesState {
  readonly buffer: SeriesBuffer;
  /** Absent for samples as stored. */
  readonly evaluator: Evaluator | undefined;
}

/** Series of one host that are evaluated together, and their values that wait to be taken. */
export class SeriesPass {
  readonly #states: Map<string, SeriesState> = new Map();
  /** The same states by the object that stands for a series: stores repeat it from slice to slice. */
  readonly #statesByObject: WeakMap<Series, SeriesState> = new WeakMap();
  #buffered = 0;

  /** @param createEvaluator - absent for samples as stored */
  constructor(hostId: string, series: readonly Series[], createEvaluator: (() => Evaluator) | undefined) {
    for (const one of series) {
      const state = { buffer: new SeriesBuffer(hostId, one), evaluator: createEvaluator?.() };
      this.#states.set(seriesKey(one), state);
    }
  }

  /** Values that wait. */
  get buffered(): number {
    return this.#buffered;
  }

  /** Series that have had values taken. */
  get answered(): number {
    let answered = 0;
    for (const { buffer } of this.#states.values()) if (buffer.hasAnswered) answered++;
    return answered;
  }

  has(series: Series): boolean {
    return this.#states.has(seriesKey(series));
  }

  /** Takes the next samples of a series; those of a series that is not of this pass are left out. */
  add(column: SeriesColumn): void {
    const state = this.#stateOf(column.series);
    if (state === undefined) return;
    const { buffer, evaluator } = state;
    const before = buffer.length;
    if (evaluator === undefined) buffer.pushColumn(column);
    else evaluator.add(column, buffer);
    this.#buffered += buffer.length - before;
  }

  #stateOf(series: Series): SeriesState | undefined {
    const known = this.#statesByObject.get(series);
    if (known !== undefined) return known;
    const state = this.#states.get(seriesKey(series));
    if (state !== undefined) this.#statesByObject.set(series, state);
    return state;
  }

  /** Finishes series one after the other. Yields how many values each had left. */
  *finish(): Generator<number, void, void> {
    for (const { buffer, evaluator } of this.#states.values()) {
      const before = buffer.length;
      evaluator?.finish(buffer);
      const left = buffer.length - before;
      this.#buffered += left;
      yield left;
    }
  }

  /**
   * Takes all values that wait, series by series, in batches of some `batchBytesMax`: 16 bytes a value and 1 a character
   * of a series' name and labels.
   */
  *take(batchBytesMax: number): Generator<SeriesSlice[], void, void> {
    let batch: SeriesSlice[] = [];
    let room = batchBytesMax;
    for (const { buffer } of this.#states.values()) {
      while (buffer.length > 0) {
        const fitting = Math.floor((room - buffer.identitySize) / valueBytes);
        if (fitting < 1 && batch.length > 0) {
          yield batch;
          batch = [];
          room = batchBytesMax;
          continue;
        }
        const slice = buffer.shift(Math.max(1, fitting));
        this.#buffered -= slice.values.length;
        batch.push(slice);
        room -= buffer.identitySize + slice.values.length * valueBytes;
      }
    }
    if (batch.length > 0) yield batch;
  }
}
