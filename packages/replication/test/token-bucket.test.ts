import { SeededRandom } from "@mon/raft/testing";
import { expect, it } from "vitest";
import { TokenBucket } from "../src/index.ts";

it("lets through no more than the burst and the rate, whoever takes how much", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed);
    const rate = random.between(100, 100_000);
    const bucket = new TokenBucket(rate, 0);
    let [nowMs, taken] = [0, 0];
    for (let i = 0; i < 500; i++) {
      const bytes = random.below(5_000);
      nowMs += bucket.take(bytes, nowMs);
      taken += bytes;
      expect(taken).toBeLessThanOrEqual(rate + (rate * nowMs) / 1_000 + 1e-3);
      if (random.chance(0.2)) nowMs += random.below(200);
    }
    // And no less, when somebody always wants more.
    for (let i = 0; i < 500; i++) nowMs += bucket.take(1_000, nowMs);
    const beganMs = nowMs;
    for (let i = 0; i < 500; i++) nowMs += bucket.take(1_000, nowMs);
    expect(nowMs - beganMs).toBeLessThanOrEqual((500_000 / rate) * 1_000 + 501);
  }
});

it("takes another rate from now on, and no other than a positive one", () => {
  const bucket = new TokenBucket(1_000, 0);
  bucket.setRate(100, 0);
  expect([bucket.take(100, 0), bucket.take(100, 0), bucket.bytesPerSecond]).toEqual([0, 1_000, 100]);
  expect(() => bucket.setRate(0, 0)).toThrow(RangeError);
  expect(() => new TokenBucket(Number.NaN, 0)).toThrow(RangeError);
});
