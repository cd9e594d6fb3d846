import {
  type ColumnSlice,
  compileMatchers,
  type HostSeries,
  type ReadRequest,
  type Series,
  type SeriesSelector,
  seriesKey,
} from "@mon/store";
import type { SampleSource } from "../src/index.ts";

/** A series of a host with its samples as columns. */
export interface StoredSeries {
  hostId: string;
  series: Series;
  timestampsMs: number[];
  values: Float64Array;
  flags?: number[];
}

/** A source that cuts its answers at given instants, so that windows and look-back span slices. */
export class SlicedSource implements SampleSource {
  /** Reads that were begun and not ended. */
  openReads = 0;
  reads: ReadRequest[] = [];
  /** Called before each slice is given. */
  beforeSlice: () => void = () => {};
  missing: string[] = [];
  readonly #stored: readonly StoredSeries[];
  readonly #cutsMs: readonly number[];

  constructor(stored: readonly StoredSeries[], cutsMs: readonly number[] = []) {
    this.#stored = stored;
    this.#cutsMs = [...new Set(cutsMs)].sort((a, b) => a - b);
  }

  async *series({ hostIds, matchers = [] }: SeriesSelector): AsyncIterable<HostSeries> {
    const conditions = compileMatchers(matchers);
    const byHost = Map.groupBy(this.#stored, ({ hostId }) => hostId);
    for (const hostId of [...byHost.keys()].sort()) {
      if (!conditions.matchesHost(hostId) || hostIds?.includes(hostId) === false) continue;
      const series = byHost.get(hostId)!.map((one) => one.series);
      yield { hostId, series: series.filter(conditions.matchesSeries) };
    }
  }

  async *read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    this.reads.push(request);
    this.openReads++;
    try {
      let startMs = request.startMs;
      for (const cutMs of [...this.#cutsMs, request.endMs]) {
        const endMs = Math.min(cutMs, request.endMs);
        if (endMs < startMs) continue;
        this.beforeSlice();
        yield this.#slice(request, startMs, endMs);
        startMs = endMs + 1;
      }
    } finally {
      this.openReads--;
    }
  }

  #slice({ hostId, wants = () => true }: ReadRequest, startMs: number, endMs: number): ColumnSlice {
    const columns = this.#stored
      .filter((one) => one.hostId === hostId && wants(one.series))
      .flatMap(({ series, timestampsMs, values, flags }) => {
        const from = timestampsMs.findIndex((t) => t >= startMs);
        const to = timestampsMs.findLastIndex((t) => t <= endMs) + 1;
        if (from < 0 || to <= from) return [];
        return {
          // A copy: stores need not name a series with the same object twice.
          series: { ...series },
          timestampsMs: Float64Array.from(timestampsMs.slice(from, to)),
          values: values.slice(from, to),
          flags: Uint32Array.from(flags?.slice(from, to) ?? new Array(to - from).fill(0)),
        };
      });
    return { startMs, endMs, columns, conflicts: 0, missing: this.missing };
  }
}

/** The bits of a stale marker among other values. */
export const stale: unique symbol = Symbol("stale");

/** A column of values, stale markers written as bits: a number on its way could lose them. */
export function valuesOf(list: readonly (number | typeof stale)[]): Float64Array {
  const values = new Float64Array(list.length);
  const bits = new BigUint64Array(values.buffer);
  for (const [index, value] of list.entries()) {
    if (value === stale) bits[index] = 0x7ff0_0000_0000_0002n;
    else values[index] = value;
  }
  return values;
}

export function keyOf(hostId: string, series: Series): string {
  return `${hostId}/${seriesKey(series)}`;
}
