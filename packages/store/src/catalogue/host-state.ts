import { decodeSamples } from "../decode-samples.ts";
import { compareBits, valueBits } from "../fold.ts";
import type { Layouts } from "../layout.ts";
import { type Sample, seriesKey } from "../sample.ts";
import { ShapeState, type Statement } from "../shape.ts";
import type { HostLatest, LatestSample } from "../store.ts";
import { SeriesSet } from "./series-set.ts";
import type { SeriesTable } from "./series-table.ts";
import { walkValues } from "./value-walk.ts";

/** A shape of a host, and the numbers of its series. */
export class HostShape extends ShapeState {
  /** In order of the fragment; hosts that run the same program share it. */
  numbers: Int32Array;

  constructor(newest: Statement, layouts: Layouts, numbers: Int32Array) {
    super(newest, layouts);
    this.numbers = numbers;
  }
}

/** What is known of one host. */
export class HostState {
  readonly hostId: string;
  /** The newest instant; 0 before the first. */
  lastSeenMs = 0;
  /** No sample is older: the oldest instant observed, −∞ once anything was restored that does not tell. */
  firstSeenMs: number = Number.POSITIVE_INFINITY;
  metadata: Readonly<Record<string, string>> = {};
  readonly series: SeriesSet;
  /** Most recently used first. */
  readonly shapes: HostShape[] = [];
  /** Last values of series whose shape was forgotten, by series key. */
  readonly settled: Map<string, LatestSample> = new Map();
  readonly #table: SeriesTable;

  /** @param host - the host's number in the table */
  constructor(hostId: string, table: SeriesTable, host: number) {
    this.hostId = hostId;
    this.series = new SeriesSet(table, host);
    this.#table = table;
  }

  /** The last value of each series (R19), by series key; of the kind that the series has. O(samples of its shapes). */
  latest(): HostLatest {
    const newest = this.#newest();
    const samples: LatestSample[] = [];
    for (const number of this.series.numbers()) {
      const sample = newest.get(number);
      if (sample !== undefined) samples.push(sample);
    }
    return { hostId: this.hostId, lastSeenMs: this.lastSeenMs, samples };
  }

  #newest(): Map<number, LatestSample> {
    const newest = new Map<number, LatestSample>();
    for (const sample of this.settled.values()) {
      const number = this.#table.find(sample);
      if (this.series.hasNumber(number)) newest.set(number, { ...sample, kind: this.series.at(number).kind });
    }
    for (const { bytes, timestampMs, numbers } of this.shapes) {
      walkValues(bytes, (place, high, low, flags) => {
        const number = numbers[place]!;
        const known = newest.get(number);
        if (known !== undefined && !isNewer(timestampMs, high, low, flags, known)) return;
        newest.set(number, this.#sample(number, timestampMs, high, low, flags));
      });
    }
    return newest;
  }

  #sample(number: number, timestampMs: number, high: number, low: number, flags: number): LatestSample {
    const { name, labels, kind } = this.series.at(number);
    bits[0] = low;
    bits[1] = high;
    const value = double[0]!;
    const sample = { name, labels, kind, value, flags, timestampMs };
    return Number.isNaN(value) ? { ...sample, nan: { high, low } } : sample;
  }

  /** Numbers of the series whose last value is known and not before an instant; undefined when none is before it. */
  seenSince(startMs: number): ReadonlySet<number> | undefined {
    const isFresh = ({ timestampMs }: { readonly timestampMs: number }): boolean => timestampMs >= startMs;
    if (this.shapes.every(isFresh) && [...this.settled.values()].every(isFresh)) return undefined;
    const fresh = new Set<number>();
    for (const shape of this.shapes)
      if (isFresh(shape)) for (const number of shape.numbers) fresh.add(number);
    for (const sample of this.settled.values()) if (isFresh(sample)) fresh.add(this.#table.find(sample));
    return fresh;
  }

  /** Numbers of the series whose last value is known and before an instant; undefined when there is none. */
  lastSeenBefore(startMs: number): ReadonlySet<number> | undefined {
    const fresh = this.seenSince(startMs);
    if (fresh === undefined) return undefined;
    const stale = new Set<number>();
    for (const { numbers } of this.shapes) for (const number of numbers) stale.add(number);
    for (const sample of this.settled.values()) stale.add(this.#table.find(sample));
    for (const number of fresh) stale.delete(number);
    return stale;
  }

  /** Forgets a shape, and keeps its last values one by one. */
  settle(shape: HostShape): void {
    for (const sample of decodeSamples(shape.bytes)) {
      const key = seriesKey(sample);
      const known = this.settled.get(key);
      if (known === undefined || isNewerSample(sample, shape.timestampMs, known))
        this.settled.set(key, { ...sample, timestampMs: shape.timestampMs });
    }
  }
}

/** A double and its bits, the lower half first, as every machine that Node runs on has them. */
const double = new Float64Array(1);
const bits = new Uint32Array(double.buffer);

function isNewer(
  timestampMs: number,
  high: number,
  low: number,
  flags: number,
  known: LatestSample,
): boolean {
  if (timestampMs !== known.timestampMs) return timestampMs > known.timestampMs;
  const other = valueBits(known);
  return compareBits(high, low, flags, other.high, other.low, known.flags) > 0;
}

function isNewerSample(sample: Sample, timestampMs: number, known: LatestSample): boolean {
  const { high, low } = valueBits(sample);
  return isNewer(timestampMs, high, low, sample.flags, known);
}
