import { type CompiledMatchers, compileMatchers } from "../matcher.ts";
import { type Kind, type Label, type Series, seriesKey } from "../sample.ts";
import type {
  HostEntry,
  HostSeries,
  HostsRequest,
  MetricEntry,
  SeriesSelector,
  TimeRange,
} from "../store.ts";
import { BitSet } from "./bit-set.ts";
import type { Catalogue } from "./catalogue.ts";
import type { HostState } from "./host-state.ts";
import type { SeriesTable } from "./series-table.ts";

/** A hit costs so many times what a look at one series of a host does: lists are joined, and what is found is put in order. */
const hitCost = 64;

/**
 * The series of a catalogue that a selector means, host by host in order of id, each host's in order of series key.
 * Answered from the index: O(values of the labels in question + series found) when few are found, else O(series of the
 * hosts in question). What comes or goes while hosts are still being asked for may be in the answer or not.
 *
 * @throws {StoreError} STORE_MATCHER_INVALID, before the first host
 */
export function* selectSeries(catalogue: Catalogue, selector: SeriesSelector): Generator<HostSeries> {
  const { table } = catalogue;
  const matchers = compileMatchers(selector.matchers ?? []);
  const numbers = table.select(matchers.onSeries);
  if (numbers?.length === 0) return;
  const ids = namedHosts(selector, matchers) ?? catalogue.hostIds();
  const isEligible = eligibility(selector, matchers);
  if (numbers !== undefined && hitCost * hitsOf(numbers, table) < sizeOf(catalogue, ids)) {
    yield* fromPostings(
      catalogue,
      numbers,
      selector.range,
      (host) => isEligible(host) && includes(ids, host.hostId),
    );
    return;
  }
  let generation = table.generation;
  let included = setOf(numbers, table);
  for (const hostId of ids) {
    const host = catalogue.host(hostId);
    if (host === undefined || !isEligible(host)) continue;
    if (table.generation !== generation) {
      generation = table.generation;
      included = setOf(table.select(matchers.onSeries), table);
    }
    const series = seriesOf(host, host.series.numbers(), included, selector.range);
    if (series.length > 0) yield { hostId, series };
  }
}

/** Ids of the hosts that a selector lists, in order, or undefined when it lists none. */
function namedHosts(
  { hostIds }: SeriesSelector,
  { onHost }: CompiledMatchers,
): readonly string[] | undefined {
  const listed = onHost.find(({ literals, isNegated }) => literals !== undefined && !isNegated)?.literals;
  const named = hostIds ?? listed;
  return named === undefined ? undefined : [...new Set(named)].sort();
}

/** Which hosts may have what a selector means, but for their series. */
function eligibility(
  { range }: SeriesSelector,
  { matchesHost }: CompiledMatchers,
): (host: HostState) => boolean {
  return ({ hostId, firstSeenMs, lastSeenMs }) =>
    (range === undefined || (lastSeenMs >= range.startMs && firstSeenMs <= range.endMs)) &&
    matchesHost(hostId);
}

function hitsOf(numbers: Int32Array, table: SeriesTable): number {
  let hits = 0;
  for (let i = 0; i < numbers.length; i++) hits += table.hostCount(numbers[i]!);
  return hits;
}

/** How many series hosts have together. */
function sizeOf(catalogue: Catalogue, ids: readonly string[]): number {
  if (ids.length === catalogue.hosts) return catalogue.series;
  return ids.reduce((sum, hostId) => sum + (catalogue.host(hostId)?.series.size ?? 0), 0);
}

function setOf(numbers: Int32Array | undefined, { bound }: SeriesTable): BitSet | undefined {
  if (numbers === undefined) return undefined;
  const set = new BitSet(bound);
  set.addAll(numbers);
  return set;
}

/** Those of a host's series that are in a set and may have samples in a range. */
function seriesOf(
  host: HostState,
  numbers: ArrayLike<number>,
  included: BitSet | undefined,
  range: TimeRange | undefined,
): Series[] {
  const stale = range === undefined ? undefined : host.lastSeenBefore(range.startMs);
  const series: Series[] = [];
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!;
    if (included !== undefined && !included.has(number)) continue;
    if (stale?.has(number) === true) continue;
    series.push(host.series.at(number));
  }
  return series;
}

/** All at once: numbers may be given anew while an answer is being fetched. */
function fromPostings(
  catalogue: Catalogue,
  numbers: Int32Array,
  range: TimeRange | undefined,
  isEligible: (host: HostState) => boolean,
): HostSeries[] {
  const found = new Map<number, number[]>();
  for (const number of numbers) {
    for (const host of catalogue.table.hostsOf(number)) {
      const own = found.get(host);
      if (own === undefined) found.set(host, [number]);
      else own.push(number);
    }
  }
  return [...found]
    .map(([number, own]) => ({ host: catalogue.hostAt(number), own }))
    .filter(({ host }) => isEligible(host))
    .sort((a, b) => (a.host.hostId < b.host.hostId ? -1 : 1))
    .map(({ host, own }) => ({
      hostId: host.hostId,
      series: inOrderOfKeys(seriesOf(host, own, undefined, range)),
    }))
    .filter(({ series }) => series.length > 0);
}

function inOrderOfKeys(series: Series[]): Series[] {
  if (series.length < 2) return series;
  const keyed = series.map((one) => ({ one, key: seriesKey(one) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ one }) => one);
}

/** A page of the hosts of a catalogue, by id. O(log hosts + page), and O(hosts) once after hosts came. */
export function listHosts(catalogue: Catalogue, { prefix = "", after, limit }: HostsRequest): HostEntry[] {
  if (!Number.isInteger(limit) || limit < 1)
    throw new RangeError(`expected a limit of at least 1, got ${limit}`);
  const ids = catalogue.hostIds();
  const page: HostEntry[] = [];
  const begin = after !== undefined && after >= prefix ? firstAfter(ids, after) : firstFrom(ids, prefix);
  for (let i = begin; i < ids.length && page.length < limit; i++) {
    const hostId = ids[i]!;
    if (!hostId.startsWith(prefix)) break;
    const host = catalogue.host(hostId)!;
    page.push({ hostId, lastSeenMs: host.lastSeenMs, series: host.series.size, metadata: host.metadata });
  }
  return page;
}

function firstFrom(ids: readonly string[], id: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function includes(ids: readonly string[], id: string): boolean {
  return ids[firstFrom(ids, id)] === id;
}

function firstAfter(ids: readonly string[], id: string): number {
  const index = firstFrom(ids, id);
  return ids[index] === id ? index + 1 : index;
}

/** A series of one or many hosts. */
interface SharedSeries {
  readonly series: Series;
  readonly hosts: number;
  readonly kind: Kind;
}

/**
 * The metrics that the series of a selector belong to, by name. O(distinct series found) when no host, range or matcher
 * on hosts is given, else as {@link selectSeries}.
 */
export function listMetrics(catalogue: Catalogue, selector: SeriesSelector): MetricEntry[] {
  const byName = new Map<string, Metric>();
  for (const { series, hosts, kind } of sharedSeries(catalogue, selector)) {
    let metric = byName.get(series.name);
    if (metric === undefined) {
      metric = { kind, series: 0, labelNames: new Set(), labels: [] };
      byName.set(series.name, metric);
    }
    metric.series += hosts;
    if (kind < metric.kind) metric.kind = kind;
    // Most series of a metric have the same labels as the one before.
    if (!haveSameNames(metric.labels, series.labels)) {
      metric.labels = series.labels;
      for (const { name } of series.labels) metric.labelNames.add(name);
    }
  }
  return [...byName.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { kind, series, labelNames }]) => ({
      name,
      kind,
      series,
      labelNames: [...labelNames].sort(),
    }));
}

/** A metric while its series are being counted. */
interface Metric {
  kind: Kind;
  series: number;
  readonly labelNames: Set<string>;
  /** Labels whose names are among those already. */
  labels: readonly Label[];
}

function haveSameNames(a: readonly Label[], b: readonly Label[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i]!.name !== b[i]!.name) return false;
  return true;
}

function* sharedSeries(catalogue: Catalogue, selector: SeriesSelector): Generator<SharedSeries> {
  const { table } = catalogue;
  const { onHost, onSeries } = compileMatchers(selector.matchers ?? []);
  if (selector.hostIds !== undefined || selector.range !== undefined || onHost.length > 0) {
    for (const { series } of selectSeries(catalogue, selector))
      for (const one of series) yield { series: one, hosts: 1, kind: one.kind };
    return;
  }
  for (const number of table.select(onSeries) ?? table.all()) {
    yield { series: table.at(number), hosts: table.hostCount(number), kind: table.smallestKind(number) };
  }
}
