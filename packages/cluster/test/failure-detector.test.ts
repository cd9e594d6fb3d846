import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FailureDetector, type HealthChange } from "../src/index.ts";

const beat = 500;

/** A detector of some peers, asked every 500 ms, and peers that are heard unless they are silent. */
class Watch {
  readonly detector: FailureDetector;
  readonly peers: string[];
  readonly changes: (HealthChange & { readonly atMs: number })[] = [];
  nowMs = 0;

  constructor(members: number) {
    this.detector = new FailureDetector(0);
    this.peers = Array.from({ length: members - 1 }, (_, i) => `b${i + 1}`);
    this.detector.setPeers(this.peers, 0);
  }

  run(forMs: number, silent: readonly string[] = []): this {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += beat;
      for (const peer of this.peers) if (!silent.includes(peer)) this.detector.heard(peer, this.nowMs);
      for (const change of this.detector.judge(this.nowMs))
        this.changes.push({ ...change, atMs: this.nowMs });
    }
    return this;
  }

  health(): string[] {
    return this.peers.map((peer) => this.detector.healthOf(peer)!);
  }
}

describe("a peer", () => {
  it("is suspect when it missed three heartbeats, and alive with the next", () => {
    const watch = new Watch(3).run(10_000).run(1_500, ["b1"]);
    expect(watch.changes).toEqual([]);
    expect(watch.run(500, ["b1"]).health()).toEqual(["suspect", "alive"]);
    expect(watch.run(500).health()).toEqual(["alive", "alive"]);
  });

  it("is not down after a pause of 5 s (R35)", () => {
    const watch = new Watch(5).run(60_000).run(5_000, ["b2"]).run(60_000);
    expect(watch.changes.map(({ to }) => to)).toEqual(["suspect", "alive"]);
  });

  it("is down after 10 s of silence (R35), exactly", () => {
    const watch = new Watch(5).run(60_000).run(9_500, ["b2"]);
    expect(watch.health()[1]).toBe("suspect");
    expect(watch.run(500, ["b2"]).changes.at(-1)).toEqual({
      atMs: 70_000,
      nodeId: "b2",
      from: "suspect",
      to: "down",
      silentMs: 10_000,
    });
  });

  it("is taken back when it was heard for 5 s, and later each time it falls again", () => {
    const watch = new Watch(4).run(1_000);
    const backAfterMs: number[] = [];
    for (let fall = 0; fall < 6; fall++) {
      watch.run(10_000, ["b1"]);
      expect(watch.health()[0]).toBe("down");
      const sinceMs = watch.nowMs;
      while (watch.health()[0] !== "alive") watch.run(500);
      backAfterMs.push(watch.nowMs - sinceMs - 500);
    }
    expect(backAfterMs).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it("is taken back soon when it fell long ago", () => {
    const watch = new Watch(4).run(10_000, ["b1"]).run(660_000).run(10_000, ["b1"]);
    const sinceMs = watch.nowMs;
    while (watch.health()[0] !== "alive") watch.run(500);
    expect(watch.nowMs - sinceMs).toBe(5_500);
  });

  it("that is heard now and then only stays down", () => {
    const watch = new Watch(4).run(10_000, ["b1"]);
    for (let i = 0; i < 50; i++) watch.run(2_000).run(2_500, ["b1"]);
    expect(watch.health()[0]).toBe("down");
  });
});

describe("the detector doubts itself", () => {
  it("after a pause of its own, and accuses nobody for it (R11)", () => {
    const watch = new Watch(5).run(60_000);
    watch.nowMs += 30_000;
    expect(watch.run(500, watch.peers).changes).toEqual([]);
    expect(watch.detector.isDoubtful).toBe(true);
    watch.run(10_000);
    expect(watch.changes).toEqual([]);
    expect(watch.detector.isDoubtful).toBe(true);
    watch.detector.confirmed();
    expect(watch.detector.isDoubtful).toBe(false);
  });

  it("not when it was merely a little late", () => {
    const watch = new Watch(5).run(60_000);
    watch.nowMs += 1_000;
    watch.run(500);
    expect(watch.detector.isDoubtful).toBe(false);
  });

  it("and has at most a third of the members down (R35)", () => {
    for (const [members, most] of [
      [2, 1],
      [3, 1],
      [5, 1],
      [6, 2],
      [7, 2],
      [9, 3],
    ] as const) {
      const watch = new Watch(members).run(1_000).run(60_000, new Watch(members).peers);
      expect([members, watch.health().filter((health) => health === "down").length]).toEqual([members, most]);
    }
  });
});

describe("clocks", () => {
  it("are compared with the median of the peers'", () => {
    const watch = new Watch(4);
    expect(watch.detector.skewMs).toBeUndefined();
    watch.detector.heard("b1", 0, -40_000);
    watch.detector.heard("b2", 0, 100);
    watch.detector.heard("b3", 0, 50);
    expect([watch.detector.skewMs, watch.detector.isClockOff]).toEqual([50, false]);
    watch.detector.heard("b2", 0, -30_001);
    expect([watch.detector.skewMs, watch.detector.isClockOff]).toEqual([-30_001, true]);
  });
});

it("never has more than a third down, nor a peer that was heard within 10 s, whatever happens", () => {
  const step = fc.record({
    passMs: fc.integer({ min: 1, max: 4_000 }),
    heard: fc.array(fc.nat(7), { maxLength: 8 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 9 }), fc.array(step, { maxLength: 200 }), (members, steps) => {
      const watch = new Watch(members);
      const heardMs = new Map(watch.peers.map((peer) => [peer, 0]));
      let nowMs = 0;
      for (const { passMs, heard } of steps) {
        nowMs += passMs;
        for (const peer of heard) {
          const nodeId = watch.peers[peer % watch.peers.length]!;
          watch.detector.heard(nodeId, nowMs);
          heardMs.set(nodeId, nowMs);
        }
        for (const { nodeId, to } of watch.detector.judge(nowMs)) {
          if (to === "down") expect(nowMs - heardMs.get(nodeId)!).toBeGreaterThanOrEqual(10_000);
        }
        const down = watch.health().filter((health) => health === "down").length;
        expect(down).toBeLessThanOrEqual(Math.max(1, Math.floor(members / 3)));
      }
    }),
  );
});

it("refuses options that contradict each other", () => {
  expect(() => new FailureDetector(0, { downAfterMs: 1_500 })).toThrow(
    "expected downAfterMs above heartbeatMs × missedMax, 1500, got 1500",
  );
  expect(() => new FailureDetector(0, { heartbeatMs: 0 })).toThrow(
    "expected heartbeatMs above 0 and up to a day, got 0",
  );
});
