import { assertBucketMs } from "./keys/host-buckets.ts";

/** How a Redis store keeps data. */
export interface RedisStoreOptions {
  /** What all keys begin with, `monitor`. Stores with different prefixes share a Redis without meeting. */
  readonly prefix?: string;
  /**
   * How long the stretch of a host is whose fragments share a hash, 3,600,000 ms; it divides that. With 1 each instant has a
   * key of its own, which costs five times the server's CPU and four times the overhead in memory. It may be changed: data
   * written before is found all the same.
   */
  readonly bucketMs?: number;
  /**
   * How long data is kept from the end of its bucket, by its own time, 604,800,000 ms (7 days); infinite to keep it until
   * it is trimmed. A function is asked for each bucket of a host, so it may tell hosts apart and change its mind: what was
   * written before keeps its expiry.
   */
  readonly retentionMs?: number | ((hostId: string) => number);
  /** How long what is known of a host outlives its newest data, 2,592,000,000 ms (30 days); never less than the data. */
  readonly hostRetentionMs?: number;
  /** Servers that must have a write before it is acknowledged, the primary among them, 1. */
  readonly copies?: number;
  /** Series that a host may have before new ones are refused, 50,000. */
  readonly maxSeriesPerHost?: number;
  /**
   * Hosts whose series a writer keeps in mind, 200,000; one that is forgotten costs a round trip when it is written to
   * again.
   */
  readonly rememberedHosts?: number;
}

/** Options with the defaults filled in. */
export interface ResolvedStoreOptions extends Required<Omit<RedisStoreOptions, "retentionMs">> {
  readonly retentionMs: (hostId: string) => number;
}

const dayMs = 86_400_000;

/** What holds where an option is not given. */
export const storeDefaults: Readonly<Required<RedisStoreOptions>> = Object.freeze({
  prefix: "monitor",
  bucketMs: 3_600_000,
  retentionMs: 7 * dayMs,
  hostRetentionMs: 30 * dayMs,
  copies: 1,
  maxSeriesPerHost: 50_000,
  rememberedHosts: 200_000,
});

const ranges = {
  copies: [1, 64],
  maxSeriesPerHost: [1, 10_000_000],
  rememberedHosts: [1, 10_000_000],
} as const;

/** Fills in the defaults. @throws {RangeError} naming the option that is out of range, with the value it got */
export function resolveStoreOptions(options: RedisStoreOptions = {}): ResolvedStoreOptions {
  const resolved = { ...storeDefaults, ...options };
  assertBucketMs(resolved.bucketMs);
  for (const [name, [min, max]] of Object.entries(ranges)) {
    // Object.entries forgets that the names are those of `ranges`.
    const value = resolved[name as keyof typeof ranges];
    if (!Number.isInteger(value) || value < min || value > max)
      throw new RangeError(`expected ${name} to be an integer from ${min} to ${max}, got ${value}`);
  }
  const { retentionMs, hostRetentionMs } = resolved;
  assertRetention("hostRetentionMs", hostRetentionMs);
  if (typeof retentionMs === "function") return { ...resolved, retentionMs };
  assertRetention("retentionMs", retentionMs);
  return { ...resolved, retentionMs: () => retentionMs };
}

function assertRetention(name: string, value: number): void {
  if (value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && value > 0 && value <= 1e15)) return;
  throw new RangeError(`expected ${name} to be whole milliseconds above 0, or infinite, got ${value}`);
}
