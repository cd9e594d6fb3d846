import { decodeSamples } from "../decode-samples.ts";
import { StoreError } from "../errors.ts";
import { type Fragment, fragmentFromSamples } from "../fragment.ts";
import { Layouts } from "../layout.ts";
import { type Sample, type Series, seriesKey } from "../sample.ts";
import { HostShape, HostState } from "./host-state.ts";
import { type Postings, withPosting } from "./postings.ts";
import { SeriesTable } from "./series-table.ts";

/** Shapes remembered for each host; a host whose programs send more kinds of reports than this costs a decode each. */
const shapesPerHost = 8;

/** What an observed fragment brought. */
export interface Observation {
  /** The host's state after it. */
  readonly host: HostState;
  /** Series that are new, or whose kind changed; to be made durable with the fragment. */
  readonly newSeries: readonly Series[];
}

/** What of a fragment may be stored. */
export interface Admission extends Observation {
  /** What to store: the fragment given, or a new one without the samples refused; undefined when none is left. */
  readonly fragment: Fragment | undefined;
  /** Places, in the bytes given and from 0, of samples whose series would be one too many; rising. */
  readonly refusedSamples: readonly number[];
}

/** How a catalogue is set up. */
export interface CatalogueOptions {
  /**
   * Series that a host may have before {@link Catalogue.admit} refuses new ones; at least 1. Default 50,000. One series
   * costs a catalogue from a dozen bytes, when other hosts have it too, to some hundred; the limit bounds what one host
   * can take.
   */
  readonly maxSeriesPerHost?: number;
}

const noSeries: readonly Series[] = [];
const noSamples: readonly number[] = [];

/**
 * The hosts of a store, their series and their last values, in memory, with an index of series by name and label.
 *
 * Most fragments repeat the shape of one before them and differ in values only. That is seen from their layout, or else
 * by comparing bytes, and costs the index nothing; only a new shape is decoded. Memory: each series once, however many
 * hosts have it, some bytes for each host that has it, and the newest fragment of each of the last
 * {@link shapesPerHost} shapes of a host, whose bytes are kept as they were given.
 */
export class Catalogue {
  /** The series of all hosts. */
  readonly table: SeriesTable = new SeriesTable();
  readonly #hosts: Map<string, HostState> = new Map();
  /** By number; undefined where a host was removed. */
  #numbered: (HostState | undefined)[] = [];
  readonly #layouts = new Layouts();
  /** Host ids in order, but for those added since. */
  #ordered: readonly string[] = [];
  #added: string[] = [];
  #series = 0;
  #maxSeriesPerHost = 50_000;

  /** @throws {RangeError} when an option is out of range */
  constructor(options: CatalogueOptions = {}) {
    this.configure(options);
  }

  /**
   * Sets limits for what {@link Catalogue.admit} is asked from now on; those not named stay as they are.
   *
   * @throws {RangeError} when one is out of range
   */
  configure({ maxSeriesPerHost = this.#maxSeriesPerHost }: CatalogueOptions): void {
    if (!Number.isSafeInteger(maxSeriesPerHost) || maxSeriesPerHost < 1) {
      throw new RangeError(`expected maxSeriesPerHost to be at least 1, got ${maxSeriesPerHost}`);
    }
    this.#maxSeriesPerHost = maxSeriesPerHost;
  }

  get hosts(): number {
    return this.#hosts.size;
  }

  /** Series of all hosts, counted for each host that has them. */
  get series(): number {
    return this.#series;
  }

  /** Series that hosts have beyond {@link CatalogueOptions.maxSeriesPerHost}. O(hosts). */
  get seriesOverLimit(): number {
    let over = 0;
    for (const host of this.#hosts.values()) over += Math.max(0, host.series.size - this.#maxSeriesPerHost);
    return over;
  }

  /** Why {@link Catalogue.admit} refuses samples, for people. */
  get limitReason(): string {
    return `expected at most ${this.#maxSeriesPerHost} series of a host, got one more`;
  }

  /** Host ids in order of code units; never changed, but replaced when hosts come or go. O(hosts) then, else O(1). */
  hostIds(): readonly string[] {
    if (this.#added.length > 0) {
      this.#ordered = merged(this.#ordered, this.#added.sort());
      this.#added = [];
    }
    return this.#ordered;
  }

  host(hostId: string): HostState | undefined {
    return this.#hosts.get(hostId);
  }

  /** A host by its number in the table. */
  hostAt(number: number): HostState {
    return this.#numbered[number]!;
  }

  /** The host's state, made when there is none. */
  ensureHost(hostId: string): HostState {
    let host = this.#hosts.get(hostId);
    if (host === undefined) {
      host = new HostState(hostId, this.table, this.#numbered.length);
      this.#hosts.set(hostId, host);
      this.#numbered.push(host);
      this.#added.push(hostId);
    }
    return host;
  }

  /**
   * Says what of a fragment that is to be written may be stored, and takes note of that: all of it, unless its host has
   * as many series as it may. Samples of series that the host has always pass; new ones in the order of the fragment,
   * while there is room. A fragment of a shape that the host has had lately is not looked into: it passes for what its
   * layout costs to compare. One that is over the limit costs a decode and an encode each time it comes.
   *
   * New is what this catalogue has not been told of. A store that shares its medium with others adds the series of a
   * host ({@link Catalogue.addSeries}) before it first admits for it; two that admit for one host at the same time may
   * take it beyond its limit, which is counted (R28).
   *
   * @throws {StoreError} STORE_FRAGMENT_INVALID, and then nothing has changed
   */
  admit(fragment: Fragment): Admission {
    assertInstant(fragment.timestampMs);
    const known = this.#hosts.get(fragment.hostId);
    if (known !== undefined && repeatsShape(known.shapes, fragment)) {
      see(known, fragment.timestampMs);
      return { fragment, host: known, newSeries: noSeries, refusedSamples: noSamples };
    }
    const samples = decodeSamples(fragment.bytes);
    const refusedSamples = this.#beyondLimit(known, samples);
    if (refusedSamples.length === 0)
      return { fragment, refusedSamples, ...this.#observeNew(fragment, samples) };
    const refused = new Set(refusedSamples);
    const admitted = samples.filter((_, place) => !refused.has(place));
    const host = known ?? this.ensureHost(fragment.hostId);
    if (admitted.length === 0) return { fragment: undefined, host, newSeries: noSeries, refusedSamples };
    const rest = fragmentFromSamples(fragment.hostId, fragment.timestampMs, admitted);
    return { fragment: rest, refusedSamples, ...this.observe(rest) };
  }

  /** Places of samples for whose series a host has no room. */
  #beyondLimit(host: HostState | undefined, samples: readonly Sample[]): readonly number[] {
    let room = this.#maxSeriesPerHost - (host?.series.size ?? 0);
    if (room >= samples.length) return noSamples;
    const beyond: number[] = [];
    for (const [place, sample] of samples.entries()) {
      if (host?.series.has(sample) === true) continue;
      if (room > 0) room--;
      else beyond.push(place);
    }
    return beyond;
  }

  /**
   * Takes note of a fragment that is stored, or will be whatever the limit of series: one that is imported or recovered.
   *
   * @throws {StoreError} STORE_FRAGMENT_INVALID, and then nothing has changed
   */
  observe(fragment: Fragment): Observation {
    assertInstant(fragment.timestampMs);
    const known = this.#hosts.get(fragment.hostId);
    if (known !== undefined && repeatsShape(known.shapes, fragment)) {
      see(known, fragment.timestampMs);
      return { host: known, newSeries: noSeries };
    }
    return this.#observeNew(fragment, decodeSamples(fragment.bytes));
  }

  #observeNew(fragment: Fragment, samples: readonly Sample[]): Observation {
    const host = this.ensureHost(fragment.hostId);
    see(host, fragment.timestampMs);
    host.firstSeenMs = Math.min(host.firstSeenMs, fragment.timestampMs);
    return { host, newSeries: this.#observeShape(host, fragment, samples) };
  }

  #observeShape(host: HostState, fragment: Fragment, samples: readonly Sample[]): readonly Series[] {
    const newSeries: Series[] = [];
    const numbers = this.#addAll(host, samples, newSeries);
    if (host.shapes.length === shapesPerHost) host.settle(host.shapes.pop()!);
    host.shapes.unshift(new HostShape(fragment, this.#layouts, numbers));
    return newSeries;
  }

  /** @returns the numbers of the samples' series; those new or changed are added to `newSeries` */
  #addAll(host: HostState, samples: readonly Series[], newSeries: Series[]): Int32Array {
    const numbers = new Int32Array(samples.length);
    for (const [place, sample] of samples.entries()) {
      const { number, isNew, hasChanged } = host.series.add(sample);
      numbers[place] = number;
      if (isNew) this.#series++;
      if (hasChanged) newSeries.push(host.series.at(number));
    }
    return this.table.lists.made(numbers, (list) => list);
  }

  /**
   * Adds the newest fragment of a shape, as a store that opens has kept it, and its series where they are missing.
   *
   * @param bytes - canonical; kept
   */
  addShape(host: HostState, timestampMs: number, bytes: Uint8Array): void {
    host.firstSeenMs = Number.NEGATIVE_INFINITY;
    const numbers = this.#addAll(host, decodeSamples(bytes), []);
    host.shapes.push(new HostShape({ timestampMs, bytes }, this.#layouts, numbers));
  }

  /**
   * Adds a series, or lowers its kind (R4), as a store that opens has kept it. When the host was first seen is not known
   * then: a store that knows sets {@link HostState.firstSeenMs} afterwards.
   *
   * @returns whether anything changed
   */
  addSeries(host: HostState, series: Series): boolean {
    host.firstSeenMs = Number.NEGATIVE_INFINITY;
    const { isNew, hasChanged } = host.series.add(series);
    if (isNew) this.#series++;
    return hasChanged;
  }

  /**
   * Forgets series whose last value is before an instant, and hosts that have none left. O(hosts + series of those that
   * have some to forget + lists that hold those), all at once.
   *
   * @returns the series keys removed, by host id; a host that is gone altogether is named in `hosts`
   */
  trim(beforeMs: number): { hosts: string[]; series: Map<string, string[]> } {
    const removed = { hosts: [] as string[], series: new Map<string, string[]>() };
    const losers = new Map<number, Postings>();
    for (const host of this.#hosts.values()) {
      if (host.series.size === 0) continue;
      const stale = trimHost(host, beforeMs);
      if (stale.length === 0) continue;
      removed.series.set(
        host.hostId,
        stale.map((number) => seriesKey(this.table.at(number))),
      );
      for (const number of stale) losers.set(number, withPosting(losers.get(number), host.series.host));
      this.#series -= stale.length;
      if (host.series.size > 0) continue;
      this.#hosts.delete(host.hostId);
      removed.hosts.push(host.hostId);
    }
    this.table.removeHosts(losers);
    this.#forgetHosts(removed.hosts.length);
    if (this.table.isSparse) this.#renumber();
    return removed;
  }

  /**
   * Forgets hosts and all that is known of them: for a copy of a catalogue, whose original has dropped them.
   * O(hosts + series of those forgotten + lists that hold those), all at once.
   */
  forget(hostIds: Iterable<string>): void {
    const losers = new Map<number, Postings>();
    let count = 0;
    for (const hostId of hostIds) {
      const host = this.#hosts.get(hostId);
      if (host === undefined) continue;
      const dropped = host.series.drop(() => true);
      for (const number of dropped) losers.set(number, withPosting(losers.get(number), host.series.host));
      this.#series -= dropped.length;
      this.#hosts.delete(hostId);
      count++;
    }
    this.table.removeHosts(losers);
    this.#forgetHosts(count);
    if (this.table.isSparse) this.#renumber();
  }

  #forgetHosts(count: number): void {
    if (count === 0) return;
    this.#ordered = this.hostIds().filter((hostId) => this.#hosts.has(hostId));
    this.#numbered = this.#numbered.map((host) =>
      host !== undefined && this.#hosts.get(host.hostId) === host ? host : undefined,
    );
    if (this.#numbered.length <= 2 * this.#hosts.size + 1_024) return;
    const kept = this.#numbered.filter((host) => host !== undefined);
    const renumbered = new Int32Array(this.#numbered.length);
    for (const [number, host] of kept.entries()) renumbered[host.series.host] = number;
    this.table.renumberHosts(renumbered);
    for (const host of kept) host.series.renumberHost(renumbered);
    this.#numbered = kept;
  }

  #renumber(): void {
    // In order first: by the old numbers and the table as it is.
    for (const host of this.#hosts.values()) host.series.numbers();
    const renumbered = this.table.renumber();
    // Lists that hosts share are shared afterwards.
    const renewed = new Map<Int32Array, Int32Array>();
    const renew = (numbers: Int32Array): Int32Array => {
      const list = renewed.get(numbers) ?? numbers.map((old) => renumbered[old]!);
      renewed.set(numbers, list);
      return list;
    };
    for (const host of this.#hosts.values()) {
      host.series.renumber(renumbered, renew);
      for (const shape of host.shapes) shape.numbers = renew(shape.numbers);
    }
  }
}

/** The times that a `Date` can hold, in milliseconds to either side of the epoch. */
const timeMsMax = 8.64e15;

function assertInstant(timestampMs: number): void {
  if (Number.isInteger(timestampMs) && Math.abs(timestampMs) <= timeMsMax) return;
  throw new StoreError(
    "STORE_FRAGMENT_INVALID",
    `expected a time in whole milliseconds within ${timeMsMax} of the epoch, got ${timestampMs}`,
  );
}

function see(host: HostState, timestampMs: number): void {
  if (timestampMs > host.lastSeenMs) host.lastSeenMs = timestampMs;
  else if (timestampMs < host.firstSeenMs) host.firstSeenMs = timestampMs;
}

/** Forgets a host's series whose last value is before an instant. @returns their numbers */
function trimHost(host: HostState, beforeMs: number): readonly number[] {
  const fresh = host.seenSince(beforeMs);
  if (fresh === undefined) return [];
  const kept = host.shapes.filter((shape) => shape.timestampMs >= beforeMs);
  host.shapes.splice(0, host.shapes.length, ...kept);
  for (const [key, sample] of host.settled) if (sample.timestampMs < beforeMs) host.settled.delete(key);
  return host.series.drop((number) => !fresh.has(number));
}

/** Two lists in order as one. */
function merged(a: readonly string[], b: readonly string[]): string[] {
  const all: string[] = [];
  let i = 0;
  for (const id of b) {
    while (i < a.length && a[i]! < id) all.push(a[i++]!);
    all.push(id);
  }
  while (i < a.length) all.push(a[i++]!);
  return all;
}

/** Takes a fragment into the shape that it repeats, which comes first then. @returns whether there is one */
function repeatsShape(shapes: HostShape[], fragment: Fragment): boolean {
  for (let i = 0; i < shapes.length; i++) {
    if (shapes[i]!.hasLayoutOf(fragment)) return takesAt(shapes, i, fragment);
  }
  for (let i = 0; i < shapes.length; i++) if (takesAt(shapes, i, fragment)) return true;
  return false;
}

/** Lets a shape take a fragment, and brings it forward when it does. */
function takesAt(shapes: HostShape[], index: number, fragment: Fragment): boolean {
  const shape = shapes[index]!;
  if (!shape.take(fragment)) return false;
  if (index > 0) {
    shapes.splice(index, 1);
    shapes.unshift(shape);
  }
  return true;
}
