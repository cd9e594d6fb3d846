/** Exit codes of the broker (R33), those of sysexits.h. */
export const ExitCode = {
  /** Everything taken was stored, and nothing was left open. */
  drained: 0,
  /** A port is in use, or its address is none of this machine's. */
  portUnavailable: 69,
  /** An invariant is broken. */
  broken: 70,
  /** The data directory is locked, or cannot be written. */
  dataUnusable: 73,
  /** The configuration is invalid. */
  configInvalid: 78,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
