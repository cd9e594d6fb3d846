/** Parameters of a property test: `SEED` in the environment runs it again as it was; a failure prints its seed. */
export const property: { seed?: number; numRuns: number } = {
  ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) }),
  numRuns: 300,
};
