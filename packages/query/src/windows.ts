import type { Evaluator, SampleRun, ValueSink } from "./evaluator.ts";
import type { Instants } from "./instants.ts";
import { withoutStaleMarkers } from "./stale-marker.ts";
import type { WindowFunction } from "./window-function.ts";

/**
 * A function of the samples of (instant − step, instant] at each instant. Windows touch and do not overlap, so that one
 * is open at a time. Stale markers are left out; a window without a sample has no value.
 */
export class Windows implements Evaluator {
  readonly #instants: Instants;
  readonly #function: WindowFunction;
  /** The open window; −1 before the first. */
  #index = -1;

  constructor(instants: Instants, windowFunction: WindowFunction) {
    this.#instants = instants;
    this.#function = windowFunction;
  }

  add(run: SampleRun, sink: ValueSink): void {
    const clean = withoutStaleMarkers(run);
    const { timestampsMs } = clean;
    let start = 0;
    while (start < timestampsMs.length) {
      const index = this.#instants.indexFor(timestampsMs[start]!);
      if (index !== this.#index) {
        this.finish(sink);
        this.#index = index;
      }
      const instantMs = this.#instants.at(index);
      let end = start + 1;
      while (end < timestampsMs.length && timestampsMs[end]! <= instantMs) end++;
      this.#function.add(clean, start, end);
      start = end;
    }
  }

  finish(sink: ValueSink): void {
    if (this.#index < 0) return;
    const instantMs = this.#instants.at(this.#index);
    const value = this.#function.take(instantMs);
    if (value !== undefined) sink.push(instantMs, value);
  }
}
