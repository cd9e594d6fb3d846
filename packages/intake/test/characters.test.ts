import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isHostId, isLabelName, isMetricName, isOpenTelemetryName, isUtf8 } from "../src/characters.ts";
import { check } from "./support/check.ts";
import {
  hostIdPattern,
  labelNamePattern,
  metricNamePattern,
  openTelemetryPattern,
} from "./support/patterns.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const word = fc.oneof(
  fc.array(fc.constantFrom(..."aZ09_-.:/ é"), { maxLength: 5 }).map((all) => all.join("")),
  fc.string({ unit: "binary", maxLength: 3 }),
  fc.constantFrom("_", "__", "___", "_a", "__a", "a__", "h".repeat(128), "h".repeat(129)),
);

describe("classes of bytes", () => {
  it.each([
    ["host ids", isHostId, hostIdPattern],
    ["metric names", isMetricName, metricNamePattern],
    ["label names", isLabelName, labelNamePattern],
    ["names of OpenTelemetry", isOpenTelemetryName, openTelemetryPattern],
  ] as const)("tell %s as the pattern does, and look at nothing around them", (_what, isOne, pattern) => {
    check(
      fc.property(word, fc.constantFrom("", "_", "a", "/"), (text, around) => {
        const bytes = bytesOf(around + text + around);
        expect(isOne(bytes, around.length, bytes.length - around.length)).toBe(pattern.test(text));
      }),
      2_000,
    );
  });

  it("tell UTF-8 as Node does", () => {
    const pieces = fc.constantFrom(
      [0x41],
      [0xc3, 0xa9],
      [0xe2, 0x82, 0xac],
      [0xf0, 0x9f, 0x98, 0x80],
      [0xef, 0xbb, 0xbf],
    );
    const text = fc.array(pieces, { maxLength: 4 }).map((parts) => Uint8Array.from(parts.flat()));
    check(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 6 }), text), (bytes) => {
        const strict = new TextDecoder("utf-8", { fatal: true });
        let expected = true;
        try {
          strict.decode(bytes);
        } catch {
          expected = false;
        }
        expect(isUtf8(bytes, 0, bytes.length)).toBe(expected);
      }),
      2_000,
    );
  });
});
