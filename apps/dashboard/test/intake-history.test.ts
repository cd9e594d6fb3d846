import { Reason } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { type IntakePoint, POINTS_MAX, recentRejections, withPoint } from "../src/intake-history.ts";
import { adviceFor } from "../src/rejection.ts";

const point = (timeMs: number, count = 0, uptimeMs = timeMs): IntakePoint => ({
  timeMs,
  samplesPerSecond: 1,
  ackP50Ms: null,
  ackP99Ms: null,
  rejections: new Map([[Reason.VALUE_NAN, count]]),
  uptimeMs,
});

describe("the history of a broker's intake", () => {
  it("is bounded, the oldest going first", () => {
    let history: IntakePoint[] = [];
    for (let time = 1; time <= POINTS_MAX + 5; time++) history = withPoint(history, point(time));
    expect(history).toHaveLength(POINTS_MAX);
    expect(history[0]?.timeMs).toBe(6);
  });

  it("does not go back in time", () => {
    expect(withPoint([point(1), point(2)], point(2, 7))).toEqual([point(1), point(2, 7)]);
  });

  it("counts rejections over the past minute only", () => {
    const history = [point(0, 100), point(10_000, 150), point(40_000, 160), point(70_000, 163)];
    expect(recentRejections(history, 60_000)).toEqual(new Map([[Reason.VALUE_NAN, 13]]));
  });

  it("counts from zero after a restart", () => {
    const history = [point(0, 100, 50_000), point(2_000, 4, 1_000)];
    expect(recentRejections(history, 60_000)).toEqual(new Map([[Reason.VALUE_NAN, 4]]));
  });
});

it("every reason says what to do, and an unknown one is named by its number", () => {
  for (const reason of Object.values(Reason)) {
    if (reason !== Reason.UNSPECIFIED) expect(adviceFor(reason).title, String(reason)).not.toMatch(/^Reason/);
  }
  expect(adviceFor(99).title).toBe("Reason 99");
});
