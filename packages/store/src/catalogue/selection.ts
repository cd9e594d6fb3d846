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
import { atOnce, type InTurns, inTurns, keySteps, lookSteps, Pace, sorted } from "./turns.ts";

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
  for (const found of selection(catalogue, selector)) if (found !== undefined) yield found;
}

/**
 * As {@link selectSeries}, but lets others run each few milliseconds, however many series there are to look at.
 *
 * @param breathe - resolves when others have run
 * @throws {StoreError} STORE_MATCHER_INVALID, before the first host
 */
export async function* selectSeriesInTurns(
  catalogue: Catalogue,
  selector: SeriesSelector,
  breathe: () => Promise<void>,
): AsyncGenerator<HostSeries> {
  for (const found of selection(catalogue, selector)) {
    if (found === undefined) await breathe();
    else yield found;
  }
}

/** A host, and the numbers of those of its series that may be meant, in order of key unless they are hits. */
interface Candidate {
  readonly host: HostState;
  readonly hits: readonly number[] | undefined;
}

/** The series of each host, and undefined where others may run. Begins anew after the last host when numbers are given anew. */
function* selection(catalogue: Catalogue, selector: SeriesSelector): Generator<HostSeries | undefined, void> {
  const { table } = catalogue;
  const matchers = compileMatchers(selector.matchers ?? []);
  const isEligible = eligibility(selector, matchers);
  const pace = new Pace();
  let answered = "";
  for (let isDone = false; !isDone; ) {
    const numbers = yield* table.select(matchers.onSeries, pace);
    const { generation } = table;
    if (numbers?.length === 0) return;
    const ids = namedHosts(selector, matchers) ?? catalogue.hostIds();
    const isFew =
      numbers !== undefined && hitCost * (yield* hitsOf(numbers, table, pace)) < sizeOf(catalogue, ids);
    const included = isFew ? undefined : setOf(numbers, table);
    const candidates = isFew ? yield* candidatesOf(catalogue, numbers, ids, pace) : hostsOf(catalogue, ids);
    for (const { host, hits } of candidates) {
      if (table.generation !== generation) break;
      if (pace.isOver(lookSteps)) yield;
      if (host.hostId <= answered || !isEligible(host)) continue;
      const own = hits ?? (yield* host.series.numbersInTurns(pace));
      const series = own && seriesOf(host, own, included, selector.range);
      if (pace.isOver((own?.length ?? 0) * lookSteps)) yield;
      const ordered = series && hits !== undefined ? yield* inOrderOfKeys(series, pace) : series;
      if (ordered === undefined || table.generation !== generation) break;
      answered = host.hostId;
      if (ordered.length > 0) yield { hostId: host.hostId, series: ordered };
    }
    isDone = table.generation === generation;
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

function* hitsOf(numbers: Int32Array, table: SeriesTable, pace: Pace): InTurns<number> {
  let hits = 0;
  for (const number of numbers) {
    if (table.has(number)) hits += table.hostCount(number);
    if (pace.isOver(1)) yield;
  }
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
    if (stale?.has(number) === true || !host.series.hasNumber(number)) continue;
    series.push(host.series.at(number));
  }
  return series;
}

function* hostsOf(catalogue: Catalogue, ids: readonly string[]): Generator<Candidate> {
  for (const hostId of ids) {
    const host = catalogue.host(hostId);
    if (host !== undefined) yield { host, hits: undefined };
  }
}

/** The hosts that have series by number, in order of id. */
function* candidatesOf(
  catalogue: Catalogue,
  numbers: Int32Array,
  ids: readonly string[],
  pace: Pace,
): InTurns<readonly Candidate[]> {
  const { table } = catalogue;
  const { generation } = table;
  const found = new Map<HostState, number[]>();
  for (const number of numbers) {
    // Whoever asked looks at that as well.
    if (table.generation !== generation) return [];
    const hosts = table.has(number) ? table.hostsOf(number) : [];
    for (const hostNumber of hosts) {
      const host = catalogue.hostAt(hostNumber);
      const own = found.get(host);
      if (own === undefined) found.set(host, [number]);
      else own.push(number);
    }
    if (pace.isOver(lookSteps * (1 + hosts.length))) yield;
  }
  const candidates = [...found]
    .map(([host, hits]) => ({ host, hits }))
    .filter(({ host }) => includes(ids, host.hostId));
  return yield* sorted(candidates, (a, b) => a.host.hostId < b.host.hostId, pace);
}

function* inOrderOfKeys(series: readonly Series[], pace: Pace): InTurns<readonly Series[]> {
  if (series.length < 2) return series;
  const keyed: { one: Series; key: string }[] = [];
  for (const one of series) {
    keyed.push({ one, key: seriesKey(one) });
    if (pace.isOver(keySteps)) yield;
  }
  return (yield* sorted(keyed, (a, b) => a.key < b.key, pace)).map(({ one }) => one);
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
  return atOnce(metricList(catalogue, selector));
}

/** As {@link listMetrics}, but lets others run each few milliseconds. @param breathe - resolves when others have run */
export function listMetricsInTurns(
  catalogue: Catalogue,
  selector: SeriesSelector,
  breathe: () => Promise<void>,
): Promise<MetricEntry[]> {
  return inTurns(metricList(catalogue, selector), breathe);
}

function* metricList(catalogue: Catalogue, selector: SeriesSelector): InTurns<MetricEntry[]> {
  const byName = new Map<string, Metric>();
  for (const found of sharedSeries(catalogue, selector)) {
    if (found === undefined) {
      yield;
      continue;
    }
    if (found === "anew") {
      byName.clear();
      continue;
    }
    const { series, hosts, kind } = found;
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

/**
 * The series that a selector means, and undefined where others may run; "anew" when numbers were given anew, and all begins
 * from the first again.
 */
function* sharedSeries(
  catalogue: Catalogue,
  selector: SeriesSelector,
): Generator<SharedSeries | undefined | "anew", void> {
  const { table } = catalogue;
  const { onHost, onSeries } = compileMatchers(selector.matchers ?? []);
  const pace = new Pace();
  if (selector.hostIds !== undefined || selector.range !== undefined || onHost.length > 0) {
    for (const found of selection(catalogue, selector)) {
      if (found === undefined) {
        yield;
        continue;
      }
      for (const one of found.series) {
        yield { series: one, hosts: 1, kind: one.kind };
        if (pace.isOver(lookSteps)) yield;
      }
    }
    return;
  }
  for (let isDone = false; !isDone; ) {
    const numbers = (yield* table.select(onSeries, pace)) ?? table.all();
    const { generation } = table;
    for (const number of numbers) {
      if (table.has(number))
        yield { series: table.at(number), hosts: table.hostCount(number), kind: table.smallestKind(number) };
      if (pace.isOver(2 * lookSteps)) yield;
      if (table.generation !== generation) break;
    }
    isDone = table.generation === generation;
    if (!isDone) yield "anew";
  }
}
