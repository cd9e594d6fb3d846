import type { Fault } from "./fault.ts";
import { type SimulationOptions, type SimulationResult, simulate } from "./simulation.ts";

/**
 * Looks for a shorter list of faults by which a run still breaks the same invariant, by leaving out ever smaller
 * parts (delta debugging). Each attempt is a run.
 *
 * @param failing - the result of a run with `options` that broke an invariant
 * @param maxRuns - when to be content. Default 100
 * @returns options to repeat the failure with, and what they give
 */
export async function minimise(
  options: SimulationOptions,
  failing: SimulationResult,
  maxRuns = 100,
): Promise<{ options: SimulationOptions; result: SimulationResult }> {
  const { violation } = failing;
  if (violation === undefined) {
    throw new TypeError("expected the result of a run that broke an invariant");
  }
  // What happens after the violation cannot matter.
  let faults: readonly Fault[] = failing.faults.filter(({ atMs }) => atMs <= failing.virtualMs);
  let best = { options, result: failing };
  let runs = 0;
  const stillFails = async (candidate: readonly Fault[]): Promise<boolean> => {
    runs++;
    const attempt = { ...options, faults: candidate };
    const result = await simulate(attempt);
    if (result.violation?.invariant !== violation.invariant) {
      return false;
    }
    best = { options: attempt, result };
    faults = candidate;
    return true;
  };
  for (let size = Math.ceil(faults.length / 2); size >= 1 && faults.length > 0; size = Math.floor(size / 2)) {
    for (let from = 0; from < faults.length && runs < maxRuns; ) {
      const rest = [...faults.slice(0, from), ...faults.slice(from + size)];
      if (!(await stillFails(rest))) {
        from += size;
      }
    }
  }
  return best;
}
