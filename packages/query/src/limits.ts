/** How much one range query may take. */
export interface QueryLimits {
  /**
   * Values that a stepped query may have for each series. Default 11,000, as in Prometheus: enough for a value a minute
   * over a week.
   */
  readonly valuesPerSeriesMax: number;
  /** Samples that a query may read. Default 50,000,000; a query that would read more fails with `QUERY_TOO_LARGE`. */
  readonly samplesMax: number;
  /**
   * Series of a host that are evaluated at once; a host that has more is read again for each such part. Default 2,000.
   * More take more memory, fewer read the same blocks more often.
   */
  readonly seriesPerPass: number;
  /**
   * Values that wait to be handed out, 16 bytes each; at times those of one column more. Default 65,536. Fewer make
   * slices of few values, which repeat the series more often.
   */
  readonly bufferedValuesMax: number;
  /**
   * Size of what is handed out at once, in bytes: 16 a value and 1 a character of a series' name and labels. Default
   * 65,536, about 4,000 values of one series. A series whose name and labels alone are longer goes out one value at a
   * time.
   */
  readonly batchBytesMax: number;
}

/** The limits that hold when none are given. */
export const defaultQueryLimits: QueryLimits = Object.freeze({
  valuesPerSeriesMax: 11_000,
  samplesMax: 50_000_000,
  seriesPerPass: 2_000,
  bufferedValuesMax: 65_536,
  batchBytesMax: 65_536,
});

/** Fills in defaults. @throws {RangeError} when a limit is not a whole number of at least 1 */
export function resolveQueryLimits(limits: Partial<QueryLimits>): QueryLimits {
  const resolved: { -readonly [Name in keyof QueryLimits]: number } = { ...defaultQueryLimits };
  for (const name of Object.keys(defaultQueryLimits) as (keyof QueryLimits)[]) {
    const value = limits[name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`expected ${name} to be a whole number of at least 1, got ${value}`);
    }
    resolved[name] = value;
  }
  return resolved;
}
