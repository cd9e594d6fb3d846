import type { Fragment, WriteFate } from "@mon/store";
import type { Clock, Timer } from "./clock.ts";
import { assertIntegers } from "./integer-bounds.ts";

/** How fragments are gathered into flushes. */
export interface BatcherOptions {
  /** Fragments a flush, at least 1. Default 500. */
  readonly batchReportsMax: number;
  /** Bytes a flush, at least 1; a single larger fragment flies alone. Default 1 MiB. */
  readonly batchBytesMax: number;
  /** Flushes under way at a time, at least 1; one that timed out counts until the store lets go of it. Default 2. */
  readonly flushesInFlightMax: number;
  /** How long a fragment may wait for company while the store is idle, in milliseconds. Default 0: not at all. */
  readonly lingerMs: number;
  /** How long a flush may take before its fragments are refused, in milliseconds, at least 1. Default 5,000. */
  readonly flushTimeoutMs: number;
}

/** The options unless told otherwise. */
export const defaultBatcherOptions: BatcherOptions = Object.freeze({
  batchReportsMax: 500,
  batchBytesMax: 1_048_576,
  flushesInFlightMax: 2,
  lingerMs: 0,
  flushTimeoutMs: 5_000,
});

/** A fragment that waits, and who is to learn its fate. */
export interface Passenger {
  readonly fragment: Fragment;
  /** Called once. */
  landed(fate: WriteFate): void;
}

/** Where flushes go. */
export type Write = (fragments: readonly Fragment[]) => Promise<readonly WriteFate[]>;

/**
 * Gathers fragments into flushes, naturally: with the store idle they leave at once, and what comes while flushes are
 * under way makes the next. Its queue is bounded by whoever admits what is added (see {@link ByteBudget}).
 */
export class Batcher {
  readonly #write: Write;
  readonly #clock: Clock;
  readonly #options: BatcherOptions;
  #queue: Passenger[] = [];
  /** Where the queue begins; what is before has left. */
  #head = 0;
  #queuedBytes = 0;
  #inFlight = 0;
  #linger: Timer | undefined;
  #lingered = false;
  #drained: (() => void)[] = [];

  /** @throws {RangeError} that names the option and the value it got */
  constructor(write: Write, clock: Clock, options: BatcherOptions) {
    // Timers are good for 2^31 − 1 ms.
    assertIntegers(options, {
      batchReportsMax: [1, 1_000_000],
      batchBytesMax: [1, 2 ** 30],
      flushesInFlightMax: [1, 1_000],
      lingerMs: [0, 2 ** 31 - 1],
      flushTimeoutMs: [1, 2 ** 31 - 1],
    });
    this.#write = write;
    this.#clock = clock;
    this.#options = options;
  }

  /** Fragments that wait for a flush. */
  get queued(): number {
    return this.#queue.length - this.#head;
  }

  get flushesInFlight(): number {
    return this.#inFlight;
  }

  /** Adds fragments; they leave together when they fit into one flush. */
  add(passengers: readonly Passenger[]): void {
    for (const passenger of passengers) {
      this.#queue.push(passenger);
      this.#queuedBytes += passenger.fragment.bytes.length;
    }
    this.#pump();
  }

  /** Resolves when nothing waits and nothing is under way; what waits leaves without lingering. */
  async drain(): Promise<void> {
    this.#lingered = true;
    this.#pump();
    if (this.queued === 0 && this.#inFlight === 0) return;
    await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  #pump(): void {
    while (this.queued > 0 && this.#inFlight < this.#options.flushesInFlightMax && this.#mayLeave()) {
      void this.#flush(this.#nextFlight());
    }
    if (this.queued > 0 || this.#inFlight > 0) return;
    this.#lingered = false;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** Whether the flush at the head is full, has waited, or need not wait. */
  #mayLeave(): boolean {
    const { lingerMs, batchReportsMax, batchBytesMax } = this.#options;
    const isFull = this.queued >= batchReportsMax || this.#queuedBytes >= batchBytesMax;
    if (lingerMs === 0 || isFull || this.#lingered) return true;
    this.#linger ??= this.#clock.setTimeout(() => {
      this.#linger = undefined;
      this.#lingered = true;
      this.#pump();
    }, lingerMs);
    return false;
  }

  #nextFlight(): Passenger[] {
    const { batchReportsMax, batchBytesMax } = this.#options;
    let end = this.#head;
    let bytes = 0;
    while (end < this.#queue.length && end - this.#head < batchReportsMax) {
      const size = this.#queue[end]!.fragment.bytes.length;
      if (end > this.#head && bytes + size > batchBytesMax) break;
      bytes += size;
      end++;
    }
    const flight = this.#queue.slice(this.#head, end);
    this.#head = end;
    this.#queuedBytes -= bytes;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
      this.#lingered = this.#drained.length > 0;
    } else if (this.#head > 10_000) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return flight;
  }

  async #flush(flight: readonly Passenger[]): Promise<void> {
    this.#inFlight++;
    const written = this.#written(flight);
    const fates = await this.#inTime(flight, written);
    for (let i = 0; i < flight.length; i++) flight[i]!.landed(fates[i]!);
    // A write that the store still holds keeps its place: one that hangs must not gather others behind it.
    await written;
    this.#inFlight--;
    this.#pump();
  }

  /** The fates, or after `flushTimeoutMs` that nothing is known of them. */
  async #inTime(
    flight: readonly Passenger[],
    written: Promise<readonly WriteFate[]>,
  ): Promise<readonly WriteFate[]> {
    const { flushTimeoutMs } = this.#options;
    let timer: Timer | undefined;
    const late = new Promise<readonly WriteFate[]>((resolve) => {
      timer = this.#clock.setTimeout(
        () =>
          resolve(retries(flight, `expected the store to answer within ${flushTimeoutMs} ms, got no answer`)),
        flushTimeoutMs,
      );
    });
    const fates = await Promise.race([written, late]);
    timer?.cancel();
    return fates;
  }

  /** Never rejects: what goes wrong with a flush is the fate of its fragments. */
  async #written(flight: readonly Passenger[]): Promise<readonly WriteFate[]> {
    try {
      const fates = await this.#write(flight.map((passenger) => passenger.fragment));
      if (fates.length === flight.length) return fates;
      return retries(flight, `expected the store to tell ${flight.length} fates, got ${fates.length}`);
    } catch (error) {
      return retries(flight, error instanceof Error ? error.message : String(error));
    }
  }
}

function retries(flight: readonly Passenger[], reason: string): readonly WriteFate[] {
  const fate: WriteFate = { status: "retry", reason, retryDelayMs: 1_000 };
  return flight.map(() => fate);
}
