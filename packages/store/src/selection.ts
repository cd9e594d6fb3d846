import type { Catalogue, HostState } from "./catalogue.ts";
import { compileMatchers } from "./matcher.ts";
import { type Kind, type Series, seriesKey } from "./sample.ts";
import type { HostEntry, HostSeries, HostsRequest, MetricEntry, SeriesSelector } from "./store.ts";

/** The series of a catalogue that a selector means, host by host in order of id. O(series of the hosts that match). */
export function* selectSeries(catalogue: Catalogue, selector: SeriesSelector): Generator<HostSeries> {
  const matchers = compileMatchers(selector.matchers ?? []);
  for (const host of selectHosts(catalogue, selector)) {
    if (!matchers.matchesHost(host.hostId)) continue;
    const series = [...host.series.values()].filter(matchers.matchesSeries);
    if (series.length === 0) continue;
    yield { hostId: host.hostId, series: series.sort(bySeriesKey) };
  }
}

function* selectHosts(catalogue: Catalogue, { hostIds, range }: SeriesSelector): Generator<HostState> {
  const ids = hostIds === undefined ? catalogue.hostIds() : [...new Set(hostIds)].sort();
  for (const hostId of ids) {
    const host = catalogue.host(hostId);
    if (host === undefined || (range !== undefined && host.lastSeenMs < range.startMs)) continue;
    yield host;
  }
}

function bySeriesKey(a: Series, b: Series): number {
  const keyOfA = seriesKey(a);
  const keyOfB = seriesKey(b);
  return keyOfA < keyOfB ? -1 : keyOfA > keyOfB ? 1 : 0;
}

/** A page of the hosts of a catalogue, by id. O(log hosts + page). */
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

function firstAfter(ids: readonly string[], id: string): number {
  const index = firstFrom(ids, id);
  return ids[index] === id ? index + 1 : index;
}

/** The metrics that the series of a selector belong to, by name. */
export function listMetrics(catalogue: Catalogue, selector: SeriesSelector): MetricEntry[] {
  const byName = new Map<string, { kind: Kind; series: number; labelNames: Set<string> }>();
  for (const { series } of selectSeries(catalogue, selector)) {
    for (const { name, labels, kind } of series) {
      const metric = byName.get(name) ?? { kind, series: 0, labelNames: new Set<string>() };
      byName.set(name, metric);
      metric.series++;
      if (kind < metric.kind) metric.kind = kind;
      for (const label of labels) metric.labelNames.add(label.name);
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
