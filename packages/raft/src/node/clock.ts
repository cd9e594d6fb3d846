/** Something that was scheduled and can be called off. */
export interface Timer {
  cancel(): void;
}

/** Time, given by hand so that tests can run it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. For timestamps and metrics; nothing safe rests on it. */
  now(): number;
  /** Calls back once, after at least `delayMs`. */
  setTimeout(callback: () => void, delayMs: number): Timer;
  /** Calls back once, in the next turn of the event loop, after the input that waits there. */
  setImmediate(callback: () => void): Timer;
}
