import { describe, expect, it } from "vitest";
import { MassFailureGuard } from "../../src/index.ts";

const round = 30_000;

describe("the guard", () => {
  it("lets a few hosts go down", () => {
    const guard = new MassFailureGuard();
    expect(guard.round({ nowMs: 0, standing: 100, looking: 15 })).toBe(true);
  });

  it("holds back when more than 15 % look down, and says with what", () => {
    const guard = new MassFailureGuard();
    expect(guard.round({ nowMs: 0, standing: 100, looking: 16 })).toBe(false);
    expect(guard.alarm(0)).toEqual({ sinceMs: 0, failing: 16, of: 100, endsAtMs: undefined });
  });

  it("sees those that fell one after another within two minutes", () => {
    const guard = new MassFailureGuard();
    for (const nowMs of [0, 1, 2]) {
      expect(guard.round({ nowMs, standing: 100 - 5 * nowMs, looking: 5 })).toBe(true);
      guard.fell(5, nowMs);
    }
    expect(guard.round({ nowMs: 3, standing: 85, looking: 1 })).toBe(false);
  });

  it("does not mind a slow loss", () => {
    const guard = new MassFailureGuard();
    let standing = 100;
    for (let nowMs = 0; standing > 30; nowMs += 60_000) {
      expect(guard.round({ nowMs, standing, looking: 1 })).toBe(true);
      guard.fell(1, nowMs);
      standing--;
    }
  });

  it("is not for fewer than five hosts", () => {
    const guard = new MassFailureGuard();
    expect(guard.round({ nowMs: 0, standing: 4, looking: 4 })).toBe(true);
    expect(guard.round({ nowMs: 0, standing: 5, looking: 5 })).toBe(false);
  });

  it("lets go after two good windows, and begins to count anew with each bad round", () => {
    const guard = new MassFailureGuard();
    guard.round({ nowMs: 0, standing: 100, looking: 50 });
    for (let nowMs = round; nowMs < 90_000; nowMs += round) guard.round({ nowMs, standing: 100, looking: 0 });
    guard.round({ nowMs: 90_000, standing: 100, looking: 50 });
    let nowMs = 90_000 + round;
    for (; nowMs < 330_000; nowMs += round) {
      expect(guard.round({ nowMs, standing: 100, looking: 1 })).toBe(false);
      expect(guard.alarm(nowMs)).toMatchObject({ sinceMs: 0, endsAtMs: 330_000 });
    }
    expect(guard.round({ nowMs, standing: 100, looking: 1 })).toBe(true);
    expect(guard.alarm(nowMs)).toBeUndefined();
  });

  it("does not stick when hosts are taken off on purpose", () => {
    const guard = new MassFailureGuard();
    guard.round({ nowMs: 0, standing: 100, looking: 0 });
    // Sixty are deregistered: they are not expected any more.
    expect(guard.round({ nowMs: round, standing: 40, looking: 0 })).toBe(true);
  });

  it("gives way to force for a window", () => {
    const guard = new MassFailureGuard();
    guard.round({ nowMs: 0, standing: 100, looking: 80 });
    guard.force(1);
    expect(guard.round({ nowMs: 2, standing: 100, looking: 80 })).toBe(true);
    guard.fell(80, 2);
    expect(guard.round({ nowMs: 120_001, standing: 20, looking: 0 })).toBe(true);
    expect(guard.round({ nowMs: 120_002, standing: 20, looking: 15 })).toBe(false);
  });
});
