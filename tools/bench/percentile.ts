/**
 * The smallest value that at least a share of all values do not exceed (nearest rank).
 *
 * @param sorted - ascending
 * @param share - above 0 and at most 1
 * @returns NaN when there are no values
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (!(share > 0 && share <= 1)) throw new RangeError(`expected a share from 0 to 1, got ${share}`);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
