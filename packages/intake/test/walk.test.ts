import { type Fragment, fragmentId, type WriteFate } from "@mon/store";
import { describe, expect, it } from "vitest";
import { BatchReader, ByteBudget, defaultRules, Intake, type Outcome } from "../src/index.ts";
import { stored } from "./support/gated-store.ts";
import { Random } from "./support/random.ts";
import { encodeReport } from "./support/reports.ts";
import { settle, VirtualClock } from "./support/virtual-clock.ts";

const isFull = process.env.MON_TEST === "full";
const seed = Number(process.env.SEED ?? 20261123);

const limits = {
  batchReportsMax: 5,
  batchBytesMax: 120,
  flushesInFlightMax: 2,
  flushTimeoutMs: 100,
};
const retry: WriteFate = { status: "retry", reason: "the disk is full", retryDelayMs: 250 };
const rejected: WriteFate = { status: "rejected", reason: "it is not canonical" };

/** A write that the store has begun. */
interface Flight {
  readonly fragments: readonly Fragment[];
  readonly sinceMs: number;
  end(fates: readonly WriteFate[] | Error): void;
}

const plain = new BatchReader(defaultRules, 0);
const keyOf = (fragment: Fragment): string =>
  `${fragment.hostId}/${fragment.timestampMs}/${fragmentId(fragment)}`;

/** An intake behind a byte budget, and a store that ends its writes when it likes, late or not at all well. */
class Walk {
  readonly clock = new VirtualClock();
  readonly budget = new ByteBudget(600);
  readonly flights = new Set<Flight>();
  readonly #random: Random;
  readonly #intake: Intake;
  readonly #lingerMs: number;
  /** What the store has said that it has. */
  readonly #stored = new Set<string>();
  /** When each fragment that waits came, in order. */
  readonly #waitingSinceMs: number[] = [];
  /** Since when there has been room for another flush. */
  #roomSinceMs = 0;
  #fragments = 0;
  /** Flushes since the last check: a store may not throw, so they are looked at later. */
  #flushes: { readonly count: number; readonly bytes: number }[] = [];
  sent = 0;
  readonly told = { batches: 0, stored: 0, rejected: 0, refused: 0, repeated: 0, late: 0 };

  constructor(random: Random, lingerMs: number) {
    this.#random = random;
    this.#lingerMs = lingerMs;
    const store = { write: (fragments: readonly Fragment[]) => this.#write(fragments) };
    this.#intake = new Intake({ store, clock: this.clock }, { ...limits, lingerMs, dedupBytesMax: 64 * 40 });
  }

  async step(): Promise<void> {
    const { below } = this.#random;
    const action = below(10);
    if (action < 5) this.#submit();
    else if (action < 9) this.#endOne();
    else await this.clock.advance(below(60));
    await settle();
    this.#check();
  }

  async end(): Promise<void> {
    const drained = this.#intake.drain();
    while (this.flights.size > 0) {
      for (const flight of this.flights) flight.end(flight.fragments.map(() => stored));
      await settle();
    }
    await drained;
  }

  #submit(): void {
    const { below } = this.#random;
    const now = this.clock.now();
    const reports = Array.from({ length: below(5) }, () => {
      const hostId = below(12) === 0 ? "" : `h${below(3)}`;
      return encodeReport(hostId, now - below(3), [{ name: "a".repeat(1 + below(30)), value: 1 + below(3) }]);
    });
    const bytes = reports.reduce((sum, { length }) => sum + length, 1);
    if (!this.budget.tryAcquire(bytes)) return;
    this.sent += reports.length;
    const queued = this.#intake.queued;
    const flown = this.#fragments;
    const outcome = this.#intake.submit(reports);
    const { fragments, reportIndexes } = plain.read(reports, now);
    const waiting = this.#intake.queued - queued + this.#fragments - flown;
    for (let i = 0; i < waiting; i++) this.#waitingSinceMs.push(now);
    void outcome.then((told) => {
      this.budget.release(bytes);
      this.#take(reports.length, told);
      // What is acknowledged, the store has.
      const refused = new Set(told.refusals.map(({ reportIndex }) => reportIndex));
      for (const [i, fragment] of fragments.entries())
        if (!refused.has(reportIndexes[i]!)) expect(this.#stored.has(keyOf(fragment))).toBe(true);
    });
  }

  #take(reports: number, { reportsStored, rejections, refusals }: Outcome): void {
    expect(reportsStored + rejections.length + refusals.length).toBe(reports);
    this.told.batches++;
    this.told.stored += reportsStored;
    this.told.rejected += rejections.length;
    this.told.refused += refusals.length;
    this.told.repeated = this.#intake.counters.reportsRepeated;
    this.told.late += refusals.some(({ message }) => message.includes("within 100 ms")) ? 1 : 0;
  }

  #write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    this.#fragments += fragments.length;
    const bytes = fragments.reduce((sum, fragment) => sum + fragment.bytes.length, 0);
    this.#flushes.push({ count: fragments.length, bytes });
    return new Promise((resolve, reject) => {
      const flight: Flight = {
        fragments,
        sinceMs: this.clock.now(),
        end: (fates) => {
          this.flights.delete(flight);
          if (fates instanceof Error) return reject(fates);
          for (const [i, fate] of fates.entries())
            if (fate.status === "stored") this.#stored.add(keyOf(fragments[i]!));
          resolve(fates);
        },
      };
      this.flights.add(flight);
    });
  }

  #endOne(): void {
    const { below } = this.#random;
    const flight = [...this.flights][below(this.flights.size + 1)];
    if (flight === undefined) return;
    const kind = below(8);
    if (kind === 0) flight.end(new Error("EIO"));
    else if (kind === 1) flight.end([]);
    else flight.end(flight.fragments.map(() => [stored, stored, stored, retry, rejected][below(5)]!));
  }

  #check(): void {
    for (const { count, bytes } of this.#flushes.splice(0)) {
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThanOrEqual(limits.batchReportsMax);
      if (count > 1) expect(bytes).toBeLessThanOrEqual(limits.batchBytesMax);
    }
    const now = this.clock.now();
    this.#waitingSinceMs.splice(0, this.#waitingSinceMs.length - this.#intake.queued);
    expect(this.flights.size).toBeLessThanOrEqual(limits.flushesInFlightMax);
    const hasRoom = this.flights.size < limits.flushesInFlightMax;
    if (!hasRoom) this.#roomSinceMs = Number.POSITIVE_INFINITY;
    else if (this.#roomSinceMs > now) this.#roomSinceMs = now;
    const eldest = this.#waitingSinceMs[0];
    if (!hasRoom || eldest === undefined) return;
    // With room for another flush nothing waits, but as long as it was told to linger.
    expect(this.#lingerMs).toBeGreaterThan(0);
    expect(now - Math.max(eldest, this.#roomSinceMs)).toBeLessThan(this.#lingerMs);
    expect(this.#intake.queued).toBeLessThan(limits.batchReportsMax);
  }
}

describe.each([0, 20])("an intake that lingers %i ms, behind a byte budget, in virtual time", (lingerMs) => {
  it("lets nothing wait while there is room for a flush, keeps every limit, tells each batch its fate once, and leaks no byte", async () => {
    const walk = new Walk(new Random(seed), lingerMs);
    const steps = isFull ? 500_000 : 10_000;
    for (let step = 0; step < steps; step++) await walk.step();
    await walk.end();
    const { told } = walk;
    expect(told.stored + told.rejected + told.refused).toBe(walk.sent);
    expect({ used: walk.budget.used, waiting: walk.budget.waiting }).toEqual({ used: 0, waiting: 0 });
    for (const count of Object.values(told)) expect(count).toBeGreaterThan(steps / 500);
  });
});
