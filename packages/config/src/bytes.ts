import { formatQuantity, parseQuantity, type Units } from "./quantity.ts";

const units: Units = [
  ["TiB", 2 ** 40],
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["B", 1],
];

/**
 * Reads a size: a whole number with `TiB`, `GiB`, `MiB`, `KiB` or `B`, or a bare whole number of bytes. Decimal
 * units (`MB`) are refused, because half of their readers mean the binary ones.
 *
 * @returns bytes, or undefined when `text` is no size or is beyond 2⁵³ − 1 bytes
 * @example
 * parseBytes("4MiB") === 4_194_304
 */
export function parseBytes(text: string): number | undefined {
  return parseQuantity(text, units);
}

/** Writes whole bytes in the largest unit that divides them: `4_194_304` is `4MiB`, `1_500` is `1500B`. */
export function formatBytes(bytes: number): string {
  return formatQuantity(bytes, units);
}
