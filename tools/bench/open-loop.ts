import { setTimeout as sleep } from "node:timers/promises";
import { Arrivals } from "./arrivals.ts";
import { drainTimeoutMs } from "./closed-loop.ts";
import type { ReportTemplate } from "./corpus.ts";
import { HostCycle } from "./host-cycle.ts";
import type { LatencySummary, LoadJob, LoadResult, OpenLoad } from "./job.ts";
import { LoadStreams, type Slot } from "./load-stream.ts";
import { Meter } from "./meter.ts";
import { percentile } from "./percentile.ts";

/** Timers are a millisecond coarse and fire late: closer than this to the next arrival the loop polls. */
const pollMs = 2;

/**
 * Sends at a fixed rate and measures each batch from when it was due. When every slot is taken, batches wait in the
 * schedule and their clocks run.
 *
 * @throws {Error} when the last answer comes more than 15 s after the last batch was due
 */
export async function runOpenLoop(
  job: LoadJob,
  template: ReportTemplate,
  load: OpenLoad,
): Promise<LoadResult> {
  const loop = new OpenLoop(job, template, load);
  await using streams = loop.streams;
  loop.start();
  const timeoutMs = load.warmMs + load.measureMs + drainTimeoutMs;
  const late = sleep(timeoutMs, undefined, { ref: false }).then(() => {
    throw new Error(`expected the server to keep up with ${load.batchesPerSecond} batches/s, got a backlog`);
  });
  await Promise.race([loop.finished, streams.failure, late]);
  return { ...loop.meter.end(), latency: loop.summary() };
}

class OpenLoop {
  readonly streams: LoadStreams;
  readonly meter: Meter;
  readonly #finished = Promise.withResolvers<void>();
  readonly #cycle: HostCycle;
  readonly #free: Slot[];
  readonly #arrivals: Arrivals;
  /** The first arrival that is measured. */
  readonly #first: number;
  /** By measured arrival, in milliseconds: latency in the order of answers, delay of sending in the order of sending. */
  readonly #latencies: Float64Array;
  readonly #sendDelays: Float64Array;
  readonly #measuredFromMs: number;
  #sent = 0;
  #answered = 0;
  #measured = 0;

  constructor(job: LoadJob, template: ReportTemplate, load: OpenLoad) {
    const { batchesPerSecond: perSecond, warmMs, measureMs } = load;
    this.#cycle = new HostCycle(job.hosts, Date.now);
    this.meter = new Meter(job);
    this.streams = new LoadStreams(job, template, (slot, isTaken) => this.#settled(slot, isTaken));
    // Stream by stream in turn, and later whichever was answered longest ago.
    this.#free = Array.from({ length: job.shape.window }).flatMap((_, index) =>
      this.streams.streams.map((stream) => stream.slots[index]!),
    );
    this.#first = Math.ceil((warmMs / 1_000) * perSecond);
    const measured = Math.max(1, Math.ceil((measureMs / 1_000) * perSecond));
    this.#arrivals = new Arrivals({
      startMs: performance.now(),
      perSecond,
      count: this.#first + measured,
    });
    this.#measuredFromMs = this.#arrivals.dueAt(this.#first);
    this.#latencies = new Float64Array(measured);
    this.#sendDelays = new Float64Array(measured);
  }

  /** Resolves when the last batch is answered. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  start(): void {
    const nowMs = performance.now();
    const due = this.#arrivals.dueBy(nowMs);
    if (due > this.#sent && this.#free.length > 0) this.#sendUntil(due);
    if (this.#sent === this.#arrivals.count) return;
    const waitMs = this.#arrivals.dueAt(this.#sent) - nowMs;
    if (waitMs > pollMs) setTimeout(() => this.start(), 1);
    else setImmediate(() => this.start());
  }

  summary(): LatencySummary {
    const latencies = this.#latencies.toSorted();
    return {
      count: latencies.length,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      maxMs: percentile(latencies, 1),
      sendDelayP99Ms: percentile(this.#sendDelays.toSorted(), 0.99),
    };
  }

  #sendUntil(due: number): void {
    const { streams } = this.streams;
    for (const stream of streams) stream.cork();
    for (; this.#sent < due; this.#sent++) {
      const slot = this.#free.shift();
      if (slot === undefined) break;
      if (this.#sent === this.#first) this.meter.begin();
      slot.dueAtMs = this.#arrivals.dueAt(this.#sent);
      if (this.#sent >= this.#first) {
        this.#sendDelays[this.#sent - this.#first] = performance.now() - slot.dueAtMs;
      }
      slot.frame.renew(this.#cycle);
      slot.stream.send(slot);
    }
    for (const stream of streams) stream.uncork();
  }

  #settled(slot: Slot, isTaken: boolean): void {
    if (slot.dueAtMs >= this.#measuredFromMs) {
      this.#latencies[this.#measured++] = performance.now() - slot.dueAtMs;
      this.meter.count(slot.frame.reports, isTaken);
    } else if (!isTaken) {
      this.meter.count(slot.frame.reports, isTaken);
    }
    this.#free.push(slot);
    if (++this.#answered === this.#arrivals.count) this.#finished.resolve();
  }
}
