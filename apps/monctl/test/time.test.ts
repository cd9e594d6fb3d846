import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { autoStep, formatAge, formatDuration, parseDuration, parseInstant } from "../src/time.ts";
import { property } from "./support/seed.ts";

const now = Date.UTC(2026, 10, 23, 17, 26);
const usage = expect.objectContaining({ code: "MONCTL_USAGE" });

describe("a duration", () => {
  it.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["1.5m", 90_000],
    ["1h30m", 5_400_000],
    ["7d", 604_800_000],
    ["2w", 1_209_600_000],
  ])("%s is %i ms", (text, durationMs) => {
    expect(parseDuration(text, "--step")).toBe(durationMs);
  });

  it.each(["", "5", "0s", "-1s", "1 s", "s", "1y", "1e3s", "99999999999999w"])(
    "%j is refused by name",
    (text) => {
      expect(() => parseDuration(text, "--step")).toThrow(usage);
      expect(() => parseDuration(text, "--step")).toThrow("--step");
    },
  );

  it.each([
    [0, "0ms"],
    [999, "999ms"],
    [1_000, "1s"],
    [3_270, "3.2s"],
    [59_999, "59s"],
    [60_000, "1m"],
    [245_000, "4m 5s"],
    [3_723_000, "1h 2m"],
    [183_600_000, "2d 3h"],
  ])("of %i ms is written %s", (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });
});

describe("an instant", () => {
  it.each([
    ["now", now],
    ["-1h", now - 3_600_000],
    ["+5m", now + 300_000],
    ["2026-11-23T17:26:00Z", now],
    ["2026-11-23T18:26:00.250+01:00", now + 250],
    ["2026-11-23 17:26:00z", now],
    [String(now), now],
    [String(now / 1_000), now],
    [`${now}123`, now],
    [`${now}123456`, now],
  ])("%s is %i", (text, instantMs) => {
    expect(parseInstant(text, now, "--start")).toBe(instantMs);
  });

  it.each([
    "",
    "1h",
    "yesterday",
    "2026-11-23",
    "2026-11-23T17:26:00",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-11-23T24:00:00Z",
    "-1",
  ])("%j is refused by name", (text) => {
    expect(() => parseInstant(text, now, "--start")).toThrow(usage);
    expect(() => parseInstant(text, now, "--start")).toThrow("--start");
  });

  it("written as RFC 3339 is read back", () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true }),
        (date) => {
          expect(parseInstant(date.toISOString(), now, "--time")).toBe(date.getTime());
        },
      ),
      property,
    );
  });

  it("is told by its age", () => {
    expect(formatAge(now - 5_000, now)).toBe("5s ago");
    expect(formatAge(now + 90_000, now)).toBe("in 1m 30s");
    expect(formatAge(0, now)).toBe("never");
  });
});

describe("the automatic step", () => {
  it("gives at most 240 distances over any range", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 * 365 * 86_400_000 }), (rangeMs) => {
        const stepMs = autoStep(rangeMs);
        expect(stepMs).toBeGreaterThanOrEqual(1_000);
        expect(stepMs % 1_000).toBe(0);
        expect(rangeMs / stepMs).toBeLessThanOrEqual(240);
      }),
      property,
    );
  });

  it("is 15 seconds for an hour", () => {
    expect(autoStep(3_600_000)).toBe(15_000);
  });
});
