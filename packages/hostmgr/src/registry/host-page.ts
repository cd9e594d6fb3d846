import type { Host, HostSource, HostState } from "./host.ts";

/** What hosts are sorted by; equal ones by key. */
export type HostOrder = "key" | "state" | "since" | "lastReport" | "lastHeartbeat" | "agentVersion";

/** What somebody wants to see of the register. */
export interface HostQuery {
  /** Any of these states; all, without. */
  readonly states?: readonly HostState[];
  /** Found by any of these. */
  readonly sources?: readonly HostSource[];
  /** With all of these labels. */
  readonly labels?: ReadonlyMap<string, string>;
  /** In its key or one of its addresses; whether letters are capital does not matter. */
  readonly text?: string;
  readonly isInMaintenance?: boolean;
  /** By key, without. */
  readonly order?: HostOrder;
  readonly isDescending?: boolean;
  /** Hosts a page, 50; 1 to 1,000. */
  readonly limit?: number;
  /** Where the page before ended, {@link HostPage.next}; the first page, without. */
  readonly after?: string;
}

/** Some of the hosts. */
export interface HostPage {
  readonly hosts: readonly Host[];
  /** Hosts that match, on all pages. */
  readonly total: number;
  /** Of those, how many are in each state; states without a host are left out. */
  readonly byState: ReadonlyMap<HostState, number>;
  /** For the next page; undefined on the last one. */
  readonly next: string | undefined;
}

type Place = readonly [value: number | string, key: string];

/** From worst to best: what is sorted by state begins with what needs looking at. */
const stateOrder: readonly HostState[] = [
  "down",
  "suspect",
  "degraded",
  "healthy",
  "registered",
  "identified",
  "discovered",
  "forgotten",
];

const values: Readonly<Record<HostOrder, (host: Host) => number | string>> = {
  key: ({ key }) => key,
  state: ({ state }) => stateOrder.indexOf(state),
  since: ({ sinceMs }) => sinceMs,
  lastReport: ({ lastReportMs }) => lastReportMs ?? -1,
  lastHeartbeat: ({ lastHeartbeatMs }) => lastHeartbeatMs ?? -1,
  agentVersion: ({ agentVersion }) => agentVersion ?? "",
};

/**
 * One page of the hosts that match. A page begins after the place where the one before ended, not after a number of hosts: one
 * that comes or goes meanwhile makes no other appear twice or not at all. O(hosts + matching × log matching).
 *
 * @throws {RangeError} for a limit out of range or a place that no page ended at
 */
export function pageOf(hosts: Iterable<Host>, query: HostQuery = {}): HostPage {
  const { order = "key", isDescending = false, limit = 50, after } = query;
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= 1_000))
    throw new RangeError(`expected limit from 1 to 1000, got ${limit}`);
  const start = after === undefined ? undefined : decodePlace(after, order);
  const placeOf = (host: Host): Place => [values[order](host), host.key];
  const sign = isDescending ? -1 : 1;
  const matches = matcher(query);
  const byState = new Map<HostState, number>();
  const rest: { readonly host: Host; readonly place: Place }[] = [];
  let total = 0;
  for (const host of hosts) {
    if (!matches(host)) continue;
    total++;
    byState.set(host.state, (byState.get(host.state) ?? 0) + 1);
    const place = placeOf(host);
    if (start === undefined || sign * compare(place, start) > 0) rest.push({ host, place });
  }
  rest.sort((a, b) => sign * compare(a.place, b.place));
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  const next = rest.length > limit && last !== undefined ? encodePlace(order, last.place) : undefined;
  return { hosts: page.map(({ host }) => host), total, byState, next };
}

function matcher({ states, sources, labels, text, isInMaintenance }: HostQuery): (host: Host) => boolean {
  const wanted = text?.toLowerCase();
  return (host) =>
    (states === undefined || states.includes(host.state)) &&
    (sources === undefined || sources.some((source) => host.sources.has(source))) &&
    (labels === undefined || [...labels].every(([name, value]) => host.labels.get(name) === value)) &&
    (isInMaintenance === undefined || (host.maintenance !== undefined) === isInMaintenance) &&
    (wanted === undefined ||
      [host.key, ...host.addresses].some((each) => each.toLowerCase().includes(wanted)));
}

function compare(a: Place, b: Place): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] === b[1] ? 0 : a[1] < b[1] ? -1 : 1;
}

function encodePlace(order: HostOrder, [value, key]: Place): string {
  return Buffer.from(JSON.stringify([order, value, key])).toString("base64url");
}

function decodePlace(text: string, order: HostOrder): Place {
  const place = parsed(text);
  // Text and numbers do not compare: the place must be of the order that is asked for.
  const isOfOrder =
    Array.isArray(place) &&
    place[0] === order &&
    /^(string|number)$/.test(typeof place[1]) &&
    typeof place[2] === "string";
  if (!isOfOrder)
    throw new RangeError(`expected the end of a page in order of ${order}, got ${JSON.stringify(text)}`);
  return [place[1], place[2]];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    // No page ended there; the caller says so.
    return undefined;
  }
}
