import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@mon/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchReader } from "../src/index.ts";
import { type IntakeRules, resolveRules } from "../src/rules.ts";
import { readTimestamp } from "../src/timestamp.ts";
import { check } from "./support/check.ts";

const now = 1_767_225_600_000;
const anyTime: Partial<IntakeRules> = { behindMs: Number.MAX_SAFE_INTEGER, aheadMs: Number.MAX_SAFE_INTEGER };

function encode(
  parts: Partial<Pick<Report, "timestampMs">> & { time?: { seconds: bigint; nanos: number } },
): Uint8Array {
  return toBinary(
    ReportSchema,
    create(ReportSchema, { hostId: "h", samples: [{ name: "a", value: 1 }], ...parts }),
  );
}

const timeOf = (ms: number, nanos = 0): { seconds: bigint; nanos: number } => ({
  seconds: BigInt(Math.floor(ms / 1_000)),
  nanos: (ms - 1_000 * Math.floor(ms / 1_000)) * 1_000_000 + nanos,
});

function read(report: Uint8Array, rules: Partial<IntakeRules> = {}): ReturnType<BatchReader["read"]> {
  return new BatchReader(resolveRules(rules)).read([report], now);
}

describe("a report's time", () => {
  it("may come as a Timestamp, cut to the millisecond", () => {
    for (const nanos of [0, 1, 999_999]) {
      const { fragments, timestampsConverted } = read(encode({ time: timeOf(now + 123, nanos) }));
      expect(fragments.map(({ timestampMs }) => timestampMs)).toEqual([now + 123]);
      expect(timestampsConverted).toBe(0);
    }
  });

  it("is timestamp_ms when both are there", () => {
    const report = encode({ timestampMs: BigInt(now - 5), time: timeOf(now) });
    expect(read(report).fragments[0]!.timestampMs).toBe(now - 5);
  });

  it("is missing when neither is, and a Timestamp of the epoch itself is not missing but old", () => {
    expect(read(encode({})).rejections).toMatchObject([
      {
        reason: "timestamp_missing",
        field: "reports[0].timestamp_ms",
        message: "expected timestamp_ms or time, got neither",
      },
    ]);
    expect(read(encode({ time: { seconds: 0n, nanos: 0 } })).rejections).toMatchObject([
      { reason: "timestamp_too_old", field: "reports[0].time" },
    ]);
  });

  it.each([
    [
      "timestamp_too_old",
      { time: timeOf(now - 7 * 86_400_000 - 1) },
      "time",
      "from 2025-12-25T00:00:00.000Z on, got 2025-12-24T23:59:59.999Z",
    ],
    [
      "timestamp_too_new",
      { time: timeOf(now + 600_001) },
      "time",
      "up to 2026-01-01T00:10:00.000Z, got 2026-01-01T00:10:00.001Z",
    ],
    ["timestamp_too_new", { time: { seconds: 2n ** 62n, nanos: 0 } }, "time", "got 4.611686018427388e+21 ms"],
    [
      "timestamp_too_old",
      { time: { seconds: -(2n ** 62n), nanos: 0 } },
      "time",
      "got -4.611686018427388e+21 ms",
    ],
    ["timestamp_too_new", { timestampMs: 2n ** 64n - 1n }, "timestamp_ms", "got 2554-07-21T23:34:33.709Z"],
  ])("outside of the window is %s", (reason, parts, field, message) => {
    const { rejections, fragments } = read(encode(parts));
    expect(rejections).toMatchObject([{ reason, field: `reports[0].${field}` }]);
    expect(rejections[0]!.message).toContain(message);
    expect(fragments).toEqual([]);
  });

  it("is what protobuf-es makes of the message, a Timestamp that comes twice among them", () => {
    const timestamp = fc.record({
      seconds: fc.bigInt({ min: -(2n ** 33n), max: 2n ** 33n }),
      nanos: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    });
    check(
      fc.property(fc.array(timestamp, { minLength: 1, maxLength: 3 }), (times) => {
        const bytes = Uint8Array.from(times.flatMap((time) => [...encode({ time })]));
        const { seconds, nanos } = fromBinary(ReportSchema, bytes).time!;
        const expected = Number(seconds) * 1_000 + Math.floor(nanos / 1e6);
        const batch = read(bytes, anyTime);
        // Each part brings the same sample; the repeats are rejected, the time is not.
        expect(batch.rejections.every(({ reason }) => reason === "duplicate_series")).toBe(true);
        expect(batch.fragments.map(({ timestampMs }) => timestampMs)).toEqual([expected]);
      }),
    );
  });
});

describe("the unit of timestamp_ms", () => {
  const split = (sent: bigint): [number, number] => [Number(sent >> 32n), Number(sent & 0xffffffffn)];

  it.each([
    ["seconds", 99_999_999_999n, 99_999_999_999_000, true],
    ["milliseconds", 100_000_000_000n, 100_000_000_000, false],
    ["milliseconds", 99_999_999_999_999n, 99_999_999_999_999, false],
    ["microseconds", 100_000_000_000_000n, 100_000_000_000, true],
    ["microseconds", 99_999_999_999_990_000n, 99_999_999_999_990, true],
    ["nanoseconds", 100_000_000_000_000_000n, 100_000_000_000, true],
    ["nanoseconds", 2n ** 64n - 1n, 18_446_744_073_709, true],
  ])("is %s by the magnitude of %d", (_unit, sent, timestampMs, converted) => {
    expect(readTimestamp(...split(sent))).toEqual({ timestampMs, converted });
  });

  it("does not matter: any instant from 1973 to 2554 in any unit that holds it is the same millisecond", () => {
    check(
      fc.property(
        fc.integer({ min: 100_000_000_000, max: 18_446_744_073_000 }),
        fc.nat(999_999),
        (ms, rest) => {
          const exact = BigInt(ms);
          const units = [exact, exact * 1_000n + BigInt(rest % 1_000), exact * 1_000_000n + BigInt(rest)];
          for (const sent of units) expect(readTimestamp(...split(sent)).timestampMs).toBe(ms);
          const second = exact / 1_000n;
          expect(readTimestamp(...split(second)).timestampMs).toBe(Number(second) * 1_000);
        },
      ),
      1_000,
    );
  });
});
