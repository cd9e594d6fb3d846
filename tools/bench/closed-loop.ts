import { setTimeout as sleep } from "node:timers/promises";
import type { ReportTemplate } from "./corpus.ts";
import { HostCycle } from "./host-cycle.ts";
import type { ClosedLoad, FixedLoad, LoadJob, LoadOutcome } from "./job.ts";
import type { Lanes, Slot } from "./lane.ts";
import { Meter } from "./meter.ts";
import { openLanes } from "./open-lanes.ts";

/** How long answers may be awaited once nothing more is sent. */
export const drainTimeoutMs = 15_000;

/** Keeps every window full: each answer sends the next batch. Finds what a server can take. */
export async function runClosedLoop(
  job: LoadJob,
  template: ReportTemplate,
  { warmMs, measureMs }: ClosedLoad,
): Promise<LoadOutcome> {
  const loop = new ClosedLoop(job, template, Number.POSITIVE_INFINITY);
  await using lanes = loop.lanes;
  loop.start();
  await Promise.race([sleep(warmMs), lanes.failure]);
  loop.meter.begin();
  await Promise.race([sleep(measureMs), lanes.failure]);
  const result = loop.meter.end();
  await loop.drain();
  return { ...result, reportsTaken: loop.meter.reports };
}

/** As {@link runClosedLoop}, for a number of batches and no longer. */
export async function runFixed(
  job: LoadJob,
  template: ReportTemplate,
  { batches }: FixedLoad,
): Promise<LoadOutcome> {
  const loop = new ClosedLoop(job, template, batches);
  await using lanes = loop.lanes;
  loop.meter.begin();
  loop.start();
  await Promise.race([loop.finished, lanes.failure]);
  return { ...loop.meter.end(), reportsTaken: loop.meter.reports };
}

/** The clock that reports are dated by: the machine's, or one that goes on by a step from pass to pass. */
function clockOf({ history }: LoadJob): () => number {
  if (history === undefined) return Date.now;
  let nextMs = history.startMs;
  return () => {
    const nowMs = nextMs;
    nextMs += history.stepMs;
    return nowMs;
  };
}

class ClosedLoop {
  readonly lanes: Lanes;
  readonly meter: Meter;
  readonly #finished = Promise.withResolvers<void>();
  readonly #cycle: HostCycle;
  /** Batches that are still to be sent. */
  #left: number;
  #inFlight = 0;

  constructor(job: LoadJob, template: ReportTemplate, batches: number) {
    this.#left = batches;
    this.#cycle = new HostCycle(job.hosts, clockOf(job));
    this.meter = new Meter(job);
    this.lanes = openLanes(job, template, (slot, isTaken) => this.#settled(slot, isTaken));
  }

  /** Resolves when the last batch is answered. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  start(): void {
    for (const lane of this.lanes.lanes) {
      lane.cork();
      for (const slot of lane.slots) this.#send(slot);
      lane.uncork();
    }
  }

  /** Sends no more and awaits the answers. */
  async drain(): Promise<void> {
    this.#left = 0;
    if (this.#inFlight === 0) return;
    const late = sleep(drainTimeoutMs, undefined, { ref: false }).then(() => {
      throw new Error(`expected answers within ${drainTimeoutMs} ms, ${this.#inFlight} batches have none`);
    });
    await Promise.race([this.finished, this.lanes.failure, late]);
  }

  #send(slot: Slot): void {
    if (this.#left <= 0) return;
    this.#left--;
    this.#inFlight++;
    slot.batch.renew(this.#cycle);
    slot.lane.send(slot);
  }

  #settled(slot: Slot, isTaken: boolean): void {
    this.#inFlight--;
    this.meter.count(slot.batch.reports, isTaken);
    this.#send(slot);
    if (this.#inFlight === 0) this.#finished.resolve();
  }
}
