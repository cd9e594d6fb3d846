/** Samples of one series, as columns of equal length, in order of time. */
export interface SampleRun {
  /** Rising, no instant twice. */
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
}

/** Where the values of one series go, in order of time. */
export interface ValueSink {
  push(timestampMs: number, value: number): void;
}

/**
 * Turns the samples of one series into values. It is given runs that follow each other in time, however they were cut,
 * and carries from one to the next what it needs: a constant amount.
 */
export interface Evaluator {
  /** Takes the next samples; gives the values that no later sample can change. The run is not kept. */
  add(run: SampleRun, sink: ValueSink): void;
  /** Gives what is left. */
  finish(sink: ValueSink): void;
}
