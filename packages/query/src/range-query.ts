import type { ColumnSlice, HostSeries, MetricStore, Series, SeriesColumn } from "@mon/store";
import { QueryError } from "./errors.ts";
import { type QueryLimits, resolveQueryLimits } from "./limits.ts";
import { free } from "./memory.ts";
import { Pace, type QueryControl } from "./pace.ts";
import { planRange, type RangePlan, type RangeRequest } from "./range-plan.ts";
import type { SeriesSlice } from "./series-buffer.ts";
import { SeriesPass } from "./series-pass.ts";

/** Where samples come from: what a range query needs of a store. */
export type SampleSource = Pick<MetricStore, "series" | "read">;

/** Control and limits of a range query. */
export interface RangeQueryOptions extends QueryControl, Partial<QueryLimits> {}

/** How complete an answer is, and what it took. */
export interface QuerySummary {
  /** Series that have values in the answer. */
  readonly series: number;
  readonly samplesRead: number;
  /** Whether data may be missing. */
  readonly partial: boolean;
  /** What may be missing and why, for people: at most {@link missingMax}, then "and more". */
  readonly missing: readonly string[];
  /** Instants at which fragments disagreed on a series that was read. */
  readonly conflicts: number;
}

/** What a read costs besides its samples, in samples: an empty one is not free either. */
const workPerRead = 1_000;

/** What handing out a value costs whoever encodes it, in samples. */
const workPerValue = 8;

/** How many reasons for missing data a summary lists. */
const missingMax = 100;

/**
 * Evaluates series over a range of time (R34), reading them slice by slice. Memory does not grow with the range: see
 * {@link QueryLimits}.
 *
 * Values come in batches: host by host in order of id; within a host series by series in parts, those of each series in
 * order of time. Parts of a host with more than `seriesPerPass` series follow one another. The summary is what the
 * generator returns; without it the answer was cut. The store is asked as the answer is consumed, and let go of when
 * its consumer stops early.
 *
 * @throws {QueryError} QUERY_INVALID at once; QUERY_TOO_LARGE and QUERY_CANCELLED while it is consumed, as are errors of
 *   the store
 * @throws {RangeError} at once, for an option out of range
 */
export function queryRange(
  store: SampleSource,
  request: RangeRequest,
  options: RangeQueryOptions = {},
): AsyncGenerator<SeriesSlice[], QuerySummary, void> {
  const limits = resolveQueryLimits(options);
  return new RangeQuery(store, planRange(request, limits), limits, new Pace(options)).run();
}

class RangeQuery {
  readonly #store: SampleSource;
  readonly #plan: RangePlan;
  readonly #limits: QueryLimits;
  readonly #pace: Pace;
  #series = 0;
  #samplesRead = 0;
  #conflicts = 0;
  readonly #missing = new Set<string>();

  constructor(store: SampleSource, plan: RangePlan, limits: QueryLimits, pace: Pace) {
    this.#store = store;
    this.#plan = plan;
    this.#limits = limits;
    this.#pace = pace;
  }

  async *run(): AsyncGenerator<SeriesSlice[], QuerySummary, void> {
    try {
      this.#pace.assertNotCancelled();
      for await (const host of this.#store.series(this.#plan.selector)) yield* this.#runHost(host);
      this.#pace.assertNotCancelled();
    } catch (error) {
      throw this.#pace.errorFrom(error);
    }
    return this.#summary();
  }

  async *#runHost({ hostId, series }: HostSeries): AsyncGenerator<SeriesSlice[], void, void> {
    const { seriesPerPass } = this.#limits;
    for (let start = 0; start < series.length; start += seriesPerPass) {
      const ofPass = series.slice(start, start + seriesPerPass);
      yield* this.#runPass(hostId, ofPass);
      if (this.#pace.isSpent(workPerRead + ofPass.length)) await this.#pace.breathe();
    }
  }

  async *#runPass(hostId: string, series: readonly Series[]): AsyncGenerator<SeriesSlice[], void, void> {
    const pass = new SeriesPass(hostId, series, this.#plan.createEvaluator);
    const { bufferedValuesMax } = this.#limits;
    const { signal } = this.#pace;
    const slices = this.#store.read({
      hostId,
      ...this.#plan.selector.range,
      wants: (candidate) => pass.has(candidate),
      ...(signal !== undefined && { signal }),
    });
    for await (const slice of slices) {
      this.#pace.assertNotCancelled();
      this.#note(slice);
      for (const column of slice.columns) {
        this.#count(column);
        pass.add(column);
        if (pass.buffered >= bufferedValuesMax) yield* this.#handOut(pass);
        if (this.#pace.isSpent(column.values.length + 1)) await this.#pace.breathe();
      }
      freeAll(slice);
    }
    for (const finished of pass.finish()) {
      if (pass.buffered >= bufferedValuesMax) yield* this.#handOut(pass);
      if (this.#pace.isSpent(finished)) await this.#pace.breathe();
    }
    yield* this.#handOut(pass);
    this.#series += pass.answered;
  }

  async *#handOut(pass: SeriesPass): AsyncGenerator<SeriesSlice[], void, void> {
    for (const batch of pass.take(this.#limits.batchBytesMax)) {
      yield batch;
      let values = 0;
      for (const slice of batch) values += slice.values.length;
      if (this.#pace.isSpent(workPerValue * values)) await this.#pace.breathe();
    }
  }

  #note(slice: ColumnSlice): void {
    this.#conflicts += slice.conflicts;
    for (const reason of slice.missing) {
      if (this.#missing.size < missingMax) this.#missing.add(reason);
      else if (!this.#missing.has(reason)) this.#missing.add("and more");
    }
  }

  #count(column: SeriesColumn): void {
    this.#samplesRead += column.values.length;
    if (this.#samplesRead <= this.#limits.samplesMax) return;
    throw new QueryError(
      "QUERY_TOO_LARGE",
      `expected to read at most ${this.#limits.samplesMax} samples, got more: ask for a shorter range or fewer series`,
    );
  }

  #summary(): QuerySummary {
    return {
      series: this.#series,
      samplesRead: this.#samplesRead,
      partial: this.#missing.size > 0,
      missing: [...this.#missing],
      conflicts: this.#conflicts,
    };
  }
}

/** Frees the memory of a slice, which is the reader's. */
function freeAll({ columns }: ColumnSlice): void {
  for (const { timestampsMs, values, flags } of columns) {
    free(timestampsMs);
    free(values);
    free(flags);
  }
}
