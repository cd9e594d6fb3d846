import {
  decodeSamples,
  type Fragment,
  fragmentFromSamples,
  type MetricStore,
  type WriteFate,
} from "@mon/store";
import { BatchReader, type ReadBatch } from "./batch.ts";
import { Batcher, type BatcherOptions, defaultBatcherOptions, type Passenger } from "./batcher.ts";
import type { Clock } from "./clock.ts";
import { createCounters, type IntakeCounters } from "./counters.ts";
import { Deduplicator, hashOf } from "./deduplicator.ts";
import { assertIntegers } from "./integer-bounds.ts";
import type { Outcome } from "./outcome.ts";
import { type IntakeRules, resolveRules } from "./rules.ts";
import { type Settler, Ticket } from "./ticket.ts";

/** How an intake is set up. */
export interface IntakeOptions extends Partial<BatcherOptions> {
  /** Rules for reports; see {@link IntakeRules} for the defaults. */
  readonly rules?: Partial<IntakeRules>;
  /** Memory for remembering fragments, in bytes. Default 32 MiB; 0 turns deduplication off. */
  readonly dedupBytesMax?: number;
  /** Memory for remembering layouts of reports, in bytes, roughly. Default 32 MiB; 0 reads each as if it were new. */
  readonly layoutBytesMax?: number;
}

/**
 * Where fragments go that are others' to store. Each lane gathers flushes of its own, so that one that is slow does not hold
 * up the rest; there are as many as names were given, and none is forgotten.
 */
export interface IntakeRoutes {
  /** The lane that a fragment takes; empty for the store. Must not throw. */
  laneOf(fragment: Fragment): string;
  /** Takes a flush of a lane that is not the store's. */
  write(lane: string, fragments: readonly Fragment[]): Promise<readonly WriteFate[]>;
}

/** What an intake works with. */
export interface IntakeDeps {
  readonly store: Pick<MetricStore, "write">;
  readonly clock: Clock;
  /** Called with fragments that the store has just taken; must not throw, and must not keep their bytes. */
  readonly stored?: (fragments: readonly Fragment[]) => void;
  /** Absent when all fragments go to the store. */
  readonly routes?: IntakeRoutes | undefined;
}

/**
 * Takes batches of encoded reports to a store: reads and cleans them, leaves out repeats, gathers what is left into
 * flushes, and tells each batch what became of it, once the store has it.
 */
export class Intake {
  readonly counters: IntakeCounters = createCounters();
  readonly #clock: Clock;
  readonly #batcher: Batcher;
  readonly #batcherOptions: BatcherOptions;
  readonly #routes: IntakeRoutes | undefined;
  readonly #lanes = new Map<string, Batcher>();
  readonly #deduplicator: Deduplicator;
  readonly #layoutBytesMax: number;
  #reader: BatchReader;

  /** @throws {RangeError} that names the option and the value it got */
  constructor({ store, clock, stored, routes }: IntakeDeps, options: IntakeOptions = {}) {
    const {
      rules = {},
      dedupBytesMax = 33_554_432,
      layoutBytesMax = 33_554_432,
      ...batcherOptions
    } = options;
    const bounds = [0, Number.MAX_SAFE_INTEGER] as const;
    assertIntegers({ dedupBytesMax, layoutBytesMax }, { dedupBytesMax: bounds, layoutBytesMax: bounds });
    this.#clock = clock;
    this.#routes = routes;
    this.#batcherOptions = { ...defaultBatcherOptions, ...batcherOptions };
    this.#layoutBytesMax = layoutBytesMax;
    this.#reader = new BatchReader(resolveRules(rules), layoutBytesMax);
    this.#deduplicator = new Deduplicator(dedupBytesMax);
    const write = async (fragments: readonly Fragment[]): Promise<readonly WriteFate[]> => {
      const fates = await store.write(fragments);
      // What is wrong with a store that answers for others than it was given, the batcher says.
      if (stored !== undefined && fates.length === fragments.length) stored(storedOf(fragments, fates));
      return fates;
    };
    this.#batcher = new Batcher(write, clock, this.#batcherOptions);
  }

  /** Fragments that wait for a flush. */
  get queued(): number {
    let queued = this.#batcher.queued;
    for (const lane of this.#lanes.values()) queued += lane.queued;
    return queued;
  }

  /**
   * Changes the rules, from the next batch on. Batches that were submitted have been read by the old ones, and end as
   * those have it. What was learned of layouts holds under the old rules only and is forgotten.
   *
   * @throws {RangeError} and changes nothing when a rule is out of range
   */
  configure(rules: Partial<IntakeRules>): void {
    this.#reader = new BatchReader(resolveRules(rules), this.#layoutBytesMax);
  }

  /**
   * Takes a batch of encoded `mon.v1.Report` messages. Never rejects: what goes wrong is in the outcome. The caller
   * bounds what is under way at a time, and leaves the bytes alone until the outcome is there.
   */
  submit(reports: readonly Uint8Array[]): Promise<Outcome> {
    const batch = this.#reader.read(reports, this.#clock.now());
    return new Promise<Outcome>((resolve) => {
      const ticket = new Ticket(batch, (outcome) => {
        this.#count(batch, outcome);
        resolve(outcome);
      });
      this.#embark(batch.fragments, ticket);
    });
  }

  /**
   * Takes fragments that another intake has read, and sends none of them on: they go to the store. Never rejects.
   *
   * @returns their fates, in their order
   */
  take(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    return new Promise((resolve) => {
      if (fragments.length === 0) resolve([]);
      const fates: WriteFate[] = [];
      let open = fragments.length;
      const settler: Settler = {
        settle(index, fate) {
          fates[index] = fate;
          if (--open === 0) resolve(fates);
        },
      };
      const boarding = this.#board(fragments, settler);
      if (boarding.length > 0) this.#batcher.add(boarding);
    });
  }

  /** Forgets which fragments were seen; see {@link Deduplicator.clear}. */
  forgetRepeats(): void {
    this.#deduplicator.clear();
  }

  /** Resolves when everything submitted has its outcome. */
  async drain(): Promise<void> {
    await Promise.all([this.#batcher, ...this.#lanes.values()].map((lane) => lane.drain()));
  }

  #embark(fragments: readonly Fragment[], ticket: Ticket): void {
    const boarding = this.#board(fragments, ticket);
    if (boarding.length === 0) return;
    const routes = this.#routes;
    if (routes === undefined) {
      this.#batcher.add(boarding);
      return;
    }
    const byLane = new Map<string, Boarded[]>();
    for (const boarded of boarding) {
      const lane = routes.laneOf(boarded.fragment);
      const others = byLane.get(lane);
      if (others === undefined) byLane.set(lane, [boarded]);
      else others.push(boarded);
    }
    for (const [lane, passengers] of byLane) this.#lane(lane, routes).add(passengers);
  }

  #lane(name: string, routes: IntakeRoutes): Batcher {
    if (name === "") return this.#batcher;
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      const write = (fragments: readonly Fragment[]) => routes.write(name, fragments);
      lane = new Batcher(write, this.#clock, this.#batcherOptions);
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  /** Those that have to be written; the others share the fate of their twins. */
  #board(fragments: readonly Fragment[], ticket: Settler): Boarded[] {
    const boarding: Boarded[] = [];
    for (let index = 0; index < fragments.length; index++) {
      const fragment = fragments[index]!;
      const hash = hashOf(fragment);
      const known = this.#deduplicator.find(fragment, hash);
      if (known < 0) boarding.push(new Boarded(fragment, hash, ticket, index, this.#deduplicator));
      else this.#repeat(known, ticket, index);
    }
    return boarding;
  }

  #repeat(known: number, ticket: Settler, index: number): void {
    this.counters.reportsRepeated++;
    const fate = this.#deduplicator.fateOf(known);
    if (fate !== undefined) ticket.settle(index, fate);
    else this.#deduplicator.wait(known, ticket, index);
  }

  #count(batch: ReadBatch, outcome: Outcome): void {
    const { counters } = this;
    counters.batches++;
    counters.reports += outcome.reportsStored;
    counters.samples += outcome.samplesStored;
    counters.reportsRefused += outcome.refusals.length;
    counters.timestampsConverted += batch.timestampsConverted;
    for (const { reason } of outcome.rejections) {
      counters.rejections.set(reason, (counters.rejections.get(reason) ?? 0) + 1);
    }
  }
}

/** What a store has of fragments that it was given. */
function storedOf(fragments: readonly Fragment[], fates: readonly WriteFate[]): readonly Fragment[] {
  const isWhole = (fate: WriteFate): boolean => fate.status === "stored" && fate.refusedSamples === undefined;
  if (fates.every(isWhole)) return fragments;
  return fragments.flatMap((fragment, i) => {
    const fate = fates[i]!;
    if (isWhole(fate)) return [fragment];
    return fate.status === "stored" ? [without(fragment, new Set(fate.refusedSamples))] : [];
  });
}

/** A fragment without some of its samples, given by their places. */
function without({ hostId, timestampMs, bytes }: Fragment, refused: ReadonlySet<number>): Fragment {
  const kept = decodeSamples(bytes).filter((_, place) => !refused.has(place));
  return fragmentFromSamples(hostId, timestampMs, kept);
}

/** A fragment on its way to the store, and who is to learn its fate: its batch, and the repeats that wait for it. */
class Boarded implements Passenger {
  readonly fragment: Fragment;
  readonly #ticket: Settler;
  readonly #index: number;
  readonly #deduplicator: Deduplicator;
  readonly #handle: number;

  constructor(fragment: Fragment, hash: number, ticket: Settler, index: number, deduplicator: Deduplicator) {
    this.fragment = fragment;
    this.#ticket = ticket;
    this.#index = index;
    this.#deduplicator = deduplicator;
    this.#handle = deduplicator.add(fragment, hash);
  }

  landed(fate: WriteFate): void {
    this.#deduplicator.land(this.#handle, fate);
    this.#ticket.settle(this.#index, fate);
  }
}
