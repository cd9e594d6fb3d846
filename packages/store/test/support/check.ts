import fc from "fast-check";

/** Checks a property. A failure prints its seed; `SEED=… vitest run` repeats it. */
export function check<T>(property: fc.IProperty<T>, numRuns = 300): void {
  const { SEED } = process.env;
  fc.assert(property, { numRuns, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
}
