import { decodeSamples } from "./decode-samples.ts";
import { compareSamples } from "./fold.ts";
import type { Fragment } from "./fragment.ts";
import { Layouts } from "./layout.ts";
import { type Kind, type Sample, type Series, seriesKey } from "./sample.ts";
import { ShapeState } from "./shape.ts";
import type { HostLatest, LatestSample } from "./store.ts";

/** Shapes remembered for each host; a host whose programs send more kinds of reports than this costs a decode each. */
const shapesPerHost = 8;

/** What is known of one host. */
export class HostState {
  readonly hostId: string;
  lastSeenMs = 0;
  metadata: Readonly<Record<string, string>> = {};
  /** By series key; kinds folded. */
  readonly series: Map<string, Series> = new Map();
  /** Most recently used first. */
  readonly shapes: ShapeState[] = [];
  /** Last values of series whose shape was forgotten, by series key. */
  readonly settled: Map<string, LatestSample> = new Map();

  constructor(hostId: string) {
    this.hostId = hostId;
  }

  /** The last value of each series (R19), by series key; of the kind that the series has. */
  latest(): HostLatest {
    const newest = new Map(this.settled);
    for (const shape of this.shapes) settle(newest, shape);
    const samples = [...newest.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, sample]) => ofKind(sample, this.series.get(key)?.kind ?? sample.kind));
    return { hostId: this.hostId, lastSeenMs: this.lastSeenMs, samples };
  }
}

/** Moves last values forward by (time, fold). */
function settle(newest: Map<string, LatestSample>, shape: ShapeState): void {
  for (const sample of decodeSamples(shape.bytes)) {
    const key = seriesKey(sample);
    const known = newest.get(key);
    if (known === undefined || isNewer(sample, shape.timestampMs, known)) {
      newest.set(key, { ...sample, timestampMs: shape.timestampMs });
    }
  }
}

function ofKind(sample: LatestSample, kind: Kind): LatestSample {
  return sample.kind === kind ? sample : { ...sample, kind };
}

function isNewer(sample: Sample, timestampMs: number, known: LatestSample): boolean {
  if (timestampMs !== known.timestampMs) return timestampMs > known.timestampMs;
  return compareSamples(sample, known) > 0;
}

/** What an observed fragment brought. */
export interface Observation {
  /** The host's state after it. */
  readonly host: HostState;
  /** Series that are new, or whose kind changed; to be made durable with the fragment. */
  readonly newSeries: readonly Series[];
}

const none: readonly Series[] = [];

/**
 * The hosts of a store, their series and their last values, in memory.
 *
 * Most fragments repeat the shape of one before them and differ in values only. That is checked byte by byte, without
 * decoding, and costs one pass over the fragment; only a new shape is decoded. Memory: the series, and one fragment for
 * each of the last {@link shapesPerHost} shapes of a host.
 */
export class Catalogue {
  readonly #hosts: Map<string, HostState> = new Map();
  readonly #layouts = new Layouts();
  /** Host ids in order, or undefined when one was added or removed since. */
  #ordered: string[] | undefined = [];
  #series = 0;

  get hosts(): number {
    return this.#hosts.size;
  }

  get series(): number {
    return this.#series;
  }

  /** Host ids in order of code units. O(n log n) after a change, else O(1). */
  hostIds(): readonly string[] {
    this.#ordered ??= [...this.#hosts.keys()].sort();
    return this.#ordered;
  }

  host(hostId: string): HostState | undefined {
    return this.#hosts.get(hostId);
  }

  /** The host's state, made when there is none. */
  ensureHost(hostId: string): HostState {
    let host = this.#hosts.get(hostId);
    if (host === undefined) {
      host = new HostState(hostId);
      this.#hosts.set(hostId, host);
      this.#ordered = undefined;
    }
    return host;
  }

  /**
   * Takes note of a fragment that is stored, or about to be.
   *
   * @throws {StoreError} STORE_FRAGMENT_INVALID, and then nothing has changed
   */
  observe(fragment: Fragment): Observation {
    const known = this.#hosts.get(fragment.hostId);
    if (known !== undefined && repeatsShape(known.shapes, fragment)) {
      if (fragment.timestampMs > known.lastSeenMs) known.lastSeenMs = fragment.timestampMs;
      return { host: known, newSeries: none };
    }
    const samples = decodeSamples(fragment.bytes);
    const host = known ?? this.ensureHost(fragment.hostId);
    if (fragment.timestampMs > host.lastSeenMs) host.lastSeenMs = fragment.timestampMs;
    return { host, newSeries: this.#observeShape(host, fragment, samples) };
  }

  #observeShape(host: HostState, fragment: Fragment, samples: readonly Sample[]): readonly Series[] {
    const added: Series[] = [];
    for (const { name, labels, kind } of samples) {
      if (this.addSeries(host, { name, labels, kind })) added.push({ name, labels, kind });
    }
    if (host.shapes.length === shapesPerHost) settle(host.settled, host.shapes.pop()!);
    host.shapes.unshift(new ShapeState(fragment.timestampMs, fragment.bytes, this.#layouts));
    return added;
  }

  /** Adds the newest fragment of a shape, as a store that opens has kept it. @param bytes - canonical */
  addShape(host: HostState, timestampMs: number, bytes: Uint8Array): void {
    host.shapes.push(new ShapeState(timestampMs, bytes, this.#layouts));
  }

  /** Adds a series, or lowers its kind (R4). @returns whether anything changed */
  addSeries(host: HostState, series: Series): boolean {
    const key = seriesKey(series);
    const known = host.series.get(key);
    if (known !== undefined && known.kind <= series.kind) return false;
    if (known === undefined) this.#series++;
    host.series.set(key, series);
    return true;
  }

  /**
   * Forgets series whose last value is before an instant, and hosts that have none left.
   *
   * @returns the series keys removed, by host id; a host that is gone altogether is named in `hosts`
   */
  trim(beforeMs: number): { hosts: string[]; series: Map<string, string[]> } {
    const removed = { hosts: [] as string[], series: new Map<string, string[]>() };
    for (const host of this.#hosts.values()) {
      if (host.series.size === 0) continue;
      const stale = this.#trimHost(host, beforeMs);
      if (stale.length > 0) removed.series.set(host.hostId, stale);
      if (host.series.size > 0) continue;
      this.#hosts.delete(host.hostId);
      this.#ordered = undefined;
      removed.hosts.push(host.hostId);
    }
    return removed;
  }

  #trimHost(host: HostState, beforeMs: number): string[] {
    const mayBeStale =
      host.shapes.some((shape) => shape.timestampMs < beforeMs) ||
      [...host.settled.values()].some((sample) => sample.timestampMs < beforeMs);
    if (!mayBeStale) return [];
    const live = new Set<string>();
    for (const sample of host.latest().samples)
      if (sample.timestampMs >= beforeMs) live.add(seriesKey(sample));
    const kept = host.shapes.filter((shape) => shape.timestampMs >= beforeMs);
    host.shapes.splice(0, host.shapes.length, ...kept);
    for (const [key, sample] of host.settled) if (sample.timestampMs < beforeMs) host.settled.delete(key);
    const stale = [...host.series.keys()].filter((key) => !live.has(key));
    for (const key of stale) host.series.delete(key);
    this.#series -= stale.length;
    return stale;
  }
}

/** Takes a fragment into the shape that it repeats, which comes first then. @returns whether there is one */
function repeatsShape(shapes: ShapeState[], { timestampMs, bytes }: Fragment): boolean {
  for (let i = 0; i < shapes.length; i++) {
    const shape = shapes[i]!;
    if (!shape.take(timestampMs, bytes)) continue;
    if (i > 0) {
      shapes.splice(i, 1);
      shapes.unshift(shape);
    }
    return true;
  }
  return false;
}
