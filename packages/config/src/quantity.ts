/** A unit and its size in base units, the largest first. */
export type Units = readonly (readonly [name: string, size: number])[];

/**
 * Reads a whole number with an optional unit.
 *
 * @returns the number in base units, or undefined when `text` is none or not exactly representable
 */
export function parseQuantity(text: string, units: Units): number | undefined {
  const match = /^(\d{1,16})([A-Za-z]{0,3})$/.exec(text);
  if (match === null) return undefined;
  const [, digits = "", unit = ""] = match;
  const size = unit === "" ? 1 : units.find(([name]) => name === unit)?.[1];
  if (size === undefined) return undefined;
  const value = Number(digits) * size;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Writes `value` in the largest unit that divides it; {@link parseQuantity} gives the same number back. */
export function formatQuantity(value: number, units: Units): string {
  if (value === 0) return "0";
  const [name, size] = units.find(([, size]) => value % size === 0) ?? units.at(-1)!;
  return `${value / size}${name}`;
}
