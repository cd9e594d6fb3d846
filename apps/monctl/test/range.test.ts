import { create } from "@bufbuild/protobuf";
import { Aggregation, Kind, type QueryRangeResponse, QueryRangeResponseSchema } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { resolveRange } from "../src/range.ts";
import { SeriesCollector } from "../src/series-collector.ts";

const now = Date.UTC(2026, 10, 23, 17);
const usage = expect.objectContaining({ code: "MONCTL_USAGE" });

describe("a range", () => {
  it("is the past hour as stored unless told", () => {
    expect(resolveRange({}, now)).toMatchObject({
      startMs: now - 3_600_000,
      endMs: now,
      stepMs: 0,
      aggregation: Aggregation.UNSPECIFIED,
    });
  });

  it("has a step of its own choice with --agg", () => {
    expect(resolveRange({ agg: "rate", start: "-6h" }, now)).toMatchObject({
      stepMs: 120_000,
      aggregation: Aggregation.RATE,
    });
  });

  it("must not end before it starts", () => {
    expect(() => resolveRange({ start: "now", end: "-1h" }, now)).toThrow(usage);
  });

  it("has at most 11,000 values a series", () => {
    expect(resolveRange({ start: "-10999s", step: "1s" }, now).stepMs).toBe(1_000);
    expect(() => resolveRange({ start: "-11000s", step: "1s" }, now)).toThrow("11000");
  });
});

describe("a collector", () => {
  const part = (host: string, value: number, offset: number): QueryRangeResponse =>
    create(QueryRangeResponseSchema, {
      series: [
        {
          series: { hostId: host, name: "up", kind: Kind.GAUGE },
          baseMs: 100n,
          offsetsMs: [offset],
          values: [value],
        },
      ],
    });

  it("puts series together that come in slices", () => {
    const collector = new SeriesCollector();
    for (const message of [part("a", 1, 0), part("b", 2, 0), part("a", 3, 5)]) collector.add(message);
    expect(collector.series).toMatchObject([
      { host: "a", timesMs: [100, 105], values: [1, 3] },
      { host: "b", timesMs: [100], values: [2] },
    ]);
  });

  it("fails rather than shorten an answer", () => {
    const collector = new SeriesCollector(2);
    collector.add(part("a", 1, 0));
    collector.add(part("a", 1, 1));
    expect(() => collector.add(part("a", 1, 2))).toThrow("at most 2 values");
  });
});
