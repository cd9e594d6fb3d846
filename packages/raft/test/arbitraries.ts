import fc from "fast-check";

/** Checks a property. A failure prints its seed; `SEED=… vitest run` repeats it. */
export function check<T>(property: fc.IProperty<T>, numRuns: number): void {
  const { SEED, MON_TEST } = process.env;
  fc.assert(property, {
    numRuns: MON_TEST === "full" ? numRuns * 50 : numRuns,
    ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  });
}

/** Few names, so that sets of them overlap. */
export const ids: readonly string[] = ["a", "b", "c", "d", "e", "f", "g"];

export const idSet: fc.Arbitrary<string[]> = fc.subarray([...ids]);
