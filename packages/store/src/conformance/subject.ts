import { expect } from "vitest";
import { type Fragment, fragmentFromSamples } from "../fragment.ts";
import { Kind, type Sample, seriesKey } from "../sample.ts";
import type { MetricStore, ReadRequest, SeriesSelector } from "../store.ts";

/** What a store is asked to be opened with. */
export interface SetupOptions {
  /** Series that a host may have; absent for the store's own default. */
  readonly maxSeriesPerHost?: number;
}

/** How the suite gets its stores. */
export interface StoreFixture {
  /** Opens a new store that holds nothing and takes samples of any time. */
  setup(options?: SetupOptions): Promise<MetricStore>;
  /** Lets go of what a store lay on; called after each test for each store, which is closed by then. */
  teardown?(store: MetricStore): Promise<void>;
  /** Closes a store and opens it again over what it held; absent when it holds nothing once closed. */
  reopen?(store: MetricStore): Promise<MetricStore>;
  /** Where the random histories begin; a failure names its own. Default 1. */
  readonly seed?: number;
  /** How many random histories are lived through. Default 10; each takes some ten writes and reads all, often. */
  readonly histories?: number;
}

/** The store under test, and those that a test opens besides. */
export class Subject {
  readonly canReopen: boolean;
  readonly seed: number;
  readonly histories: number;
  readonly #fixture: StoreFixture;
  readonly #opened = new Set<MetricStore>();
  #store: MetricStore | undefined;

  constructor(fixture: StoreFixture) {
    this.#fixture = fixture;
    this.canReopen = fixture.reopen !== undefined;
    this.seed = fixture.seed ?? 1;
    this.histories = fixture.histories ?? 10;
  }

  /** The store that each test has from its beginning. */
  get store(): MetricStore {
    if (this.#store === undefined) throw new Error("expected to be asked within a test");
    return this.#store;
  }

  async begin(): Promise<void> {
    this.#store = await this.open();
  }

  /** Closes all stores and lets go of them. */
  async end(): Promise<void> {
    for (const store of this.#opened) {
      await store.close();
      await this.#fixture.teardown?.(store);
    }
    this.#opened.clear();
    this.#store = undefined;
  }

  async open(options?: SetupOptions): Promise<MetricStore> {
    const store = await this.#fixture.setup(options);
    this.#opened.add(store);
    return store;
  }

  /** Opens a store again over what it held; it takes the place of the one before. */
  async reopen(store: MetricStore = this.store): Promise<MetricStore> {
    const reopened = await this.#fixture.reopen!(store);
    this.#opened.delete(store);
    this.#opened.add(reopened);
    if (store === this.#store) this.#store = reopened;
    return reopened;
  }

  /** Writes fragments at once and demands that each is stored whole at the durability that the store names. */
  async write(...fragments: Fragment[]): Promise<void> {
    await writeTo(this.store, fragments);
  }
}

/** Writes fragments at once and demands that each is stored whole at the durability that the store names. */
export async function writeTo(store: MetricStore, fragments: readonly Fragment[]): Promise<void> {
  const fates = await store.write(fragments);
  expect(fates).toHaveLength(fragments.length);
  for (const fate of fates) {
    expect(fate).toMatchObject({ status: "stored", durability: store.durability });
    expect(fate).not.toHaveProperty("refusedSamples");
  }
}

/** An instant to count from: 2026-01-01T00:00:00Z. */
export const t0 = 1_767_225_600_000;

export const everything: { readonly startMs: number; readonly endMs: number } = { startMs: 0, endMs: t0 * 2 };

/** A sample, of no labels unless given. */
export function gauge(name: string, value: number, labels: Record<string, string> = {}, flags = 0): Sample {
  return {
    name,
    value,
    labels: Object.entries(labels).map(([label, text]) => ({ name: label, value: text })),
    kind: Kind.gauge,
    flags,
  };
}

/** A sample whose value has the given bits. */
export function sampleOfBits(name: string, bits: bigint, flags = 0): Sample {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  const sample = gauge(name, view.getFloat64(0), {}, flags);
  return Number.isNaN(sample.value)
    ? { ...sample, nan: { high: view.getUint32(0), low: view.getUint32(4) } }
    : sample;
}

export function report(hostId: string, timestampMs: number, ...samples: Sample[]): Fragment {
  return fragmentFromSamples(hostId, timestampMs, samples);
}

/** Doubles of every class: both zeros, subnormals, extremes, infinities, and NaNs of both signs, quiet or not. */
export const doubleClasses: readonly bigint[] = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x0000000000000001n,
  0x800fffffffffffffn,
  0x0010000000000000n,
  0x3ff0000000000000n,
  0x3ff0000000000001n,
  0xbff0000000000000n,
  0x4340000000000000n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff0000000000002n,
  0x7ff8000000000000n,
  0x7ff8000000000001n,
  0xfff8000000000000n,
  0xfff0000000000001n,
  0x7fffffffffffffffn,
  0xffffffffffffffffn,
];

/** What a store answers, as plain values: points by series key, [timestampMs, value, flags]. */
export type Points = Record<string, [number, number, number][]>;

/** A read's points, checked for the order and bounds of slices. */
export async function readPoints(store: MetricStore, request: ReadRequest): Promise<Points> {
  const bits = await readBits(store, request);
  return Object.fromEntries(
    Object.entries(bits).map(([key, rows]) => [
      key,
      rows.map(([timestampMs, pattern, flags]) => [timestampMs, doubleOf(pattern), flags]),
    ]),
  );
}

function doubleOf(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0]!;
}

/** As {@link readPoints}, with the bits of values. */
export async function readBits(
  store: MetricStore,
  request: ReadRequest,
): Promise<Record<string, [number, bigint, number][]>> {
  const points: Record<string, [number, bigint, number][]> = {};
  let after = Number.NEGATIVE_INFINITY;
  for await (const slice of store.read(request)) {
    expect(slice.startMs).toBeGreaterThan(after);
    expect(slice.endMs).toBeGreaterThanOrEqual(slice.startMs);
    expect(slice.startMs).toBeGreaterThanOrEqual(request.startMs);
    expect(slice.endMs).toBeLessThanOrEqual(request.endMs);
    expect(slice.missing).toEqual([]);
    after = slice.endMs;
    for (const { series, timestampsMs, values, flags } of slice.columns) {
      const key = seriesKey(series);
      const rows = points[key] ?? [];
      points[key] = rows;
      const bits = new BigUint64Array(values.slice().buffer);
      expect([bits.length, flags.length]).toEqual([timestampsMs.length, timestampsMs.length]);
      expect(bits.length).toBeGreaterThan(0);
      for (let i = 0; i < bits.length; i++) {
        const timestampMs = timestampsMs[i]!;
        if (
          !(timestampMs > (rows.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY)) ||
          timestampMs > slice.endMs ||
          timestampMs < slice.startMs
        )
          expect.fail(`expected instants that rise within their slice, got ${timestampMs} of ${key}`);
        rows.push([timestampMs, bits[i]!, flags[i]!]);
      }
    }
  }
  return points;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Keys of series by host, in the order answered. */
export async function seriesKeys(
  store: MetricStore,
  selector: SeriesSelector,
): Promise<Record<string, string[]>> {
  const found = await collect(store.series(selector));
  return Object.fromEntries(found.map(({ hostId, series }) => [hostId, series.map(seriesKey)]));
}

/** All that a store says of itself and of hosts: equal for stores that hold the same. */
export async function contentsOf(store: MetricStore, hostIds: readonly string[]): Promise<unknown> {
  const reads: Record<string, unknown> = {};
  for (const hostId of hostIds)
    reads[hostId] = await readBits(store, { hostId, startMs: -everything.endMs, endMs: everything.endMs });
  const { hosts, series } = await store.stats();
  return {
    stats: { hosts, series },
    hosts: await store.hosts({ limit: 10_000 }),
    metrics: await store.metrics({}),
    series: await collect(store.series({})),
    latest: await store.latest(hostIds),
    reads,
  };
}

/** Numbers from 0 to below 1 that look random and are the same for the same seed. @see mulberry32, T. Ettinger */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
