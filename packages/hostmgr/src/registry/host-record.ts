import type { Host, HostSource, HostState, Maintenance } from "./host.ts";

/** What brokers agree on of a host: who it is, and how it is. What was checked and when it reported stays with its owner. */
export interface HostRecord {
  readonly key: string;
  readonly hostId: string | undefined;
  readonly addresses: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  /** Who knows of it, in order, and whether for a time only. Until when, its owner knows: renewals write nothing. */
  readonly sources: readonly { readonly source: HostSource; readonly isLeased: boolean }[];
  readonly agentVersion: string | undefined;
  readonly state: HostState;
  readonly sinceMs: number;
  /** Why it is so. */
  readonly reason: string;
  /** Whether it sends heartbeats, and is judged by them. */
  readonly isBeating: boolean;
  /** Its state changes so often that it is not followed here until it is calm. */
  readonly isFlapping: boolean;
  readonly maintenance: Maintenance | undefined;
}

/** What brokers are to agree on of a host. */
export function recordOf(host: Host, isFlapping = false): HostRecord {
  const { key, hostId, addresses, labels, agentVersion, state, sinceMs, maintenance } = host;
  const reason = (host.transitions.at(-1)?.reason ?? "").slice(0, reasonMax);
  const isBeating = host.lastHeartbeatMs !== undefined;
  const sources = [...host.sources]
    .map(([source, { expiresAtMs }]) => ({ source, isLeased: expiresAtMs !== undefined }))
    .sort((a, b) => (a.source < b.source ? -1 : 1));
  const how = { state, sinceMs, reason, isBeating, isFlapping, maintenance };
  return { key, hostId, addresses, labels, sources, agentVersion, ...how };
}

/** Characters of a reason that are agreed on. */
const reasonMax = 200;

/** A record as a list of what JSON has; short, since there may be 100,000. */
export type RecordRow = readonly [
  key: string,
  hostId: string | null,
  addresses: readonly string[],
  labels: readonly (readonly [string, string])[],
  sources: readonly (readonly [HostSource, isLeased: 0 | 1])[],
  agentVersion: string | null,
  state: HostState,
  sinceMs: number,
  reason: string,
  /** 1 beats, 2 flaps, or their sum. */
  flags: 0 | 1 | 2 | 3,
  maintenance: readonly [untilMs: number | null, by: string, reason: string] | null,
];

/** Equal records give equal rows. */
export function rowOf(record: HostRecord): RecordRow {
  const { key, hostId, addresses, labels, sources, agentVersion, maintenance } = record;
  const { state, sinceMs, reason, isBeating, isFlapping } = record;
  return [
    key,
    hostId ?? null,
    addresses,
    [...labels].sort(([a], [b]) => (a < b ? -1 : 1)),
    sources.map(({ source, isLeased }) => [source, isLeased ? 1 : 0]),
    agentVersion ?? null,
    state,
    sinceMs,
    reason,
    isBeating ? (isFlapping ? 3 : 1) : isFlapping ? 2 : 0,
    maintenance === undefined ? null : [maintenance.untilMs ?? null, maintenance.by, maintenance.reason],
  ];
}

const states: ReadonlySet<unknown> = new Set<HostState>([
  "discovered",
  "identified",
  "registered",
  "healthy",
  "degraded",
  "suspect",
  "down",
  "forgotten",
]);
const sourceNames: ReadonlySet<unknown> = new Set<HostSource>(["scan", "multicast", "file", "api", "report"]);

const isText = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.length <= max;
const isTime = (value: unknown): value is number => Number.isSafeInteger(value);
const isList = (value: unknown, max: number): value is unknown[] =>
  Array.isArray(value) && value.length <= max;
const isPair = (value: unknown): value is [unknown, unknown] => Array.isArray(value) && value.length === 2;

/** Reads what {@link rowOf} wrote; undefined when it is nothing of the kind. */
export function recordOfRow(row: unknown): HostRecord | undefined {
  if (!Array.isArray(row) || row.length !== 11) return undefined;
  const [key, hostId, addresses, labels, sources, agentVersion, state, sinceMs, reason, flags, maintenance] =
    row;
  const isFine =
    isText(key, 320) &&
    key !== "" &&
    (hostId === null || isText(hostId, 128)) &&
    isList(addresses, 8) &&
    addresses.every((each) => isText(each, 320)) &&
    isList(labels, 64) &&
    labels.every((each) => isPair(each) && isText(each[0], 1_024) && isText(each[1], 2_048)) &&
    isList(sources, 5) &&
    sources.every((each) => isPair(each) && sourceNames.has(each[0]) && (each[1] === 0 || each[1] === 1)) &&
    (agentVersion === null || isText(agentVersion, 128)) &&
    states.has(state) &&
    isTime(sinceMs) &&
    isText(reason, reasonMax) &&
    (flags === 0 || flags === 1 || flags === 2 || flags === 3) &&
    (maintenance === null ||
      (isList(maintenance, 3) &&
        (maintenance[0] === null || isTime(maintenance[0])) &&
        isText(maintenance[1], 128) &&
        isText(maintenance[2], 1_024)));
  if (!isFine) return undefined;
  // Checked field by field above, so the cast holds.
  const known = row as unknown as RecordRow;
  const maintained = known[10];
  return {
    key: known[0],
    hostId: known[1] ?? undefined,
    addresses: known[2],
    labels: new Map(known[3]),
    sources: known[4].map(([source, isLeased]) => ({ source, isLeased: isLeased === 1 })),
    agentVersion: known[5] ?? undefined,
    state: known[6],
    sinceMs: known[7],
    reason: known[8],
    isBeating: (known[9] & 1) !== 0,
    isFlapping: (known[9] & 2) !== 0,
    maintenance:
      maintained === null
        ? undefined
        : { untilMs: maintained[0] ?? undefined, by: maintained[1], reason: maintained[2] },
  };
}
