import type { Host, HostLatest, LatestValue } from "@mon/proto";
import { type Freshness, freshnessOf } from "./freshness.ts";
import { COLUMN_VITALS, type Labels, type Vital } from "./vital.ts";

/** Last values of a host's vitals; what it does not report is missing. */
export type VitalValues = Readonly<Partial<Record<Vital["id"], number>>>;

/** One metric of a host that has no vitals. */
export interface RecentMetric {
  readonly name: string;
  readonly value: number;
}

/** A host as the page knows it. */
export interface HostRow {
  readonly id: string;
  /** Its newest instant; 0 when it has registered but never reported. */
  readonly lastSeenMs: number;
  /** The broker's clock when `lastSeenMs` was read. */
  readonly asOfMs: number;
  /** The least distance of two newest instants that the page has seen; null before the second. */
  readonly intervalMs: number | null;
  readonly freshness: Freshness;
  readonly series: number;
  readonly agent: string;
  readonly vitals: VitalValues;
  /** Its newest metrics, for a host without vitals. */
  readonly recent: readonly RecentMetric[];
}

/** The most recent metrics that are kept of a host without vitals. */
const RECENT_MAX = 3;

/** Labels as a map. */
export function labelsOf(labels: readonly { name: string; value: string }[]): Labels {
  return new Map(labels.map(({ name, value }) => [name, value]));
}

/** A host's row from what its list entry says now and from what was known of it. */
export function rowFromHost(host: Host, before: HostRow | undefined, asOfMs: number): HostRow {
  const row: HostRow = before ?? {
    id: host.hostId,
    lastSeenMs: 0,
    asOfMs,
    intervalMs: null,
    freshness: "never",
    series: 0,
    agent: "",
    vitals: {},
    recent: [],
  };
  const agent = [host.metadata.agent_name, host.metadata.agent_version].filter(Boolean).join(" ");
  return seen({ ...row, series: host.series, agent }, Number(host.lastSeenMs), asOfMs);
}

/** A host's row with the last values that were read of it. */
export function rowWithLatest(row: HostRow, latest: HostLatest, asOfMs: number): HostRow {
  return { ...seen(row, Number(latest.lastSeenMs), asOfMs), vitals: vitalsOf(latest.values) };
}

/** A host's row with its newest metrics by name. */
export function rowWithRecent(row: HostRow, values: readonly LatestValue[]): HostRow {
  const recent = values
    .filter((value) => value.sample !== undefined)
    .sort((a, b) => Number(b.timestampMs - a.timestampMs))
    .slice(0, RECENT_MAX)
    .map(({ sample }) => ({ name: sample!.name, value: sample!.value }));
  return { ...row, recent };
}

function seen(row: HostRow, lastSeenMs: number, asOfMs: number): HostRow {
  const newest = Math.max(row.lastSeenMs, lastSeenMs);
  const distanceMs = row.lastSeenMs > 0 ? newest - row.lastSeenMs : 0;
  const intervalMs = distanceMs > 0 ? Math.min(distanceMs, row.intervalMs ?? distanceMs) : row.intervalMs;
  return {
    ...row,
    lastSeenMs: newest,
    asOfMs,
    intervalMs,
    freshness: freshnessOf(newest, asOfMs, intervalMs),
  };
}

function vitalsOf(values: readonly LatestValue[]): VitalValues {
  const samples = values.flatMap((value) => value.sample ?? []);
  const vitals: Partial<Record<Vital["id"], number>> = {};
  for (const vital of COLUMN_VITALS) {
    const own = samples.filter((sample) => sample.name === vital.name);
    if (own.length === 0) continue;
    const [line] = vital.lines(
      own.map((sample) => labelsOf(sample.labels)),
      true,
    );
    const value = line?.combine(own.map((sample) => sample.value));
    if (value !== undefined) vitals[vital.id] = value;
  }
  return vitals;
}

/** Whether a host reports any of the figures that the table has columns for. */
export function hasVitals(row: HostRow): boolean {
  return Object.keys(row.vitals).length > 0;
}
