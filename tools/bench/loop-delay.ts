import { createHistogram } from "node:perf_hooks";

/** A delay longer than this is a stall, in milliseconds: nothing on a broker's main loop may run longer. */
export const stallMs = 20;

/** How late a loop was over a stretch of time. */
export interface LoopDelayReading {
  /** Instants at which something was due. */
  readonly count: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Times that the loop was late by more than {@link stallMs}. */
  readonly stalls: number;
  /** The most processor time that the loop's thread spent between two ticks: a delay without its waits for a core. */
  readonly cpuMaxMs: number;
}

const intervalMs = 1;
/** Longer delays count as this long: a minute. */
const delayUsMax = 60_000_000;

/**
 * How late an event loop gets to what is due. Something is due every millisecond, whatever became of what was due before:
 * a loop that stands still for 100 ms is late for a hundred instants, by 100 ms, 99 ms and so on. That is what a
 * heartbeat would meet that comes at any time, where a histogram of the gaps between ticks holds a stall once.
 *
 * The caller ticks, about every millisecond; it is late by up to one when nothing delays it.
 */
export class LoopDelay {
  readonly #histogram = createHistogram({ lowest: 1, highest: delayUsMax, figures: 3 });
  #dueMs: number;
  #stalls = 0;
  #cpuMs: number;
  #cpuMaxMs = 0;

  /** Begins. @param nowMs, cpuMs - as those of {@link tick} */
  constructor(nowMs: number, cpuMs: number) {
    this.#dueMs = nowMs + intervalMs;
    this.#cpuMs = cpuMs;
  }

  /**
   * @param nowMs - on a monotonic clock
   * @param cpuMs - processor time that the thread has spent, user and system
   */
  tick(nowMs: number, cpuMs: number): void {
    this.#cpuMaxMs = Math.max(this.#cpuMaxMs, cpuMs - this.#cpuMs);
    this.#cpuMs = cpuMs;
    if (nowMs - this.#dueMs > stallMs) this.#stalls++;
    for (; this.#dueMs <= nowMs; this.#dueMs += intervalMs) {
      const delayUs = Math.round((nowMs - this.#dueMs) * 1_000);
      this.#histogram.record(Math.min(Math.max(delayUs, 1), delayUsMax));
    }
  }

  read(): LoopDelayReading {
    const { count } = this.#histogram;
    return {
      count,
      p999Ms: count === 0 ? 0 : this.#histogram.percentile(99.9) / 1_000,
      maxMs: count === 0 ? 0 : this.#histogram.max / 1_000,
      stalls: this.#stalls,
      cpuMaxMs: this.#cpuMaxMs,
    };
  }
}
