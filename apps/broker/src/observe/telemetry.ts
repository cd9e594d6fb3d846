import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock, IntakeCounters } from "@mon/intake";
import { RollingLatency } from "./rolling-latency.ts";
import { RollingRate } from "./rolling-rate.ts";

/** What a broker measures of itself. */
export class Telemetry {
  readonly ackLatency = new RollingLatency();
  readonly reportRate = new RollingRate();
  readonly sampleRate = new RollingRate();
  /** Report streams that are open. */
  streams = 0;
  /** Calls ended with an error, by gRPC code name. */
  readonly callErrors = new Map<string, number>();
  /** 99th percentile of the event loop's delay over the past minute, in milliseconds. */
  eventLoopDelayP99Ms = 0;
  readonly #clock: Clock;
  readonly #counters: IntakeCounters;
  readonly #loopDelay = monitorEventLoopDelay({ resolution: 10 });
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;

  constructor(clock: Clock, counters: IntakeCounters) {
    this.#clock = clock;
    this.#counters = counters;
  }

  start(): void {
    this.#loopDelay.enable();
    this.#tick();
    // Readings keep no process alive.
    this.#timer = setInterval(() => this.#tick(), 1_000).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#loopDelay.disable();
  }

  countCallError(code: string): void {
    this.callErrors.set(code, (this.callErrors.get(code) ?? 0) + 1);
  }

  #tick(): void {
    const nowMs = this.#clock.now();
    this.reportRate.read(this.#counters.reports, nowMs);
    this.sampleRate.read(this.#counters.samples, nowMs);
    // The histogram counts the sampling interval itself.
    this.eventLoopDelayP99Ms = Math.max(0, this.#loopDelay.percentile(99) / 1e6 - 10);
    if (++this.#ticks % 60 === 0) this.#loopDelay.reset();
  }
}
