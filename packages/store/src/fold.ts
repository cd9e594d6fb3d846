import type { Sample } from "./sample.ts";

/**
 * The order in which values of one series and instant win over each other (R4): numbers over NaN, then IEEE 754
 * totalOrder, then the flags; the greatest wins. Total, so that every store and broker keeps the same value whatever
 * the order of arrival. Works on the bits of doubles, each in two 32-bit halves, because JavaScript does not keep a
 * NaN's payload when it passes one on as a number.
 *
 * @returns negative when `a` loses, positive when it wins, 0 when both are the same to the bit
 */
export function compareBits(
  aHigh: number,
  aLow: number,
  aFlags: number,
  bHigh: number,
  bLow: number,
  bFlags: number,
): number {
  const aIsNaN = isNaNBits(aHigh, aLow);
  if (aIsNaN !== isNaNBits(bHigh, bLow)) return aIsNaN ? -1 : 1;
  const byHigh = orderedHigh(aHigh | 0) - orderedHigh(bHigh | 0);
  if (byHigh !== 0) return byHigh;
  const byLow = (aLow >>> 0) - (bLow >>> 0);
  if (byLow !== 0) return (aHigh | 0) < 0 ? -byLow : byLow;
  return aFlags - bFlags;
}

function isNaNBits(high: number, low: number): boolean {
  const magnitude = high & 0x7fffffff;
  return magnitude > 0x7ff00000 || (magnitude === 0x7ff00000 && low !== 0);
}

/** Maps the signed upper half of a double so that integer order is totalOrder. */
function orderedHigh(high: number): number {
  return high < 0 ? -(high & 0x7fffffff) - 1 : high;
}

/** The bits of a double, in two unsigned 32-bit halves. */
export interface ValueBits {
  readonly high: number;
  readonly low: number;
}

const scratch = new DataView(new ArrayBuffer(8));

/** The bits of a sample's value. */
export function valueBits(sample: Pick<Sample, "value" | "nan">): ValueBits {
  if (sample.nan !== undefined) return sample.nan;
  scratch.setFloat64(0, sample.value);
  return { high: scratch.getUint32(0), low: scratch.getUint32(4) };
}

/** {@link compareBits} of two samples. */
export function compareSamples(
  a: Pick<Sample, "value" | "nan" | "flags">,
  b: Pick<Sample, "value" | "nan" | "flags">,
): number {
  const bitsOfA = valueBits(a);
  const bitsOfB = valueBits(b);
  return compareBits(bitsOfA.high, bitsOfA.low, a.flags, bitsOfB.high, bitsOfB.low, b.flags);
}
