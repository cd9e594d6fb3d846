import { signedCrc32 } from "./crc32.ts";
import { assertShardBucketMs } from "./parameters.ts";
import { fmix32 } from "./ring-hash.ts";

/** The times that a JavaScript `Date` can hold, in milliseconds to either side of the epoch. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/**
 * How far a host's buckets are shifted against the clock, so that hosts do not all change owner in the same second:
 * `fmix32(signedCrc32(hostId)) mod shardBucketMs`, and 0 when `shardBucketMs` is 1. It does not depend on the ring's hash or
 * seed.
 *
 * @param shardBucketMs - 1 or a multiple of 3,600,000
 * @returns milliseconds, from 0 to shardBucketMs − 1
 * @throws {RangeError} for another `shardBucketMs`
 */
export function bucketOffset(hostId: string, shardBucketMs: number): number {
  assertShardBucketMs(shardBucketMs);
  return remainder(fmix32(signedCrc32(hostId)), shardBucketMs);
}

/**
 * Start of the bucket that holds `timestampMs`: `floor((t − o) / b) × b + o`, with `o` the host's {@link bucketOffset}
 * and `b` the bucket's length. Exact, also before the epoch.
 *
 * @param timestampMs - integer milliseconds since the epoch
 * @param shardBucketMs - 1 or a multiple of 3,600,000
 * @returns milliseconds since the epoch, in (timestampMs − shardBucketMs, timestampMs]
 * @throws {RangeError} when `timestampMs` is no integer that a `Date` can hold, or for another `shardBucketMs`
 */
export function bucketStart(hostId: string, timestampMs: number, shardBucketMs: number): number {
  assertShardBucketMs(shardBucketMs);
  return bucketStartOfHash(signedCrc32(hostId), timestampMs, shardBucketMs);
}

/**
 * The shard key of a host's bucket, `${hostId}:${bucketStart}`. Looking it up with `owner` and looking up its parts with
 * `ownerOfBucket` give the same member.
 */
export function shardKey(hostId: string, bucketStart: number): string {
  assertBucketStart(bucketStart);
  return `${hostId}:${bucketStart}`;
}

/** {@link bucketStart} for a caller that has the host's CRC-32 and a checked `shardBucketMs` at hand. */
export function bucketStartOfHash(hostCrc32: number, timestampMs: number, shardBucketMs: number): number {
  assertTime("timestampMs", timestampMs, MAX_TIME_MS);
  const offset = remainder(fmix32(hostCrc32), shardBucketMs);
  return timestampMs - remainder(timestampMs - offset, shardBucketMs);
}

/**
 * The remainder of floored division, from 0 to modulus − 1. JavaScript's `%` takes longer than the rest of a lookup.
 *
 * The rounded quotient never reaches the next integer n: it would have to be nearer than 1 / modulus, and half the
 * distance between doubles there is at most n / 2⁵³, which is less while n × modulus is below 2⁵³, as it is for times.
 */
function remainder(value: number, modulus: number): number {
  return value - Math.floor(value / modulus) * modulus;
}

/** @throws {RangeError} when `bucketStart` cannot be the start of a bucket */
export function assertBucketStart(bucketStart: number): void {
  assertTime("bucketStart", bucketStart, Number.MAX_SAFE_INTEGER);
}

function assertTime(name: string, timeMs: number, max: number): void {
  if (Number.isInteger(timeMs) && timeMs <= max && timeMs >= -max) return;
  throw new RangeError(`expected ${name} to be integer milliseconds from ${-max} to ${max}, got ${timeMs}`);
}
