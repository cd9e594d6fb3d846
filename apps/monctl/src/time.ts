import { MonctlError } from "./errors.ts";

const unitMs: Readonly<Record<string, number>> = Object.freeze({
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
});
const durationPattern = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/;
const durationPart = /(\d+(?:\.\d+)?)(ms|[smhdw])/g;
const rfc3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/**
 * Reads a length of time such as `500ms`, `10s`, `1h30m` or `7d`, in milliseconds, rounded to a whole one.
 *
 * @param field - what the error calls it, for example `--step`
 * @throws {MonctlError} MONCTL_USAGE when it is no duration, or none above 0
 */
export function parseDuration(text: string, field: string): number {
  const durationMs = durationPattern.test(text) ? Math.round(sumParts(text)) : 0;
  if (durationMs > 0 && Number.isSafeInteger(durationMs)) return durationMs;
  throw new MonctlError("MONCTL_USAGE", `expected ${field} to be a duration above 0, got "${text}"`, {
    hint: "write it with a unit: 500ms, 10s, 5m, 1h30m, 7d",
  });
}

/**
 * Reads an instant, in milliseconds since the Unix epoch: `now`, a duration back from now (`-1h`), RFC 3339 with an
 * offset, or an integer since the epoch whose magnitude tells seconds, milliseconds, microseconds or nanoseconds.
 *
 * @param field - what the error calls it, for example `--start`
 * @throws {MonctlError} MONCTL_USAGE when it is none of these
 */
export function parseInstant(text: string, nowMs: number, field: string): number {
  if (text === "now") return nowMs;
  if (/^[+-]/.test(text) && durationPattern.test(text.slice(1))) {
    const distance = Math.round(sumParts(text.slice(1)));
    return text.startsWith("-") ? nowMs - distance : nowMs + distance;
  }
  if (/^\d{1,19}$/.test(text)) return epochMs(BigInt(text));
  const parsed = parseRfc3339(text);
  if (parsed !== undefined) return parsed;
  throw new MonctlError("MONCTL_USAGE", `expected ${field} to be an instant, got "${text}"`, {
    hint: "write -1h, now, 2026-11-23T17:26:00Z or milliseconds since the epoch",
  });
}

/** Writes a length of time with its two largest units: `45ms`, `3.2s`, `4m 5s`, `2d 3h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)}ms`;
  if (durationMs < 10_000) return `${Math.floor(durationMs / 100) / 10}s`;
  const seconds = Math.floor(durationMs / 1_000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return pair(seconds, 60, "m", 1, "s");
  if (seconds < 86_400) return pair(seconds, 3_600, "h", 60, "m");
  return pair(seconds, 86_400, "d", 3_600, "h");
}

/** Writes how long ago an instant was: `5s ago`, `in 3m 0s`, `never` for 0. */
export function formatAge(instantMs: number, nowMs: number): string {
  if (instantMs === 0) return "never";
  if (instantMs > nowMs) return `in ${formatDuration(instantMs - nowMs)}`;
  return `${formatDuration(nowMs - instantMs)} ago`;
}

/** Writes an instant as RFC 3339 in UTC with milliseconds; instants that no date can hold stay numbers. */
export function formatInstant(instantMs: number): string {
  const date = new Date(instantMs);
  return Number.isNaN(date.getTime()) ? String(instantMs) : date.toISOString();
}

const niceStepsMs = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
].map((seconds) => seconds * 1_000);

/** Picks a round step, in milliseconds, that gives at most 240 values over a range; whole days beyond 240 days. */
export function autoStep(rangeMs: number): number {
  const least = rangeMs / 240;
  return niceStepsMs.find((stepMs) => stepMs >= least) ?? Math.ceil(least / 86_400_000) * 86_400_000;
}

function sumParts(text: string): number {
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(durationPart)) totalMs += Number(count) * unitMs[unit!]!;
  return totalMs;
}

/** The thresholds of the broker's doors: present instants in each unit are a factor of 1,000 apart. */
function epochMs(count: bigint): number {
  if (count < 100_000_000_000n) return Number(count) * 1_000;
  if (count < 100_000_000_000_000n) return Number(count);
  if (count < 100_000_000_000_000_000n) return Number(count / 1_000n);
  return Number(count / 1_000_000n);
}

function parseRfc3339(text: string): number | undefined {
  const fields = rfc3339.exec(text);
  if (fields === null) return undefined;
  // Date.parse accepts 31 February and 24:00 and rolls them over.
  const [year, month, day, hour] = fields.slice(1).map(Number) as [number, number, number, number];
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate() || hour > 23) return undefined;
  const instantMs = Date.parse(text.replace(" ", "T").toUpperCase());
  return Number.isNaN(instantMs) ? undefined : instantMs;
}

function pair(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((seconds % large) / small);
  return rest === 0
    ? `${Math.floor(seconds / large)}${largeUnit}`
    : `${Math.floor(seconds / large)}${largeUnit} ${rest}${smallUnit}`;
}
