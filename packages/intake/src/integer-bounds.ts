/** The range of an option that is an integer; both ends included. */
export type IntegerBounds = readonly [min: number, max: number];

/**
 * Checks options that are integers.
 *
 * @throws {RangeError} that names the first that is out of range, and the value it got
 */
export function assertIntegers<T extends object>(
  options: T,
  bounds: Readonly<Partial<Record<keyof T, IntegerBounds>>>,
): void {
  // Object.entries forgets what the keys are.
  for (const [name, [min, max]] of Object.entries(bounds) as [keyof T & string, IntegerBounds][]) {
    const value: unknown = options[name];
    if (!Number.isInteger(value) || Number(value) < min || Number(value) > max) {
      throw new RangeError(`expected ${name} to be an integer from ${min} to ${max}, got ${String(value)}`);
    }
  }
}
