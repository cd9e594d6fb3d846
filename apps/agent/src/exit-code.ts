/** What the agent's exit codes mean. */
export const exitCodes: {
  /** Done, or stopped in good order. */
  readonly ok: 0;
  /** `--once`: a broker answered, but did not store every sample. */
  readonly incomplete: 1;
  /** A flag or variable is wrong. */
  readonly usage: 2;
  /** `--once`: no broker answered. */
  readonly unreachable: 5;
  /** A fault in the agent itself. */
  readonly broken: 70;
} = Object.freeze({ ok: 0, incomplete: 1, usage: 2, unreachable: 5, broken: 70 });
