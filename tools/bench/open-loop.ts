import { setTimeout as sleep } from "node:timers/promises";
import { Arrivals } from "./arrivals.ts";
import { drainTimeoutMs } from "./closed-loop.ts";
import type { ReportTemplate } from "./corpus.ts";
import { HostCycle } from "./host-cycle.ts";
import type { LatencySummary, LoadJob, LoadOutcome, OpenLoad } from "./job.ts";
import type { Lanes, Slot } from "./lane.ts";
import { Meter } from "./meter.ts";
import { openLanes } from "./open-lanes.ts";
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
): Promise<LoadOutcome> {
  const loop = new OpenLoop(job, template, load);
  await using lanes = loop.lanes;
  loop.start();
  const timeoutMs = load.warmMs + load.measureMs + drainTimeoutMs;
  const late = sleep(timeoutMs, undefined, { ref: false }).then(() => {
    throw new Error(`expected the server to keep up with ${load.batchesPerSecond} batches/s, got a backlog`);
  });
  await Promise.race([loop.finished, lanes.failure, late]);
  return { ...loop.meter.end(), latency: loop.summary(), reportsTaken: loop.reportsTaken };
}

class OpenLoop {
  readonly lanes: Lanes;
  readonly meter: Meter;
  /** Those of the warm-up too, which the meter leaves out. */
  reportsTaken = 0;
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
    this.lanes = openLanes(job, template, (slot, isTaken) => this.#settled(slot, isTaken));
    // Lane by lane in turn, and later whichever was answered longest ago.
    this.#free = Array.from({ length: job.shape.window }).flatMap((_, index) =>
      this.lanes.lanes.map((lane) => lane.slots[index]!),
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
    const { lanes } = this.lanes;
    for (const lane of lanes) lane.cork();
    for (; this.#sent < due; this.#sent++) {
      const slot = this.#free.shift();
      if (slot === undefined) break;
      if (this.#sent === this.#first) this.meter.begin();
      slot.dueAtMs = this.#arrivals.dueAt(this.#sent);
      if (this.#sent >= this.#first) {
        this.#sendDelays[this.#sent - this.#first] = performance.now() - slot.dueAtMs;
      }
      slot.batch.renew(this.#cycle);
      slot.lane.send(slot);
    }
    for (const lane of lanes) lane.uncork();
  }

  #settled(slot: Slot, isTaken: boolean): void {
    if (isTaken) this.reportsTaken += slot.batch.reports;
    if (slot.dueAtMs >= this.#measuredFromMs) {
      this.#latencies[this.#measured++] = performance.now() - slot.dueAtMs;
      this.meter.count(slot.batch.reports, isTaken);
    } else if (!isTaken) {
      this.meter.count(slot.batch.reports, isTaken);
    }
    this.#free.push(slot);
    if (++this.#answered === this.#arrivals.count) this.#finished.resolve();
  }
}
