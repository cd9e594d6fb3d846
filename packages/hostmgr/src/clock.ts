/** A timer that was set. */
export interface Timer {
  cancel(): void;
}

/** Time, given by hand so that tests can run it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls back once, after at least `delayMs`. */
  setTimeout(callback: () => void, delayMs: number): Timer;
}
