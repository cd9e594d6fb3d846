import type { Series, SeriesColumn } from "@mon/store";
import type { ValueSink } from "./evaluator.ts";
import { free } from "./memory.ts";

/** Values of one series; it may go on in later slices, with later instants. Its columns share nothing with others. */
export interface SeriesSlice {
  readonly hostId: string;
  readonly series: Series;
  /** Whole milliseconds since the Unix epoch, rising; last and first are less than 2³² apart. */
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  /** Marks (`SampleFlag`) of samples as stored; absent when none of them has one, and for stepped values. */
  readonly flags?: Uint32Array;
}

/** How far apart instants of one slice may be, so that offsets from the first fit 32 bits. */
const sliceSpanMsMax = 2 ** 32 - 1;

const noFloats = new Float64Array(0);
const noFlags = new Uint32Array(0);

/** Values of one series that wait to be handed out. */
export class SeriesBuffer implements ValueSink {
  readonly hostId: string;
  readonly series: Series;
  /** Characters of its name and labels. */
  readonly identitySize: number;
  #timestampsMs: Float64Array<ArrayBuffer> = noFloats;
  #values: Float64Array<ArrayBuffer> = noFloats;
  /** Empty while no sample has had a mark. */
  #flags: Uint32Array<ArrayBuffer> = noFlags;
  #start = 0;
  #end = 0;
  #hasAnswered = false;

  constructor(hostId: string, series: Series) {
    this.hostId = hostId;
    this.series = series;
    this.identitySize = series.labels.reduce(
      (size, label) => size + label.name.length + label.value.length,
      hostId.length + series.name.length,
    );
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** Whether values have been taken out. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  push(timestampMs: number, value: number): void {
    this.#reserve(1);
    this.#timestampsMs[this.#end] = timestampMs;
    this.#values[this.#end] = value;
    this.#end++;
  }

  /** Adds samples as stored, to the bit. */
  pushColumn({ timestampsMs, values, flags }: SeriesColumn): void {
    this.#reserve(values.length);
    this.#timestampsMs.set(timestampsMs, this.#end);
    this.#values.set(values, this.#end);
    if (this.#flags.length > 0 || hasMark(flags)) {
      if (this.#flags.length === 0) this.#flags = new Uint32Array(this.#values.length);
      this.#flags.set(flags, this.#end);
    }
    this.#end += values.length;
  }

  /** Takes out the first values: at most `limit`, which is at least 1, and at least one. */
  shift(limit: number): SeriesSlice {
    const start = this.#start;
    let count = Math.min(limit, this.length);
    while (this.#timestampsMs[start + count - 1]! - this.#timestampsMs[start]! > sliceSpanMsMax) count >>= 1;
    const end = start + count;
    const flags = this.#flags.slice(start, end);
    const slice = {
      hostId: this.hostId,
      series: this.series,
      timestampsMs: this.#timestampsMs.slice(start, end),
      values: this.#values.slice(start, end),
      ...(hasMark(flags) && { flags }),
    };
    this.#hasAnswered = true;
    this.#start = end;
    if (end === this.#end) this.#release();
    return slice;
  }

  #reserve(count: number): void {
    const needed = this.#end + count;
    if (needed <= this.#values.length) return;
    const capacity = Math.max(16, needed, this.#values.length * 2);
    this.#timestampsMs = new Float64Array(grown(this.#timestampsMs, 8 * capacity));
    this.#values = new Float64Array(grown(this.#values, 8 * capacity));
    if (this.#flags.length > 0) this.#flags = new Uint32Array(grown(this.#flags, 4 * capacity));
  }

  /** Lets go of the memory, so that thousands of buffers do not each keep what they once needed. */
  #release(): void {
    free(this.#timestampsMs);
    free(this.#values);
    free(this.#flags);
    this.#timestampsMs = noFloats;
    this.#values = noFloats;
    this.#flags = noFlags;
    this.#start = 0;
    this.#end = 0;
  }
}

/** The memory of an array, made larger. */
function grown(
  { length, buffer }: Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
  bytes: number,
): ArrayBuffer {
  // The empty arrays are everybody's.
  return length === 0 ? new ArrayBuffer(bytes) : buffer.transfer(bytes);
}

function hasMark(flags: Uint32Array): boolean {
  for (let i = 0; i < flags.length; i++) if (flags[i] !== 0) return true;
  return false;
}
