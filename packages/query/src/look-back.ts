import type { Evaluator, SampleRun, ValueSink } from "./evaluator.ts";
import type { Instants } from "./instants.ts";
import { isStaleMarker } from "./stale-marker.ts";

/** How far back a last value is looked for: five minutes, as in Prometheus. */
export const lookBackMs = 300_000;

/**
 * The last sample of (instant − 5 min, instant] at each instant: Prometheus's instant vector selector. A stale marker
 * ends the series until its next sample.
 */
export class LookBack implements Evaluator {
  readonly #instants: Instants;
  /** The next instant to give. */
  #index = 0;
  /** When the last sample was; −∞ when there is none or it was a stale marker. */
  #lastMs = Number.NEGATIVE_INFINITY;
  #lastValue = 0;

  constructor(instants: Instants) {
    this.#instants = instants;
  }

  add({ timestampsMs, values }: SampleRun, sink: ValueSink): void {
    let next = 0;
    while (next < timestampsMs.length) {
      this.#giveUntil(this.#instants.indexFor(timestampsMs[next]!), sink);
      const instantMs = this.#instants.at(this.#index);
      let end = next + 1;
      while (end < timestampsMs.length && timestampsMs[end]! <= instantMs) end++;
      this.#remember(timestampsMs, values, end - 1);
      next = end;
    }
  }

  finish(sink: ValueSink): void {
    this.#giveUntil(this.#instants.count, sink);
  }

  /** Gives the instants before `index`. */
  #giveUntil(index: number, sink: ValueSink): void {
    for (; this.#index < index; this.#index++) {
      const instantMs = this.#instants.at(this.#index);
      if (this.#lastMs <= instantMs - lookBackMs) break;
      sink.push(instantMs, this.#lastValue);
    }
    this.#index = index;
  }

  #remember(timestampsMs: Float64Array, values: Float64Array, index: number): void {
    this.#lastMs = isStaleMarker(values, index) ? Number.NEGATIVE_INFINITY : timestampsMs[index]!;
    this.#lastValue = values[index]!;
  }
}
