import { type Kind, type Series, seriesKey } from "../sample.ts";
import type { SeriesTable } from "./series-table.ts";
import { type InTurns, keySteps, type Pace, sorted } from "./turns.ts";

/** Lists of so many are put in order at once. */
const fewNumbers = 1_024;

/**
 * The series of one host: numbers of a table that all hosts share. Hosts with the same series share the list as well,
 * once it has been put in order.
 */
export class SeriesSet implements Iterable<Series> {
  readonly #table: SeriesTable;
  /** The host's number. */
  #host: number;
  /** Those beyond the size are room to grow. Without room once in order, and never written to: others may share it. */
  #numbers: Int32Array = new Int32Array(0);
  #size = 0;
  #isOrdered = true;
  /** Series whose kind is not the table's, by number; hardly ever any. */
  #otherKinds: Map<number, Series> | undefined;

  constructor(table: SeriesTable, host: number) {
    this.#table = table;
    this.#host = host;
  }

  get size(): number {
    return this.#size;
  }

  /** The host's number. */
  get host(): number {
    return this.#host;
  }

  /** Whether the host has a series of this name and labels. O(labels + log hosts). */
  has(series: Pick<Series, "name" | "labels">): boolean {
    return this.hasNumber(this.#table.find(series));
  }

  hasNumber(number: number): boolean {
    return number >= 0 && this.#table.hasHost(number, this.#host);
  }

  /** A series of the host, of the kind that it has there. */
  at(number: number): Series {
    return this.#otherKinds?.get(number) ?? this.#table.at(number);
  }

  /** Adds a series, or lowers its kind (R4). @returns its number, and whether anything changed */
  add(series: Series): { number: number; isNew: boolean; hasChanged: boolean } {
    const number = this.#table.intern(series);
    const isNew = !this.#table.hasHost(number, this.#host);
    if (isNew) {
      this.#table.addHost(number, this.#host);
      this.#push(number);
    } else if (this.at(number).kind <= series.kind) return { number, isNew, hasChanged: false };
    this.#setKind(number, series.kind);
    return { number, isNew, hasChanged: true };
  }

  #setKind(number: number, kind: Kind): void {
    this.#forgetKind(number);
    const shared = this.#table.at(number);
    if (shared.kind === kind) return;
    this.#otherKinds ??= new Map();
    this.#otherKinds.set(number, { ...shared, kind });
    this.#table.countKind(number, kind, 1);
  }

  #forgetKind(number: number): void {
    const other = this.#otherKinds?.get(number);
    if (other === undefined) return;
    this.#otherKinds!.delete(number);
    this.#table.countKind(number, other.kind, -1);
  }

  #push(number: number): void {
    if (this.#size === this.#numbers.length) {
      const numbers = new Int32Array(this.#size + (this.#size >> 2) + 16);
      numbers.set(this.#numbers.subarray(0, this.#size));
      this.#numbers = numbers;
    }
    this.#numbers[this.#size++] = number;
    this.#isOrdered = false;
  }

  /** Numbers in order of {@link seriesKey}; not to be written to. O(n log n) after a series was added, else O(1). */
  numbers(): Int32Array {
    if (!this.#isOrdered) {
      const ascending = this.#numbers.slice(0, this.#size).sort();
      this.#numbers = this.#table.orders.made(ascending, (numbers) => this.#inOrderOfKeys(numbers));
      this.#isOrdered = true;
    }
    return this.#numbers;
  }

  /**
   * As {@link SeriesSet.numbers}, in turns, for one host whose list is long. What is added meanwhile is left out; what is
   * removed may be in it. Undefined when numbers are given anew meanwhile.
   */
  *numbersInTurns(pace: Pace): InTurns<Int32Array | undefined> {
    if (this.#isOrdered || this.#size <= fewNumbers) {
      if (pace.isOver(this.#isOrdered ? 1 : this.#size * keySteps)) yield;
      return this.numbers();
    }
    const table = this.#table;
    const { generation } = table;
    const size = this.#size;
    const numbers = this.#numbers.slice(0, size).sort();
    const known = table.orders.find(numbers);
    if (known !== undefined) return this.numbers();
    const keyed: { number: number; key: string }[] = [];
    for (const number of numbers) {
      // It may be removed meanwhile.
      if (table.has(number)) keyed.push({ number, key: seriesKey(table.at(number)) });
      if (!pace.isOver(keySteps)) continue;
      yield;
      if (table.generation !== generation) return undefined;
    }
    const ordered = yield* sorted(keyed, (a, b) => a.key < b.key, pace);
    if (table.generation !== generation) return undefined;
    const list = Int32Array.from(ordered, ({ number }) => number);
    if (this.#isOrdered || this.#size !== size || list.length !== size) return list;
    this.#numbers = table.orders.made(numbers, () => list);
    this.#isOrdered = true;
    return this.#numbers;
  }

  #inOrderOfKeys(numbers: Int32Array): Int32Array {
    const keyed = Array.from(numbers, (number) => ({ number, key: seriesKey(this.#table.at(number)) }));
    return Int32Array.from(
      keyed.sort((a, b) => (a.key < b.key ? -1 : 1)),
      ({ number }) => number,
    );
  }

  /** In order of {@link seriesKey}. */
  *[Symbol.iterator](): Generator<Series> {
    for (const number of this.numbers()) yield this.at(number);
  }

  /** Drops series. Whoever calls takes the host from the table. @returns those dropped */
  drop(isStale: (number: number) => boolean): number[] {
    const numbers = this.numbers();
    const stale = [...numbers.filter(isStale)];
    if (stale.length === 0) return stale;
    this.#numbers = numbers.filter((number) => !isStale(number));
    this.#size = this.#numbers.length;
    for (const number of stale) this.#forgetKind(number);
    return stale;
  }

  /** Takes over new numbers of series, by old number, which keep their order. @param renew - gives a list renumbered */
  renumber(renumbered: Int32Array, renew: (numbers: Int32Array) => Int32Array): void {
    this.#numbers = renew(this.numbers());
    if (this.#otherKinds !== undefined)
      this.#otherKinds = new Map([...this.#otherKinds].map(([old, series]) => [renumbered[old]!, series]));
  }

  renumberHost(renumbered: Int32Array): void {
    this.#host = renumbered[this.#host]!;
  }
}
