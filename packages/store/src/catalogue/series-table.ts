import type { Condition } from "../matcher.ts";
import type { Kind, Label, Series } from "../sample.ts";
import { LabelIndex, type LabelValue } from "./label-index.ts";
import {
  countOf,
  hasPosting,
  itemsOf,
  keptPostings,
  type Postings,
  postingsOf,
  withPosting,
} from "./postings.ts";
import { SharedLists } from "./shared-lists.ts";
import type { InTurns, Pace } from "./turns.ts";

/**
 * The series of all hosts, each described once, however many hosts have it: name and labels to a number. Of each the
 * hosts that have it are known, by number as well. Numbers rise and are given anew only by {@link SeriesTable.renumber}.
 *
 * The kind does not count: a series is described with the kind that it came with first.
 */
export class SeriesTable {
  readonly index: LabelIndex = new LabelIndex();
  /** Lists of series in order of their keys, by the same lists in order of number. */
  readonly orders: SharedLists = new SharedLists();
  /** Lists of series in the order of fragments. */
  readonly lists: SharedLists = new SharedLists();
  /** By number; undefined where a series was removed. */
  #series: (Series | undefined)[] = [];
  #hosts: (Postings | undefined)[] = [];
  #hashes = new Int32Array(16);
  /** An open-addressed hash table of numbers, one added; 0 for none. Never more than half full. */
  #slots = new Int32Array(32);
  #size = 0;
  /** By series the kinds that it has on other hosts than those of its description, and on how many. */
  #otherKinds: Map<number, Map<Kind, number>> = new Map();
  #generation = 0;

  /** How many series there are. */
  get size(): number {
    return this.#size;
  }

  /** Above all numbers. */
  get bound(): number {
    return this.#series.length;
  }

  /** Rises when numbers are given anew. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether a number is that of a series, and not of one that was removed. */
  has(number: number): boolean {
    return this.#series[number] !== undefined;
  }

  /** A series' description; all hosts share the object. */
  at(number: number): Series {
    return this.#series[number]!;
  }

  /** All numbers, ascending. */
  all(): Int32Array {
    const numbers = new Int32Array(this.#size);
    let place = 0;
    for (let number = 0; number < this.#series.length; number++)
      if (this.#series[number] !== undefined) numbers[place++] = number;
    return numbers;
  }

  /** Numbers of the series that meet all conditions, ascending; undefined without conditions: all series do. */
  *select(conditions: readonly Condition[], pace: Pace): InTurns<Int32Array | undefined> {
    for (;;) {
      const generation = this.#generation;
      const numbers = yield* this.index.select(conditions, this, pace);
      // Numbers were given anew meanwhile, as a trim may do; there are minutes between two.
      if (this.#generation === generation) return numbers;
    }
  }

  /** The number of a series, or −1 when no host has it. O(labels). */
  find({ name, labels }: Pick<Series, "name" | "labels">): number {
    const nameValue = this.index.name(name);
    if (nameValue === undefined) return -1;
    let hash = hashed(0, nameValue);
    for (let i = 0; i < labels.length; i++) {
      const value = this.index.label(labels[i]!);
      if (value === undefined) return -1;
      hash = hashed(hash, value);
    }
    return this.#find(hash, name, labels);
  }

  #find(hash: number, name: string, labels: readonly Label[]): number {
    for (let slot = this.#home(hash); this.#slots[slot] !== 0; slot = this.#next(slot)) {
      const number = this.#slots[slot]! - 1;
      if (this.#hashes[number] === hash && isSame(this.#series[number]!, name, labels)) return number;
    }
    return -1;
  }

  /** The number of a series, given now when it has none; whoever asks adds a host to it then. */
  intern({ name, labels, kind }: Series): number {
    // A value that is made here has no series yet: neither has one with it, and it gets one below.
    const nameValue = this.index.ensureName(name);
    const values = labels.map((label) => this.index.ensureLabel(label));
    const hash = values.reduce(hashed, hashed(0, nameValue));
    const known = this.#find(hash, name, labels);
    if (known >= 0) return known;
    const number = this.#series.length;
    const shared = values.map((value) => value.label);
    this.#series.push({ name: nameValue.label.value, labels: shared, kind });
    this.#hosts.push(undefined);
    this.#size++;
    this.#hash(number, hash);
    nameValue.add(number);
    for (const value of values) value.add(number);
    return number;
  }

  /** How many hosts have a series. */
  hostCount(number: number): number {
    return countOf(this.#hosts[number]!);
  }

  /** The hosts that have a series, ascending; good until they change. */
  hostsOf(number: number): Int32Array {
    return itemsOf(this.#hosts[number]!);
  }

  hasHost(number: number, host: number): boolean {
    const hosts = this.#hosts[number];
    return hosts !== undefined && hasPosting(hosts, host);
  }

  /** @param host - does not have the series yet */
  addHost(number: number, host: number): void {
    this.#hosts[number] = withPosting(this.#hosts[number], host);
  }

  /** The smallest kind that a series has on any host. */
  smallestKind(number: number): Kind {
    const own = this.at(number).kind;
    const others = this.#otherKinds.get(number);
    if (others === undefined) return own;
    const hosts = [...others.values()].reduce((sum, count) => sum + count, 0);
    const kinds = hosts < this.hostCount(number) ? [own, ...others.keys()] : [...others.keys()];
    return kinds.sort((a, b) => a - b)[0]!;
  }

  /** Takes note that a host has a series with another kind than its description, or, with −1, no longer. */
  countKind(number: number, kind: Kind, change: 1 | -1): void {
    const counts = this.#otherKinds.get(number) ?? new Map<Kind, number>();
    const count = (counts.get(kind) ?? 0) + change;
    if (count > 0) counts.set(kind, count);
    else counts.delete(kind);
    if (counts.size > 0) this.#otherKinds.set(number, counts);
    else this.#otherKinds.delete(number);
  }

  /**
   * Takes series from hosts, and forgets those that no host has then. O(the lists that hold them): each is gone through
   * once, however much of it goes.
   *
   * @param removed - by series the hosts that lose it
   */
  removeHosts(removed: ReadonlyMap<number, Postings>): void {
    const orphans: number[] = [];
    for (const [number, losers] of removed) {
      this.#hosts[number] = keptPostings(this.#hosts[number]!, (host) => !hasPosting(losers, host));
      if (this.#hosts[number] === undefined) orphans.push(number);
    }
    this.index.removeAll(Int32Array.from(orphans), this);
    for (const number of orphans) {
      this.#unhash(number);
      this.#series[number] = undefined;
    }
    this.#size -= orphans.length;
  }

  /** Whether so many numbers are those of removed series that it pays to give them anew. */
  get isSparse(): boolean {
    return this.#series.length > 2 * this.#size + 1_024;
  }

  /** Gives all series new numbers, without gaps and in the same order. O(all lists). @returns by old number the new */
  renumber(): Int32Array {
    const renumbered = new Int32Array(this.#series.length);
    const numbers = this.all();
    for (const [renewed, old] of numbers.entries()) renumbered[old] = renewed;
    this.#hashes = new Int32Array(numbers).map((old) => this.#hashes[old]!);
    this.#hosts = Array.from(numbers, (old) => this.#hosts[old]);
    this.#series = Array.from(numbers, (old) => this.#series[old]);
    this.#slots = new Int32Array(32);
    this.#growSlots();
    this.index.renumber(renumbered);
    this.orders.clear();
    this.lists.clear();
    this.#otherKinds = new Map([...this.#otherKinds].map(([old, counts]) => [renumbered[old]!, counts]));
    this.#generation++;
    return renumbered;
  }

  /** Gives hosts new numbers. @param renumbered - by old number; keeps their order */
  renumberHosts(renumbered: Int32Array): void {
    this.#hosts = this.#hosts.map((hosts) =>
      hosts === undefined ? undefined : postingsOf(itemsOf(hosts).map((old) => renumbered[old]!)),
    );
  }

  #hash(number: number, hash: number): void {
    if (number >= this.#hashes.length) {
      const hashes = new Int32Array(2 * number);
      hashes.set(this.#hashes);
      this.#hashes = hashes;
    }
    this.#hashes[number] = hash;
    if (2 * this.#size > this.#slots.length) this.#growSlots();
    else this.#occupy(number);
  }

  #growSlots(): void {
    let length = this.#slots.length;
    while (length < 4 * this.#size) length *= 2;
    this.#slots = new Int32Array(length);
    for (let number = 0; number < this.#series.length; number++)
      if (this.#series[number] !== undefined) this.#occupy(number);
  }

  #occupy(number: number): void {
    let slot = this.#home(this.#hashes[number]!);
    while (this.#slots[slot] !== 0) slot = this.#next(slot);
    this.#slots[slot] = number + 1;
  }

  /** Empties a number's slot, and moves up those behind it that would not be found any more. */
  #unhash(number: number): void {
    const slots = this.#slots;
    let gap = this.#home(this.#hashes[number]!);
    while (slots[gap] !== number + 1) gap = this.#next(gap);
    for (let slot = this.#next(gap); slots[slot] !== 0; slot = this.#next(slot)) {
      const home = this.#home(this.#hashes[slots[slot]! - 1]!);
      const mask = slots.length - 1;
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      slots[gap] = slots[slot]!;
      gap = slot;
    }
    slots[gap] = 0;
  }

  #home(hash: number): number {
    return hash & (this.#slots.length - 1);
  }

  #next(slot: number): number {
    return (slot + 1) & (this.#slots.length - 1);
  }
}

/** Goes on with a hash of series. */
function hashed(hash: number, { symbol }: LabelValue): number {
  const mixed = Math.imul(hash ^ symbol, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

function isSame(series: Series, name: string, labels: readonly Label[]): boolean {
  if (series.name !== name || series.labels.length !== labels.length) return false;
  for (let i = 0; i < labels.length; i++) {
    const own = series.labels[i]!;
    if (own.name !== labels[i]!.name || own.value !== labels[i]!.value) return false;
  }
  return true;
}
