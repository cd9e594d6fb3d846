/**
 * What every holder of a ring must agree on besides its members. Plain data, meant to travel with cluster state: two
 * rings with different parameters give the same key to different members.
 */
export interface RingParameters {
  /**
   * Points of a member of weight 1. Default 150; 1 to 10,000. The relative spread of the shares falls with the square
   * root of it (about 8 % at 150); memory, and the time to change the ring, grow in proportion.
   */
  readonly vnodes: number;

  /**
   * Name of the hash that places members and keys: `crc32-fmix32` (default), `crc32`, or one handed in with `hashes`.
   */
  readonly hash: string;

  /** Mixed into each position, so that rings over the same names can differ. Default 0; unsigned 32-bit integer. */
  readonly seed: number;

  /**
   * How long a host's reports stay with one owner, in milliseconds. Default 3,600,000; either 1, which makes each
   * instant a key of its own, or a multiple of 3,600,000 up to 366 days. Long buckets keep range reads on one member;
   * short ones move a busy host on sooner.
   */
  readonly shardBucketMs: number;

  /** How many owners a key has where the caller gives no number. Default 1; 1 to 255. */
  readonly replicationFactor: number;
}

/** The parameters of a ring that was given none. */
export const defaults: RingParameters = Object.freeze({
  vnodes: 150,
  hash: "crc32-fmix32",
  seed: 0,
  shardBucketMs: 3_600_000,
  replicationFactor: 1,
});

/** The most members a ring takes: owners are kept as 16-bit indexes. */
export const MAX_MEMBERS = 65_536;

/** The most points a single member may ask for by its weight. */
export const MAX_POINTS_PER_MEMBER = 65_536;

/** The most points of a whole ring; its arrays take 24 MB then. */
export const MAX_POINTS = 4_194_304;

const HOUR_MS = 3_600_000;
const MAX_SHARD_BUCKET_MS = 366 * 24 * HOUR_MS;

/**
 * Fills in defaults and checks every field. Whether `hash` is known is not checked here.
 *
 * @throws {TypeError} when a field has the wrong type
 * @throws {RangeError} when a number is out of its range
 */
export function resolveParameters(parameters: Partial<RingParameters> = {}): RingParameters {
  const {
    vnodes = defaults.vnodes,
    hash = defaults.hash,
    seed = defaults.seed,
    shardBucketMs = defaults.shardBucketMs,
    replicationFactor = defaults.replicationFactor,
  } = parameters;
  assertInteger("vnodes", vnodes, 1, 10_000);
  if (typeof hash !== "string") throw new TypeError(`expected hash to be a name, got ${typeof hash}`);
  assertInteger("seed", seed, 0, 0xffffffff);
  assertShardBucketMs(shardBucketMs);
  assertInteger("replicationFactor", replicationFactor, 1, 255);
  // -0 passes as an integer; stored as it came, it would survive a comparison with Object.is.
  return Object.freeze({ vnodes, hash, seed: seed >>> 0, shardBucketMs, replicationFactor });
}

/**
 * @throws {TypeError} when it is no number
 * @throws {RangeError} when it is neither 1 nor a multiple of 3,600,000 up to 366 days
 */
export function assertShardBucketMs(shardBucketMs: number): void {
  if (shardBucketMs === 1) return;
  assertInteger("shardBucketMs", shardBucketMs, 1, MAX_SHARD_BUCKET_MS);
  if (shardBucketMs % HOUR_MS !== 0) {
    throw new RangeError(`expected shardBucketMs to be 1 or a multiple of ${HOUR_MS}, got ${shardBucketMs}`);
  }
}

/**
 * @throws {TypeError} when `value` is no number
 * @throws {RangeError} when it is no integer from `min` to `max`
 */
export function assertInteger(name: string, value: number, min: number, max: number): void {
  if (typeof value !== "number") throw new TypeError(`expected ${name} to be a number, got ${typeof value}`);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`expected ${name} to be an integer from ${min} to ${max}, got ${value}`);
  }
}
