import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketOffset, bucketStart, createRing, shardKey } from "../src/index.ts";
import { check, ids, timestampMs } from "./arbitraries.ts";
import { oracleBucketStart } from "./oracle.ts";

const lengths = fc.oneof(
  fc.constant(1),
  fc.integer({ min: 1, max: 366 * 24 }).map((hours) => hours * 3_600_000),
);

describe("a bucket's start (R5)", () => {
  it("equals exact integer arithmetic for any host, time and length", () => {
    check(
      fc.property(ids, timestampMs, lengths, (hostId, timestampMs, shardBucketMs) => {
        const start = bucketStart(hostId, timestampMs, shardBucketMs);
        expect(start).toBe(oracleBucketStart(hostId, timestampMs, shardBucketMs));
        expect(timestampMs - start).toBeLessThan(shardBucketMs);
        // The bucket of the earliest time there is begins before it.
        if (start <= -8_640_000_000_000_000) return;
        expect(bucketStart(hostId, start, shardBucketMs)).toBe(start);
        expect(bucketStart(hostId, start - 1, shardBucketMs)).toBe(start - shardBucketMs);
      }),
      1000,
    );
  });

  it("is the time itself when buckets are 1 ms long", () => {
    expect(bucketStart("web-1", 1_700_000_001_234, 1)).toBe(1_700_000_001_234);
    expect(bucketOffset("web-1", 1)).toBe(0);
  });

  it("differs between hosts, so that they do not all change owner at once", () => {
    const offsets = new Set(Array.from({ length: 1000 }, (_, i) => bucketOffset(`web-${i}`, 3_600_000)));
    expect(offsets.size).toBeGreaterThan(990);
  });

  it.each([0, 2, 1000, 3_600_001, -3_600_000, 367 * 86_400_000, Number.NaN, Number.POSITIVE_INFINITY])(
    "refuses a length of %d",
    (shardBucketMs) => {
      expect(() => bucketStart("web-1", 0, shardBucketMs)).toThrow(RangeError);
      expect(() => bucketOffset("web-1", shardBucketMs)).toThrow(RangeError);
      expect(() => createRing({ parameters: { shardBucketMs } })).toThrow(/shardBucketMs/);
    },
  );

  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, 8_640_000_000_000_001, -8_640_000_000_000_001])(
    "refuses the time %d",
    (timestampMs) => {
      const ring = createRing({ members: [{ id: "a" }] });
      expect(() => bucketStart("web-1", timestampMs, 3_600_000)).toThrow(RangeError);
      expect(() => ring.ownerOf("web-1", timestampMs)).toThrow(RangeError);
      expect(() => ring.ownersOf("web-1", timestampMs)).toThrow(RangeError);
    },
  );

  it.each([1.5, Number.NaN, 2 ** 53, -(2 ** 53)])("refuses %d as the start of a bucket", (start) => {
    const ring = createRing({ members: [{ id: "a" }] });
    expect(() => shardKey("web-1", start)).toThrow(RangeError);
    expect(() => ring.ownerOfBucket("web-1", start)).toThrow(RangeError);
    expect(() => ring.ownersOfBucket("web-1", start)).toThrow(RangeError);
    expect(() => ring.positionOfBucket("web-1", start)).toThrow(RangeError);
  });
});
