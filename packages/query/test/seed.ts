import type { Parameters } from "fast-check";

/** Parameters of a property: `SEED` repeats a run whose failure printed that seed. */
export function runs<T>(numRuns: number): Parameters<T> {
  const { SEED } = process.env;
  return SEED === undefined ? { numRuns } : { numRuns, seed: Number(SEED) };
}
