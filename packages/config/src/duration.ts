import { formatQuantity, parseQuantity, type Units } from "./quantity.ts";

const units: Units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/**
 * Reads a duration: a whole number with `d`, `h`, `m`, `s` or `ms`, or a bare whole number of milliseconds.
 *
 * @returns milliseconds, or undefined when `text` is no duration or is beyond 2⁵³ − 1 ms
 * @example
 * parseDuration("7d") === 604_800_000
 */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, units);
}

/** Writes whole milliseconds in the largest unit that divides them: `604_800_000` is `7d`, `1_500` is `1500ms`. */
export function formatDuration(ms: number): string {
  return formatQuantity(ms, units);
}
