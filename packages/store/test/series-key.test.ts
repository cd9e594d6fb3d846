import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Label, seriesKey } from "../src/index.ts";
import { check } from "./support/check.ts";

/** Values that try to look like the text around them. */
const hostileValue = fc.oneof(
  fc.constantFrom(
    '"',
    '\\"',
    '",b="',
    '"}',
    "\\",
    "\n",
    ",",
    "{",
    "}",
    "=",
    "",
    "\u2028",
    "\ud800",
    "\\ud800",
  ),
  fc
    .array(fc.constantFrom('"', "\\", ",", "b", "=", "}", "{", "\n", "u0000", "\0"), { maxLength: 6 })
    .map((parts) => parts.join("")),
);

const arbitrarySeries = fc.record({
  name: fc.constantFrom("a", "ab", "a:b"),
  labels: fc
    .uniqueArray(fc.record<Label>({ name: fc.constantFrom("a", "b", "c"), value: hostileValue }), {
      maxLength: 3,
      selector: ({ name }) => name,
    })
    .map((labels) => labels.toSorted((a, b) => (a.name < b.name ? -1 : 1))),
});

describe("a series key", () => {
  it("is Prometheus's selector", () => {
    const labels = [
      { name: "device", value: "sda" },
      { name: "path", value: 'C:\\"x"' },
    ];
    expect(seriesKey({ name: "disk_bytes_total", labels })).toBe(
      String.raw`disk_bytes_total{device="sda",path="C:\\\"x\""}`,
    );
    expect(seriesKey({ name: "up", labels: [] })).toBe("up");
  });

  it("is equal for equal series and for no others, whatever stands in the values of labels", () => {
    check(
      fc.property(arbitrarySeries, arbitrarySeries, (a, b) => {
        expect(seriesKey(a) === seriesKey(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
        expect(seriesKey(structuredClone(a))).toBe(seriesKey(a));
      }),
      5_000,
    );
  });
});
