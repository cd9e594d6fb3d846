import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Autoscaler, type BrokerLoad, type ScalingChange, type ScalingObservation } from "../../src/index.ts";

const minute = 60_000;

function loads(count: number, load: Partial<BrokerLoad> = {}, activeSinceMs = -3_600_000): BrokerLoad[] {
  return Array.from({ length: count }, (_, i) => ({
    nodeId: `b${i}`,
    activeSinceMs,
    cpu: 0.7,
    memory: 0.75,
    agentConnections: 5_000,
    ackP95Ms: 20,
    ...load,
  }));
}

function observation(nowMs: number, more: Partial<ScalingObservation> = {}): ScalingObservation {
  return {
    nowMs,
    loads: loads(3),
    creating: 0,
    removing: 0,
    replicationFactor: 2,
    voters: 3,
    changes: [],
    pause: "none",
    ...more,
  };
}

/** Looks every 15 s at the same thing. @returns the last decision */
function watch(scaler: Autoscaler, forMs: number, more: Partial<ScalingObservation>, fromMs = 0) {
  let last = scaler.decide(observation(fromMs, more));
  for (let ms = fromMs + 15_000; ms <= fromMs + forMs; ms += 15_000)
    last = scaler.decide(observation(ms, more));
  return last;
}

describe("the desired number", () => {
  it("stays within the tolerance", () => {
    for (const cpu of [0.64, 0.7, 0.76]) {
      const decision = watch(new Autoscaler(), 10 * minute, { loads: loads(4, { cpu, memory: 0.75 }) });
      expect(decision).toMatchObject({ desired: 4, reasons: ["WithinTolerance"] });
    }
  });

  it("is brokers × mean / target, rounded up, by the greatest signal", () => {
    const decision = watch(new Autoscaler(), minute, { loads: loads(4, { cpu: 0.9, memory: 0.76 }) });
    expect(decision).toMatchObject({ desired: 6, wanted: 6, reasons: ["AsWanted"] });
    expect(decision.proposals.map(({ brokers }) => brokers)).toEqual([6, 4, 4, undefined]);
  });

  it("rises only after the window for it", () => {
    const scaler = new Autoscaler();
    const more = { loads: loads(3, { cpu: 1 }) };
    expect(watch(scaler, 15_000, more)).toMatchObject({
      desired: 3,
      wanted: 5,
      reasons: ["AsWanted", "StabilizedOut"],
    });
    expect(watch(scaler, 0, more, 30_000)).toMatchObject({ desired: 5 });
  });

  it("rises by the least that was wanted in the window", () => {
    const scaler = new Autoscaler();
    watch(scaler, minute, { loads: loads(4, { cpu: 0.87 }) });
    expect(scaler.decide(observation(75_000, { loads: loads(4, { cpu: 1 }) }))).toMatchObject({
      wanted: 6,
      desired: 5,
    });
  });

  it("falls only when fewer were wanted all through the window, by one", () => {
    const scaler = new Autoscaler();
    const idle = { loads: loads(6, { cpu: 0.1, memory: 0.1, agentConnections: 10 }) };
    expect(watch(scaler, 285_000, idle)).toMatchObject({ desired: 6, reasons: ["AsWanted", "StabilizedIn"] });
    expect(watch(scaler, 0, idle, 300_000)).toMatchObject({
      desired: 5,
      reasons: ["AsWanted", "PolicyLimited"],
    });
  });

  it("does not fall when it was wanted once in the window", () => {
    const scaler = new Autoscaler();
    const idle = { loads: loads(6, { cpu: 0.1, memory: 0.1, agentConnections: 10 }) };
    watch(scaler, 8 * minute, idle);
    scaler.decide(observation(8 * minute + 1, { loads: loads(6) }));
    expect(watch(scaler, 4 * minute, idle, 8 * minute + 15_000).desired).toBe(6);
  });

  it("never falls while a broker says nothing of a signal", () => {
    const some = [
      ...loads(5, { cpu: 0.1, memory: 0.1, agentConnections: 0 }),
      { nodeId: "mute", activeSinceMs: -9e9 },
    ];
    const decision = watch(new Autoscaler(), 20 * minute, { loads: some });
    expect(decision).toMatchObject({ desired: 6, reasons: ["MissingMetrics"] });
  });

  it("stays when nobody says anything", () => {
    const mute = loads(4).map(({ nodeId, activeSinceMs }) => ({ nodeId, activeSinceMs }));
    expect(watch(new Autoscaler(), 20 * minute, { loads: mute })).toMatchObject({
      desired: 4,
      reasons: ["NoMetrics"],
    });
  });

  it("takes a reading that is no number for a missing one", () => {
    const odd = [
      ...loads(5, { cpu: 0.1, memory: 0.1, agentConnections: 0 }),
      ...loads(1, { cpu: Number.NaN }),
    ];
    expect(watch(new Autoscaler(), 20 * minute, { loads: odd }).desired).toBe(6);
  });

  it("counts brokers that are not warm as idle when it rises", () => {
    const warm = loads(3, { cpu: 0.95 });
    const cold = loads(2, { cpu: 1 }, 0);
    // 3 × 0.95 over five brokers is below the target.
    expect(watch(new Autoscaler(), minute, { loads: [...warm, ...cold] }).desired).toBe(5);
  });

  it("counts brokers that are being made", () => {
    const decision = watch(new Autoscaler(), minute, { loads: loads(3, { cpu: 0.95 }), creating: 2 });
    expect(decision).toMatchObject({ current: 5, desired: 5 });
  });

  it("rises by one when acks take too long, and never falls because they are fast", () => {
    expect(watch(new Autoscaler(), minute, { loads: loads(4, { ackP95Ms: 900 }) }).desired).toBe(5);
    const fast = loads(4, { cpu: undefined, memory: undefined, agentConnections: undefined, ackP95Ms: 1 });
    expect(watch(new Autoscaler(), 20 * minute, { loads: fast }).desired).toBe(4);
  });

  it("is what somebody sets, at once, within the bounds", () => {
    const scaler = new Autoscaler();
    expect(scaler.decide(observation(0, { manual: 5 }))).toMatchObject({ desired: 5, reasons: ["Manual"] });
    expect(scaler.decide(observation(1, { manual: 50 }))).toMatchObject({
      desired: 5,
      reasons: ["Manual", "PolicyLimited"],
    });
    expect(scaler.decide(observation(2, { manual: 1 }))).toMatchObject({
      desired: 3,
      reasons: ["Manual", "PolicyLimited", "QuorumGuard"],
    });
  });

  it("does nothing in a direction that is paused", () => {
    const hot = { loads: loads(3, { cpu: 1 }) };
    const idle = { loads: loads(6, { cpu: 0.1, memory: 0.1, agentConnections: 0 }) };
    expect(watch(new Autoscaler(), 10 * minute, { ...hot, pause: "out" })).toMatchObject({ desired: 3 });
    expect(watch(new Autoscaler(), 10 * minute, { ...hot, pause: "in" })).toMatchObject({ desired: 5 });
    expect(watch(new Autoscaler(), 10 * minute, { ...idle, pause: "all" }).reasons).toContain("Paused");
    expect(watch(new Autoscaler(), 10 * minute, { ...idle, pause: "out" }).desired).toBe(5);
  });

  it("falls neither soon after a rise, nor during another change", () => {
    const idle = { loads: loads(6, { cpu: 0.1, memory: 0.1, agentConnections: 0 }) };
    const changes: ScalingChange[] = [{ atMs: 0, brokers: 1 }];
    expect(watch(new Autoscaler(), 585_000, { ...idle, changes }).reasons).toEqual([
      "AsWanted",
      "CoolingDown",
    ]);
    expect(watch(new Autoscaler(), 600_000, { ...idle, changes }).desired).toBe(5);
    expect(watch(new Autoscaler(), 600_000, { ...idle, removing: 1 }).reasons).toContain(
      "ProvisioningInFlight",
    );
  });

  it("reports what it was made from", () => {
    const decision = watch(new Autoscaler(), minute, { loads: loads(9, { cpu: 1 }) });
    expect(decision).toMatchObject({ atMs: minute, current: 9, wanted: 13, desired: 9 });
    expect(decision.reasons).toEqual(["AsWanted", "AtMax"]);
    expect(decision.proposals[0]).toEqual({ signal: "cpu", value: 1, target: 0.7, missing: 0, brokers: 13 });
  });
});

describe("over a day of any load", () => {
  const reading = fc.option(fc.double({ min: 0, max: 3, noNaN: true }), { nil: undefined, freq: 12 });
  const look = fc.record({
    cpu: reading,
    memory: reading,
    ackP95Ms: fc.option(fc.nat(1_000), { nil: undefined }),
  });

  it("keeps within the bounds, the steps and the waits", () => {
    fc.assert(
      fc.property(fc.array(look, { minLength: 10, maxLength: 500 }), (looks) => {
        const scaler = new Autoscaler();
        const changes: ScalingChange[] = [];
        let brokers = 3;
        for (const [i, { cpu, memory, ackP95Ms }] of looks.entries()) {
          const nowMs = i * 15_000;
          const decision = scaler.decide(
            observation(nowMs, {
              loads: loads(brokers, { cpu, memory, ackP95Ms, agentConnections: 1 }),
              changes,
            }),
          );
          const step = decision.desired - brokers;
          expect(decision.desired).toBeGreaterThanOrEqual(3);
          expect(decision.desired).toBeLessThanOrEqual(9);
          if (step < 0) {
            expect(step).toBe(-1);
            expect(cpu !== undefined && memory !== undefined).toBe(true);
            expect(
              changes.every(({ atMs, brokers: by }) => nowMs - atMs >= (by > 0 ? 600_000 : 300_000)),
            ).toBe(true);
          }
          const recent = changes.filter(({ atMs, brokers: by }) => by > 0 && nowMs - atMs < 60_000);
          const added = recent.reduce((sum, { brokers: by }) => sum + by, 0) + Math.max(step, 0);
          expect(added).toBeLessThanOrEqual(Math.max(2, (brokers + step) / 2));
          if (step !== 0) changes.push({ atMs: nowMs, brokers: step });
          brokers = decision.desired;
        }
      }),
    );
  });

  it("does not move under noise around the target", () => {
    const noise = fc.array(fc.double({ min: 0.65, max: 0.76, noNaN: true }), {
      minLength: 100,
      maxLength: 400,
    });
    fc.assert(
      fc.property(noise, (cpus) => {
        const scaler = new Autoscaler();
        for (const [i, cpu] of cpus.entries()) {
          expect(scaler.decide(observation(i * 15_000, { loads: loads(5, { cpu }) })).desired).toBe(5);
        }
      }),
    );
  });
});

it("refuses options that make no sense, with the value", () => {
  expect(() => new Autoscaler({ targetCpu: 7 })).toThrow("expected targetCpu from 0.05 to 1, got 7");
  expect(() => new Autoscaler({ minBrokers: 12 })).toThrow(
    "expected minBrokers of at most maxBrokers, 9, got 12",
  );
  expect(() => new Autoscaler({ tolerance: Number.NaN })).toThrow("got NaN");
});
