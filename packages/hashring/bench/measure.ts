/** One measured thing, done in batches. */
export interface Case {
  /** As `area/case`. */
  readonly name: string;

  /** Batches a round. */
  readonly batches: number;

  /** Operations a batch; times are divided by it. */
  readonly operations: number;

  /** Does one batch. @returns something computed, so that no compiler can leave the work out */
  run(batch: number): number;

  /** Makes ready for a batch; not timed. */
  before?(batch: number): void;

  /** Cleans up after a batch; not timed. */
  after?(batch: number): void;
}

/** Nanoseconds an operation, over all batches of all rounds. */
export interface Timing {
  /** Batches that were timed. */
  readonly n: number;
  readonly median: number;
  readonly p99: number;
}

/**
 * Times all cases in one run. Rounds of the cases alternate and each round starts with another case, so that a busy moment
 * of the machine hits all of them. A first round warms up and does not count.
 */
export function measure(cases: readonly Case[], rounds: number): Map<string, Timing> {
  const nanoseconds = new Map<Case, number[]>(cases.map((one) => [one, []]));
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < cases.length; i++) {
      const one = cases[(i + round) % cases.length]!;
      const times = timeRound(one);
      if (round > 0) nanoseconds.get(one)!.push(...times);
    }
  }
  return new Map(cases.map((one) => [one.name, summarize(nanoseconds.get(one)!)]));
}

function timeRound(one: Case): number[] {
  let computed = 0;
  const times = Array.from({ length: one.batches }, (_, batch) => {
    one.before?.(batch);
    const start = process.hrtime.bigint();
    computed += one.run(batch);
    const elapsed = Number(process.hrtime.bigint() - start);
    one.after?.(batch);
    return elapsed / one.operations;
  });
  if (!(computed > 0)) throw new Error(`expected ${one.name} to compute something, got ${computed}`);
  return times;
}

function summarize(nanoseconds: readonly number[]): Timing {
  const sorted = nanoseconds.toSorted((a, b) => a - b);
  const quantile = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1]!;
  return { n: sorted.length, median: quantile(0.5), p99: quantile(0.99) };
}
