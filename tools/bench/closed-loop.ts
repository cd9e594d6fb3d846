import { setTimeout as sleep } from "node:timers/promises";
import type { ReportTemplate } from "./corpus.ts";
import { HostCycle } from "./host-cycle.ts";
import type { ClosedLoad, FixedLoad, LoadJob, LoadResult } from "./job.ts";
import { LoadStreams, type Slot } from "./load-stream.ts";
import { Meter } from "./meter.ts";

/** How long answers may be awaited once nothing more is sent. */
export const drainTimeoutMs = 15_000;

/** Keeps every window full: each answer sends the next batch. Finds what a server can take. */
export async function runClosedLoop(
  job: LoadJob,
  template: ReportTemplate,
  { warmMs, measureMs }: ClosedLoad,
): Promise<LoadResult> {
  const loop = new ClosedLoop(job, template, Number.POSITIVE_INFINITY);
  await using streams = loop.streams;
  loop.start();
  await Promise.race([sleep(warmMs), streams.failure]);
  loop.meter.begin();
  await Promise.race([sleep(measureMs), streams.failure]);
  const result = loop.meter.end();
  await loop.drain();
  return result;
}

/** As {@link runClosedLoop}, for a number of batches and no longer. */
export async function runFixed(
  job: LoadJob,
  template: ReportTemplate,
  { batches }: FixedLoad,
): Promise<LoadResult> {
  const loop = new ClosedLoop(job, template, batches);
  await using streams = loop.streams;
  loop.meter.begin();
  loop.start();
  await Promise.race([loop.finished, streams.failure]);
  return loop.meter.end();
}

class ClosedLoop {
  readonly streams: LoadStreams;
  readonly meter: Meter;
  readonly #finished = Promise.withResolvers<void>();
  readonly #cycle: HostCycle;
  /** Batches that are still to be sent. */
  #left: number;
  #inFlight = 0;

  constructor(job: LoadJob, template: ReportTemplate, batches: number) {
    this.#left = batches;
    this.#cycle = new HostCycle(job.hosts, Date.now);
    this.meter = new Meter(job);
    this.streams = new LoadStreams(job, template, (slot, isTaken) => this.#settled(slot, isTaken));
  }

  /** Resolves when the last batch is answered. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  start(): void {
    for (const stream of this.streams.streams) {
      stream.cork();
      for (const slot of stream.slots) this.#send(slot);
      stream.uncork();
    }
  }

  /** Sends no more and awaits the answers. */
  async drain(): Promise<void> {
    this.#left = 0;
    if (this.#inFlight === 0) return;
    const late = sleep(drainTimeoutMs, undefined, { ref: false }).then(() => {
      throw new Error(`expected answers within ${drainTimeoutMs} ms, ${this.#inFlight} batches have none`);
    });
    await Promise.race([this.finished, this.streams.failure, late]);
  }

  #send(slot: Slot): void {
    if (this.#left <= 0) return;
    this.#left--;
    this.#inFlight++;
    slot.frame.renew(this.#cycle);
    slot.stream.send(slot);
  }

  #settled(slot: Slot, isTaken: boolean): void {
    this.#inFlight--;
    this.meter.count(slot.frame.reports, isTaken);
    this.#send(slot);
    if (this.#inFlight === 0) this.#finished.resolve();
  }
}
