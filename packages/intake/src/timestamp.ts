/** A time as sent, in milliseconds. */
export interface ReadTimestamp {
  readonly timestampMs: number;
  /** Whether it came in another unit. */
  readonly converted: boolean;
}

/**
 * Reads a time whose unit is told by its magnitude: below 10^11 seconds, below 10^14 milliseconds, below 10^17
 * microseconds, else nanoseconds. These hold for times from 1973 to 5138. Finer units are cut to the millisecond.
 *
 * @param high - upper 32 bits of the unsigned number sent
 * @param low - lower 32 bits
 */
export function readTimestamp(high: number, low: number): ReadTimestamp {
  const sent = high * 2 ** 32 + low;
  if (sent >= 1e11 && sent < 1e14) return { timestampMs: sent, converted: false };
  if (sent < 1e11) return { timestampMs: sent * 1_000, converted: true };
  const exact = (BigInt(high) << 32n) | BigInt(low);
  return { timestampMs: Number(exact / (sent < 1e17 ? 1_000n : 1_000_000n)), converted: true };
}
