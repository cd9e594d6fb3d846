import { type Desk, decodeSamples, Layout } from "@mon/store";
import { doubleAt, isFiniteAt, isStaleMarkerAt, isZeroAt } from "./double.ts";
import { type IntakeRules, isInRange, type RangeRule, type RangeRules } from "./rules.ts";

/** A run of samples that has passed every rule, and the canonical bytes that were made of it (R2). */
export interface LearnedRun {
  /** As it came: everything of a report after its host and time. */
  readonly sent: Uint8Array;
  readonly canonical: Uint8Array;
  /** By value in the canonical bytes: where it stands in what was sent. Absent when both are the same bytes. */
  readonly sentOffsets?: readonly number[];
  /** By sample in the canonical bytes: its place in the report. Absent when both are in the same order. */
  readonly places?: readonly number[] | undefined;
  readonly samples: number;
}

/**
 * What is known of runs of samples that differ in values only. One of them has passed every check on names, labels,
 * kinds, order and encoding, and so would the others: their values alone are left to be looked at.
 */
export class KnownRun {
  /** Of what is sent. */
  readonly sent: Layout;
  /** Of the canonical bytes. */
  readonly layout: Layout;
  readonly samples: number;
  readonly places: readonly number[] | undefined;
  /** Bytes that it takes in memory, roughly. */
  readonly memoryBytes: number;
  /** Where values stand in what is sent, in the order of `layout.valueOffsets`. */
  readonly #sentOffsets: readonly number[];
  readonly #rules: IntakeRules;
  /** By value: the rule for its range; absent when no value has one. */
  readonly #ranges: readonly (RangeRule | undefined)[] | undefined;

  /** @param layout - of the canonical bytes, when it is known already */
  constructor(run: LearnedRun, layout: Layout | undefined, rules: IntakeRules, ranges: RangeRules) {
    this.layout = layout ?? new Layout(run.canonical);
    this.samples = run.samples;
    this.places = run.places;
    this.memoryBytes = memoryOf(run);
    this.#sentOffsets = run.sentOffsets ?? this.layout.valueOffsets;
    this.sent =
      run.sentOffsets === undefined
        ? this.layout
        : new Layout(
            run.sent,
            this.#sentOffsets.toSorted((a, b) => a - b),
          );
    this.#rules = rules;
    if (!ranges.isEmpty) this.#ranges = rangesOfValues(run.canonical, ranges);
  }

  /** Whether the values of a run that {@link KnownRun.sent} covers pass every rule, and are stored as they are. */
  accepts(run: Uint8Array): boolean {
    const offsets = this.#sentOffsets;
    for (let i = 0; i < offsets.length; i++) {
      const at = offsets[i]!;
      if (isZeroAt(run, at) || (!isFiniteAt(run, at) && !this.#keepsNonFinite(run, at))) return false;
    }
    return this.#ranges === undefined || this.#areInRange(this.#ranges, run);
  }

  /** Whether runs are canonical as they come. */
  get isCanonical(): boolean {
    return this.sent === this.layout;
  }

  /** Writes the canonical bytes of a run whose values are accepted. @param target - as long as the layout */
  writeCanonical(run: Uint8Array, target: Uint8Array): void {
    this.layout.writeBlank(target);
    const sources = this.#sentOffsets;
    const targets = this.layout.valueOffsets;
    for (let i = 0; i < targets.length; i++) {
      const from = sources[i]!;
      const to = targets[i]!;
      for (let k = 0; k < 8; k++) target[to + k] = run[from + k]!;
    }
  }

  #keepsNonFinite(run: Uint8Array, at: number): boolean {
    if (Number.isNaN(doubleAt(run, at))) return this.#rules.nan === "keep" || isStaleMarkerAt(run, at);
    return this.#rules.infinite === "keep";
  }

  #areInRange(ranges: readonly (RangeRule | undefined)[], run: Uint8Array): boolean {
    for (let i = 0; i < ranges.length; i++) {
      const rule = ranges[i];
      if (rule === undefined) continue;
      const value = doubleAt(run, this.#sentOffsets[i]!);
      // A NaN that is kept is in no range and in none outside of it.
      if (!Number.isNaN(value) && !isInRange(rule, value)) return false;
    }
    return true;
  }
}

/** Bytes that a run takes in memory once it is known, roughly: templates, masks, offsets. */
function memoryOf({ sent, canonical, sentOffsets }: LearnedRun): number {
  const own = 1_000 + 3 * canonical.length;
  return sentOffsets === undefined ? own : own + 3 * sent.length;
}

/** By value that is not left out: the rule for its range; undefined when none has one. */
function rangesOfValues(
  canonical: Uint8Array,
  ranges: RangeRules,
): readonly (RangeRule | undefined)[] | undefined {
  const rules = decodeSamples(canonical)
    .filter(({ value }) => !Object.is(value, 0))
    .map(({ name }) => ranges.find(name));
  return rules.some((rule) => rule !== undefined) ? rules : undefined;
}

/** Runs of one length that are tried. */
const perLengthMax = 8;
/** Lengths that are remembered; beyond it all are forgotten, and runs found by their host alone. */
const lengthsMax = 4_096;

/**
 * The runs that are known, under one set of rules. Bounded in bytes. When there is no room, about one new run in eight
 * takes the place of one that has not come again since the hand of a clock last passed it; so runs that come often are
 * learned soon and stay, and those that never come again cost little.
 */
export class KnownRuns {
  readonly #bytesMax: number;
  readonly #rules: IntakeRules;
  readonly #ranges: RangeRules;
  #bytes = 0;
  readonly #slots: (KnownRun | undefined)[] = [];
  readonly #free: number[] = [];
  /** By slot: whether its run came again since the hand passed. */
  readonly #used: boolean[] = [];
  #hand = 0;
  /** Says which runs are learned though there is no room: by lot, so that no rhythm of reports shuts one out. */
  #lot = 1;
  /** Slots by the length of what is sent, the newest in place of the eldest. What is there may be another by now. */
  readonly #byLength = new Map<number, { readonly slots: number[]; next: number }>();

  /** @param bytesMax - memory that they may take, in bytes, roughly; 0 remembers none */
  constructor(bytesMax: number, rules: IntakeRules, ranges: RangeRules) {
    this.#bytesMax = bytesMax;
    this.#rules = rules;
    this.#ranges = ranges;
  }

  /** The slot of the run that covers what lies on a desk, or −1. @param guess - a slot to look at first */
  find(desk: Desk, guess: number): number {
    if (this.#covers(guess, desk)) return guess;
    const candidates = this.#byLength.get(desk.length);
    if (candidates === undefined) return -1;
    for (const slot of candidates.slots) if (this.#covers(slot, desk)) return slot;
    return -1;
  }

  /** The run in a slot that {@link KnownRuns.find} or {@link KnownRuns.learn} has just given. */
  at(slot: number): KnownRun {
    return this.#slots[slot]!;
  }

  /**
   * Remembers a run, unless a value of it passes only because it was changed.
   *
   * @param desk - free to be used
   * @returns its slot, or −1 when it is not remembered
   */
  learn(learned: LearnedRun, desk: Desk): number {
    const size = memoryOf(learned);
    // What takes a large part of the room would drive out too many.
    if (size > this.#bytesMax / 16) return -1;
    if (this.#bytes + size > this.#bytesMax && !this.#drawsLot()) return -1;
    const run = new KnownRun(learned, this.#layoutOf(learned, desk), this.#rules, this.#ranges);
    if (!run.accepts(learned.sent)) return -1;
    while (this.#bytes + size > this.#bytesMax) this.#evict();
    return this.#put(run);
  }

  #covers(slot: number, desk: Desk): boolean {
    if (this.#slots[slot]?.sent.covers(desk) !== true) return false;
    this.#used[slot] = true;
    return true;
  }

  #drawsLot(): boolean {
    // Numerical Recipes' generator; its upper bits are good enough.
    this.#lot = (Math.imul(this.#lot, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#lot < 2 ** 29;
  }

  /** The layout of canonical bytes that were made of others, when they are known. */
  #layoutOf({ canonical, sentOffsets }: LearnedRun, desk: Desk): Layout | undefined {
    if (sentOffsets === undefined) return undefined;
    desk.put(canonical);
    const run = this.#slots[this.find(desk, -1)];
    return run?.isCanonical ? run.layout : undefined;
  }

  #put(run: KnownRun): number {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = run;
    this.#used[slot] = false;
    this.#bytes += run.memoryBytes;
    const { length } = run.sent;
    const known = this.#byLength.get(length);
    if (known === undefined) {
      if (this.#byLength.size === lengthsMax) this.#byLength.clear();
      this.#byLength.set(length, { slots: [slot], next: 1 });
    } else {
      known.slots[known.next % perLengthMax] = slot;
      known.next++;
    }
    return slot;
  }

  /** Drops the first run under the hand that was not used since the hand was there before. */
  #evict(): void {
    for (;;) {
      const slot = this.#hand;
      this.#hand = (slot + 1) % this.#slots.length;
      const run = this.#slots[slot];
      if (run === undefined) continue;
      if (this.#used[slot]) {
        this.#used[slot] = false;
        continue;
      }
      this.#slots[slot] = undefined;
      this.#free.push(slot);
      this.#bytes -= run.memoryBytes;
      return;
    }
  }
}
