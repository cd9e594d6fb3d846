/** What a comparison of two series of runs says. */
export interface Verdict {
  /** Median over the rounds of head's rate over base's; above 1 is faster. */
  readonly ratio: number;
  /** How far the ratio may stray from 1 by noise alone, as a fraction. */
  readonly bound: number;
  readonly outcome: "slower" | "faster" | "same";
}

/** No difference below this is believed, however quiet the machine seemed. */
export const boundMin = 0.1;

/** Three standard deviations; the factor turns a median absolute deviation into one, for a normal distribution. */
const spreadsPerBound = 3 * 1.4826;

/**
 * Compares runs of base and head that were made in pairs, one after the other, so that a slow drift of the machine
 * hits both sides of a pair alike.
 *
 * The bound is three standard deviations of the pairs' ratios, estimated by their median absolute deviation so that
 * one disturbed pair does not widen it, and at least {@link boundMin}.
 *
 * @param base - operations a second in each round
 * @param head - the same rounds, in the same order
 * @throws {RangeError} with fewer than three rounds, rounds that do not pair up, or a rate that is not positive
 */
export function compareRates(base: readonly number[], head: readonly number[]): Verdict {
  if (base.length !== head.length || base.length < 3) {
    throw new RangeError(
      `expected at least 3 pairs of rounds, got ${base.length} of base and ${head.length} of head`,
    );
  }
  const bad = [...base, ...head].find((rate) => !(rate > 0 && Number.isFinite(rate)));
  if (bad !== undefined) throw new RangeError(`expected positive rates, got ${bad}`);
  const ratios = base.map((rate, round) => (head[round] ?? Number.NaN) / rate);
  const ratio = median(ratios);
  const bound = Math.max(boundMin, spreadsPerBound * median(ratios.map((one) => Math.abs(one - ratio))));
  const outcome = ratio < 1 - bound ? "slower" : ratio > 1 + bound ? "faster" : "same";
  return { ratio, bound, outcome };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
