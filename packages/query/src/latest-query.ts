import type { HostLatest, MetricStore } from "@mon/store";
import { invalidField } from "./errors.ts";
import { Pace, type QueryControl } from "./pace.ts";
import { type Conditions, conditionsOf, type Selection } from "./selection.ts";

/** Where last values come from: what a latest query needs of a store. */
export type LatestSource = Pick<MetricStore, "hosts" | "latest">;

/** The last values of hosts. */
export interface LatestRequest extends Selection {
  /** Hosts by id, at most {@link hostIdsMax}; absent for all. */
  readonly hostIds?: readonly string[];
  /** Hosts looked at for a page, from 1 to {@link pageSizeMax}; default 1,000. Not used when hosts are named. */
  readonly pageSize?: number;
  /** Goes on after this host: {@link LatestPage.next} of the page before. */
  readonly after?: string;
}

/** Last values of some hosts. */
export interface LatestPage {
  /** In order of id; hosts without a series that matches are left out, so that a page may be empty. */
  readonly hosts: readonly HostLatest[];
  /** Where to go on; absent at the end. */
  readonly next?: string;
}

/** Control of a latest query. */
export interface LatestQueryOptions extends QueryControl {
  /** Samples after which a page ends, between hosts. Default 200,000. */
  readonly samplesPerPage?: number;
}

/** How many hosts a request may name. */
export const hostIdsMax = 10_000;
/** How many hosts may be looked at for a page. */
export const pageSizeMax = 10_000;

/** Hosts whose last values are looked up at once: bounds what is held besides the page. */
const hostsPerLookup = 16;

/**
 * The last value of each series that matches, as it was stored, a page of hosts at a time. A page ends at `pageSize`
 * hosts or at `samplesPerPage` samples, whichever is first.
 *
 * @throws {QueryError} QUERY_INVALID, QUERY_CANCELLED; errors of the store pass through
 */
export async function queryLatest(
  store: LatestSource,
  request: LatestRequest,
  options: LatestQueryOptions = {},
): Promise<LatestPage> {
  const { samplesPerPage = 200_000 } = options;
  if (!Number.isSafeInteger(samplesPerPage) || samplesPerPage < 1) {
    throw new RangeError(`expected samplesPerPage to be a whole number of at least 1, got ${samplesPerPage}`);
  }
  const conditions = conditionsOf(request);
  const pace = new Pace(options);
  pace.assertNotCancelled();
  const { hostIds, hasMore } = await hostsOfPage(store, request);
  const hosts: HostLatest[] = [];
  let samples = 0;
  for (let start = 0; start < hostIds.length; start += hostsPerLookup) {
    const looked = hostIds.slice(start, start + hostsPerLookup);
    const latest = await store.latest(looked.filter((hostId) => conditions.matchesHost(hostId)));
    let seen = looked.length;
    for (const host of latest) {
      const matching = matchingOf(host, conditions);
      seen += host.samples.length;
      samples += matching.samples.length;
      if (matching.samples.length > 0) hosts.push(matching);
    }
    const last = looked.at(-1)!;
    if (samples >= samplesPerPage && (hasMore || last !== hostIds.at(-1))) return { hosts, next: last };
    pace.assertNotCancelled();
    if (pace.isSpent(seen)) await pace.breathe();
  }
  return hasMore ? { hosts, next: hostIds.at(-1)! } : { hosts };
}

/** Hosts to look at, in order of id, and whether others follow. */
async function hostsOfPage(
  store: LatestSource,
  { hostIds, pageSize = 1_000, after }: LatestRequest,
): Promise<{ hostIds: readonly string[]; hasMore: boolean }> {
  if (hostIds !== undefined) {
    if (hostIds.length > hostIdsMax)
      throw invalidField("hostIds", `to be at most ${hostIdsMax}`, hostIds.length);
    const named = [...new Set(hostIds)].sort();
    return { hostIds: after === undefined ? named : named.filter((id) => id > after), hasMore: false };
  }
  if (!Number.isSafeInteger(pageSize) || pageSize < 1 || pageSize > pageSizeMax) {
    throw invalidField("pageSize", `to be from 1 to ${pageSizeMax}`, pageSize);
  }
  const entries = await store.hosts({ limit: pageSize + 1, ...(after !== undefined && { after }) });
  const page = entries.slice(0, pageSize);
  return { hostIds: page.map((entry) => entry.hostId), hasMore: entries.length > page.length };
}

function matchingOf(host: HostLatest, conditions: Conditions): HostLatest {
  return { ...host, samples: host.samples.filter((sample) => conditions.matchesSeries(sample)) };
}
