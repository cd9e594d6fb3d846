import { formatDuration } from "./unit.ts";

/** How recent a host's newest data is. */
export type Freshness = "fresh" | "stale" | "silent" | "never";

/** After this long without data a host whose rhythm is not known is stale. */
const STALE_MS = 60_000;
/** A rhythm quicker than this is not held against a host: one late report is no news. */
const STALE_MS_MIN = 10_000;
/** After this long a host counts as silent, whatever its rhythm. */
const SILENT_MS = 300_000;

/**
 * How long a host may be quiet before it is stale: three of its intervals, at least ten seconds; a minute while its
 * interval is not known.
 */
function staleAfterMs(intervalMs: number | null): number {
  return intervalMs === null ? STALE_MS : Math.max(STALE_MS_MIN, 3 * intervalMs);
}

/**
 * Judges a host by the age that its data had when it was last looked up, so that a page that stopped asking does not
 * declare its hosts dead.
 *
 * @param lastSeenMs - its newest instant; 0 when it has registered but never reported
 * @param asOfMs - the broker's clock when that was read
 * @param intervalMs - between its reports; null while not known
 */
export function freshnessOf(lastSeenMs: number, asOfMs: number, intervalMs: number | null): Freshness {
  if (lastSeenMs === 0) return "never";
  const ageMs = asOfMs - lastSeenMs;
  const limitMs = staleAfterMs(intervalMs);
  if (ageMs <= limitMs) return "fresh";
  return ageMs <= Math.max(SILENT_MS, 3 * limitMs) ? "stale" : "silent";
}

/** How long ago an instant was: `now` within two seconds, else `12 s ago`; the future is `in 5 s`. */
export function formatAge(instantMs: number, nowMs: number): string {
  const ageMs = nowMs - instantMs;
  if (Math.abs(ageMs) < 2_000) return "now";
  return ageMs > 0 ? `${formatDuration(ageMs)} ago` : `in ${formatDuration(-ageMs)}`;
}

/** An instant to the millisecond in UTC, for hovering: `2026-11-23 17:26:00.250 UTC`. */
export function formatInstant(instantMs: number): string {
  return new Date(instantMs).toISOString().replace("T", " ").replace("Z", " UTC");
}
