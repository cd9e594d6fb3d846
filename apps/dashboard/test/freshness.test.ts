import { describe, expect, it } from "vitest";
import { formatAge, formatInstant, freshnessOf } from "../src/freshness.ts";

const now = 1_700_000_000_000;

describe("freshness", () => {
  it("lasts a minute while the rhythm of a host is not known", () => {
    expect(freshnessOf(now - 60_000, now, null)).toBe("fresh");
    expect(freshnessOf(now - 60_001, now, null)).toBe("stale");
  });

  it("lasts three intervals of a host", () => {
    expect(freshnessOf(now - 45_000, now, 15_000)).toBe("fresh");
    expect(freshnessOf(now - 45_001, now, 15_000)).toBe("stale");
  });

  it("lasts ten seconds at least", () => {
    expect(freshnessOf(now - 10_000, now, 1_000)).toBe("fresh");
  });

  it("is gone after five minutes, or three times the limit of a slow host", () => {
    expect(freshnessOf(now - 300_001, now, 1_000)).toBe("silent");
    expect(freshnessOf(now - 400_000, now, 60_000)).toBe("stale");
  });

  it("is unknown before the first report", () => {
    expect(freshnessOf(0, now, null)).toBe("never");
  });
});

describe("times", () => {
  it("are relative to the broker's clock, in both directions", () => {
    expect(formatAge(now - 1_000, now)).toBe("now");
    expect(formatAge(now - 12_000, now)).toBe("12\u00a0s ago");
    expect(formatAge(now + 5_000, now)).toBe("in 5\u00a0s");
  });

  it("are exact on demand", () => {
    expect(formatInstant(now + 250)).toBe("2023-11-14 22:13:20.250 UTC");
  });
});
