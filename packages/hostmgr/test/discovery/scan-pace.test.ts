import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ProbeOutcome, ScanPace, type ScanPaceOptions } from "../../src/index.ts";

/** Probes as fast as the pace allows, in virtual time. @returns when each began, and how many were under way at most */
function run(
  forMs: number,
  options: Partial<ScanPaceOptions>,
  probe: (nowMs: number) => { outcome: ProbeOutcome; tookMs: number },
): { begunMs: number[]; most: number; pace: ScanPace } {
  const pace = new ScanPace(0, options);
  const under: { endMs: number; outcome: ProbeOutcome; tookMs: number }[] = [];
  const begunMs: number[] = [];
  let most = 0;
  for (let nowMs = 0; nowMs < forMs; nowMs++) {
    for (const done of under.filter(({ endMs }) => endMs <= nowMs)) {
      under.splice(under.indexOf(done), 1);
      pace.ended(done.outcome, done.tookMs, nowMs);
    }
    while (pace.waitMs(nowMs) === 0) {
      const { outcome, tookMs } = probe(nowMs);
      pace.began(nowMs);
      begunMs.push(nowMs);
      under.push({ endMs: nowMs + tookMs, outcome, tookMs });
      most = Math.max(most, under.length);
    }
  }
  return { begunMs, most, pace };
}

const refused = { outcome: "refused", tookMs: 2 } as const;
const silent = { outcome: "silent", tookMs: 100 } as const;

describe("a scan", () => {
  it("keeps its rate within 5 %, in every second", () => {
    const { begunMs } = run(10_000, { ratePerSecond: 500 }, () => refused);
    for (let second = 1; second < 10; second++) {
      const begun = begunMs.filter((ms) => ms >= second * 1_000 && ms < (second + 1) * 1_000).length;
      expect(begun).toBeGreaterThan(475);
      expect(begun).toBeLessThan(525);
    }
  });

  it("does not make up for a pause with a burst", () => {
    const pace = new ScanPace(0);
    let burst = 0;
    while (pace.waitMs(60_000) === 0) {
      pace.began(60_000);
      burst++;
    }
    expect(burst).toBe(50);
    expect(pace.waitMs(60_000)).toBe(2);
  });

  it("has no more probes under way than it may, and waits for one to end", () => {
    const { most, begunMs } = run(1_000, { concurrency: 16, ratePerSecond: 100_000 }, () => silent);
    expect(most).toBe(16);
    expect(begunMs.length).toBeLessThanOrEqual(160 + 16);
    const pace = new ScanPace(0, { concurrency: 1 });
    pace.began(0);
    expect(pace.waitMs(9)).toBeUndefined();
  });

  it("halves what is under way when sockets run out, and takes it up again", () => {
    const pace = new ScanPace(0, { concurrency: 128 });
    for (const window of [64, 32, 16, 8, 4, 2, 1, 1]) {
      pace.began(0);
      pace.ended("exhausted", 0, 0);
      expect(pace.window).toBe(window);
    }
    for (let nowMs = 0; nowMs < 60_000; nowMs += 10) {
      pace.began(nowMs);
      pace.ended("refused", 1, nowMs);
    }
    expect(pace.window).toBe(128);
  });

  it("halves it when silence doubles, and not where silence is usual", () => {
    const usual = run(10_000, { concurrency: 64 }, (ms) => (ms % 10 < 9 ? silent : refused));
    expect(usual.pace.window).toBe(64);
    const strained = run(4_500, { concurrency: 64 }, (ms) => (ms < 3_000 || ms % 4 < 2 ? refused : silent));
    expect(strained.pace.window).toBe(32);
  });

  it("waits as long as answers take, with room, within its bounds", () => {
    expect(new ScanPace(0).timeoutMs).toBe(500);
    const near = run(5_000, {}, () => ({ outcome: "open", tookMs: 1 }));
    expect(near.pace.timeoutMs).toBe(100);
    const far = run(20_000, {}, (ms) => ({ outcome: "open", tookMs: 200 + (ms % 100) }));
    expect(far.pace.timeoutMs).toBeGreaterThan(300);
    expect(far.pace.timeoutMs).toBeLessThan(500);
    expect(run(20_000, {}, () => ({ outcome: "open", tookMs: 5_000 })).pace.timeoutMs).toBe(1_250);
  });

  it("never has a window below 1 or above what was asked for, nor a rate above it, whatever happens", () => {
    const outcome = fc.constantFrom<ProbeOutcome>("open", "refused", "silent", "exhausted");
    fc.assert(
      fc.property(fc.array(fc.tuple(outcome, fc.nat(300)), { minLength: 1 }), (fates) => {
        let next = 0;
        const { begunMs, most, pace } = run(3_000, { concurrency: 32, ratePerSecond: 300 }, () => {
          const [fate, tookMs] = fates[next++ % fates.length]!;
          return { outcome: fate, tookMs };
        });
        expect(most).toBeLessThanOrEqual(32);
        expect(pace.window).toBeGreaterThanOrEqual(1);
        expect(begunMs.length).toBeLessThanOrEqual(900 + 30);
      }),
      { numRuns: 50 },
    );
  });

  it("refuses options that make no sense", () => {
    expect(() => new ScanPace(0, { concurrency: 5_000 })).toThrow(
      "expected concurrency from 1 to 1024, got 5000",
    );
    expect(() => new ScanPace(0, { ratePerSecond: Number.NaN })).toThrow("got NaN");
  });
});
