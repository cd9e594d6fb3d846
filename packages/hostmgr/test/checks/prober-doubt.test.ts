import { describe, expect, it } from "vitest";
import { ProberDoubt, SecondOpinions } from "../../src/index.ts";
import { settle } from "../support/virtual-clock.ts";

/** Checks hosts of a round. */
function round(doubt: ProberDoubt, failing: number, of: number, nowMs: number, wasDown = false): void {
  for (let i = 0; i < of; i++) doubt.checked(`h${i}`, i < failing, wasDown && i < failing, nowMs);
}

describe("a prober doubts itself", () => {
  it("when more than half of a round's hosts fail, at least five, and not before", () => {
    const doubt = new ProberDoubt(0);
    // In the order in which passing ones come first, so that the share is exact at the end.
    for (let i = 0; i < 10; i++) doubt.checked(`ok${i}`, false, false, 1);
    for (let i = 0; i < 10; i++) doubt.checked(`bad${i}`, true, false, 1);
    expect(doubt.doubt(1)).toBeUndefined();
    doubt.checked("bad10", true, false, 1);
    expect(doubt.doubt(1)).toEqual({ score: 1, sinceMs: 1, reason: "11 of 21 hosts failed within a round" });
    expect(doubt.stretch).toBe(2);
  });

  it("not when there are fewer than five", () => {
    const doubt = new ProberDoubt(0);
    round(doubt, 4, 4, 1);
    expect(doubt.doubt(1)).toBeUndefined();
  });

  it("not by hosts that were down already", () => {
    const doubt = new ProberDoubt(0);
    round(doubt, 50, 60, 1, true);
    expect(doubt.doubt(1)).toBeUndefined();
  });

  it("once a round, up to seven, and less with each good one", () => {
    const doubt = new ProberDoubt(0);
    for (let i = 0; i < 10; i++) {
      round(doubt, 10, 10, i * 30_000);
      round(doubt, 10, 10, i * 30_000 + 1);
      expect(doubt.doubt(i * 30_000 + 2)?.score).toBe(Math.min(7, i + 1));
    }
    for (let i = 10; i < 16; i++) {
      round(doubt, 0, 10, i * 30_000);
      expect(doubt.doubt((i + 1) * 30_000)?.score).toBe(16 - i);
    }
    expect(doubt.doubt(17 * 30_000)).toBeUndefined();
    expect(doubt.stretch).toBe(1);
  });

  it("when its event loop was more than 200 ms late", () => {
    const doubt = new ProberDoubt(0);
    doubt.looped(200, 1);
    expect(doubt.doubt(1)).toBeUndefined();
    doubt.looped(201, 2);
    expect(doubt.doubt(2)?.reason).toBe("the event loop was 201 ms late");
    expect(doubt.doubt(30_000)?.score).toBe(1);
    expect(doubt.doubt(60_000)).toBeUndefined();
  });
});

describe("a second opinion", () => {
  it("is asked for once, counts when it is there, and for a time", async () => {
    let now = 0;
    const asked: string[] = [];
    const opinions = new SecondOpinions(
      {
        confirm: async (key) => {
          asked.push(key);
          return key === "up" ? "up" : "down";
        },
      },
      () => now,
    );
    const ask = (): boolean[] => ["down", "up"].map((key) => opinions.confirms(key));
    expect(ask()).toEqual([false, false]);
    expect(ask()).toEqual([false, false]);
    await settle();
    expect(ask()).toEqual([true, false]);
    expect(asked).toEqual(["down", "up"]);
    now = 60_000;
    expect(ask()).toEqual([false, false]);
    expect(asked).toHaveLength(4);
  });

  it("of one who cannot be asked is none", async () => {
    const opinions = new SecondOpinions({ confirm: () => Promise.reject(new Error("unreachable")) }, () => 0);
    opinions.confirms("a");
    await settle();
    expect(opinions.confirms("a")).toBe(false);
  });

  it("is asked for so many hosts at a time; beyond what is remembered nobody is asked", async () => {
    let under = 0;
    let most = 0;
    const asked = new Set<string>();
    const opinions = new SecondOpinions(
      {
        confirm: async (key) => {
          asked.add(key);
          most = Math.max(most, ++under);
          await settle();
          under--;
          return "down";
        },
      },
      () => 0,
      { concurrency: 2, hostsMax: 5 },
    );
    for (let i = 0; i < 10; i++) opinions.confirms(`h${i}`);
    while (asked.size < 5) await settle();
    for (let i = 0; i < 5; i++) await settle();
    expect([most, asked.size]).toEqual([2, 5]);
  });

  it("is called off when nobody wants to know any more", async () => {
    const opinions = new SecondOpinions(
      {
        confirm: (_, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason));
          }),
      },
      () => 0,
    );
    opinions.confirms("a");
    await opinions.stop();
    expect(opinions.confirms("a")).toBe(false);
  });
});
