import fc from "fast-check";

/** Property tests print their seed when they fail; `SEED=` repeats a run. */
if (process.env.SEED !== undefined) fc.configureGlobal({ seed: Number(process.env.SEED) });

export { fc };
