import { blockMs, blockStart } from "@mon/store";

/** @throws {RangeError} when buckets of this length would straddle blocks */
export function assertBucketMs(bucketMs: number): void {
  if (Number.isInteger(bucketMs) && bucketMs >= 1 && blockMs % bucketMs === 0) return;
  throw new RangeError(`expected bucketMs to divide ${blockMs}, got ${bucketMs}`);
}

/**
 * The buckets of one host: stretches of `bucketMs` that share a hash. They are shifted as the host's blocks are (R6), so
 * that each lies in one block.
 */
export class HostBuckets {
  readonly bucketMs: number;
  /** Where blocks, and with them buckets, begin against the clock. */
  readonly #offsetMs: number;

  constructor(hostId: string, bucketMs: number) {
    this.bucketMs = bucketMs;
    this.#offsetMs = blockStart(hostId, blockMs) % blockMs;
  }

  /** The start of the bucket that holds an instant. */
  startOf(timestampMs: number): number {
    return timestampMs - remainder(timestampMs - this.#offsetMs, this.bucketMs);
  }

  /** The start of the block that holds an instant. */
  blockOf(timestampMs: number): number {
    return timestampMs - remainder(timestampMs - this.#offsetMs, blockMs);
  }
}

/** Of floored division. Exact for times and lengths of up to an hour; quicker than `%`. */
function remainder(value: number, modulus: number): number {
  return value - Math.floor(value / modulus) * modulus;
}
