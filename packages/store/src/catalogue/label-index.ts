import { type Condition, textOf } from "../matcher.ts";
import type { Label, Series } from "../sample.ts";
import { BitSet } from "./bit-set.ts";
import { itemsOf, keptPostings, type Postings, postingsOf, withPosting } from "./postings.ts";
import { expressionSteps, type InTurns, lookSteps, type Pace } from "./turns.ts";

/** A value that a label has in some series, and those series. */
export class LabelValue {
  /** The one object that stands for the label with this value. */
  readonly label: Label;
  /** Tells values apart: a number for each. */
  readonly symbol: number;
  /** Numbers of series; undefined until the first is added. */
  series: Postings | undefined;

  constructor(label: Label, symbol: number) {
    this.label = label;
    this.symbol = symbol;
  }

  /** @param number - of a series that is not among them yet */
  add(number: number): void {
    this.series = withPosting(this.series, number);
  }
}

type Values = Map<string, LabelValue>;

/** Series as the index asks for them: all that were interned, by number. */
export interface SeriesSource {
  /** Above all numbers of series. */
  readonly bound: number;
  /** The numbers of all series, ascending. */
  all(): Int32Array;
  /** Whether it has not been removed. */
  has(number: number): boolean;
  at(number: number): Series;
}

/**
 * For each name, label and value the series that have it, by number: an inverted index. Conditions are answered by
 * joining lists; an expression runs once for each value of its label at most, never for each series.
 */
export class LabelIndex {
  readonly #names: Values = new Map();
  readonly #labels: Map<string, Values> = new Map();
  #symbols = 0;

  /** A series' name as the value of `__name__`, made when there is none. */
  ensureName(name: string): LabelValue {
    return this.#ensure(this.#names, "__name__", name);
  }

  ensureLabel({ name, value }: Label): LabelValue {
    let values = this.#labels.get(name);
    if (values === undefined) {
      values = new Map();
      this.#labels.set(name, values);
    }
    return this.#ensure(values, name, value);
  }

  #ensure(values: Values, name: string, value: string): LabelValue {
    let known = values.get(value);
    if (known === undefined) {
      known = new LabelValue({ name, value }, this.#symbols++);
      values.set(value, known);
    }
    return known;
  }

  /** A series' name, or undefined when no series has it. */
  name(name: string): LabelValue | undefined {
    return this.#names.get(name);
  }

  label({ name, value }: Label): LabelValue | undefined {
    return this.#labels.get(name)?.get(value);
  }

  /** Takes out series, each list that has some of them in one pass. */
  removeAll(numbers: Int32Array, source: SeriesSource): void {
    const touched = new Map<LabelValue, Values>();
    for (const number of numbers) {
      const { name, labels } = source.at(number);
      touched.set(this.#names.get(name)!, this.#names);
      for (const label of labels) {
        const values = this.#labels.get(label.name)!;
        touched.set(values.get(label.value)!, values);
      }
    }
    const removed = new BitSet(source.bound);
    removed.addAll(numbers);
    for (const [value, values] of touched) {
      value.series = keptPostings(value.series!, (number) => !removed.has(number));
      if (value.series !== undefined) continue;
      values.delete(value.label.value);
      if (values.size === 0 && values !== this.#names) this.#labels.delete(value.label.name);
    }
  }

  /** Gives series new numbers. @param renumbered - by old number; keeps their order */
  renumber(renumbered: Int32Array): void {
    for (const values of [this.#names, ...this.#labels.values()]) {
      for (const value of values.values())
        value.series = postingsOf(itemsOf(value.series!).map((old) => renumbered[old]!));
    }
  }

  /**
   * Numbers of the series that meet all conditions, ascending; undefined without conditions: all series do. Numbers must
   * not be given anew meanwhile; of what else changes the answer has some.
   */
  *select(
    conditions: readonly Condition[],
    source: SeriesSource,
    pace: Pace,
  ): InTurns<Int32Array | undefined> {
    let numbers: Int32Array | undefined;
    for (const condition of conditions.toSorted((a, b) => costOf(a) - costOf(b))) {
      numbers = yield* numbers === undefined
        ? this.#listed(condition, source, pace)
        : this.#narrowed(numbers, condition, source, pace);
      if (numbers.length === 0) break;
    }
    return numbers;
  }

  *#listed(condition: Condition, source: SeriesSource, pace: Pace): InTurns<Int32Array> {
    const matchesAbsent = condition.test("");
    const values = yield* this.#valuesWhere(condition, !matchesAbsent, pace);
    if (matchesAbsent) {
      const all = source.all();
      if (pace.isOver(all.length)) yield;
      return values.length === 0 ? all : yield* split(all, yield* unionOf(values, source, pace), false, pace);
    }
    // No series has two values of one label: the union is as long as the lists.
    if (values.length === 1)
      return values[0]!.series === undefined ? none : itemsOf(values[0]!.series).slice();
    const union = yield* unionOf(values, source, pace);
    const items = union.items();
    if (pace.isOver(items.length + source.bound / 32)) yield;
    return items;
  }

  *#narrowed(
    numbers: Int32Array,
    condition: Condition,
    source: SeriesSource,
    pace: Pace,
  ): InTurns<Int32Array> {
    const distinct = this.#valuesOf(condition.label)?.size ?? 0;
    if (numbers.length <= (condition.runs ? distinct : fewSeries)) {
      const test = condition.runs ? remembering(condition.test) : condition.test;
      const kept: number[] = [];
      for (const number of numbers) {
        // It may be removed meanwhile.
        if (source.has(number) && test(textOf(source.at(number), condition.label))) kept.push(number);
        if (pace.isOver(condition.runs ? expressionSteps : lookSteps)) yield;
      }
      return Int32Array.from(kept);
    }
    const matchesAbsent = condition.test("");
    const values = yield* this.#valuesWhere(condition, !matchesAbsent, pace);
    return yield* split(numbers, yield* unionOf(values, source, pace), !matchesAbsent, pace);
  }

  /** The values of a condition's label that match it, or those that do not. */
  *#valuesWhere(
    { label, literals, isNegated, test, runs }: Condition,
    matching: boolean,
    pace: Pace,
  ): InTurns<LabelValue[]> {
    const values = this.#valuesOf(label);
    if (values === undefined) return [];
    if (literals !== undefined && matching !== isNegated)
      return [...literals].flatMap((value) => values.get(value) ?? []);
    const found: LabelValue[] = [];
    for (const value of values.values()) {
      if (test(value.label.value) === matching) found.push(value);
      if (pace.isOver(runs ? expressionSteps : lookSteps)) yield;
    }
    return found;
  }

  #valuesOf(label: string): Values | undefined {
    return label === "__name__" ? this.#names : this.#labels.get(label);
  }
}

/** Up to so many series are looked at one by one rather than joined with the lists of a condition's values. */
const fewSeries = 4_096;

/** What finds few series for little work comes first. */
function costOf(condition: Condition): number {
  const lists = condition.literals !== undefined && !condition.isNegated ? 0 : 1;
  return 4 * Number(condition.test("")) + 2 * Number(condition.runs) + lists;
}

function* unionOf(values: readonly LabelValue[], { bound }: SeriesSource, pace: Pace): InTurns<BitSet> {
  const union = new BitSet(bound);
  for (const { series } of values) {
    // The last series that had it may have gone meanwhile.
    if (series === undefined) continue;
    const items = itemsOf(series);
    union.addAll(items);
    if (pace.isOver(lookSteps + items.length)) yield;
  }
  return union;
}

/** The numbers that are in a set, or those that are not. */
function* split(numbers: Int32Array, set: BitSet, isWithin: boolean, pace: Pace): InTurns<Int32Array> {
  const kept = new Int32Array(numbers.length);
  let count = 0;
  for (let begin = 0; begin < numbers.length; begin += splitLength) {
    const end = Math.min(begin + splitLength, numbers.length);
    for (let i = begin; i < end; i++) if (set.has(numbers[i]!) === isWithin) kept[count++] = numbers[i]!;
    if (pace.isOver(end - begin)) yield;
  }
  return kept.subarray(0, count);
}

/** Numbers that are looked at between two looks at the pace. */
const splitLength = 8_192;

const none = new Int32Array(0);

/** Runs a test once for each text. */
function remembering(test: (text: string) => boolean): (text: string) => boolean {
  const verdicts = new Map<string, boolean>();
  return (text) => {
    let verdict = verdicts.get(text);
    if (verdict === undefined) {
      verdict = test(text);
      verdicts.set(text, verdict);
    }
    return verdict;
  };
}
