import { formatBytes, formatDuration, parseBytes, parseDuration } from "@mon/config";
import { describe, expect, test } from "vitest";
import { fc } from "./seeded.ts";

const kinds = [
  {
    kind: "duration",
    parse: parseDuration,
    format: formatDuration,
    sizes: { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 },
  },
  {
    kind: "size",
    parse: parseBytes,
    format: formatBytes,
    sizes: { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
  },
];

describe.each(kinds)("a $kind", ({ parse, format, sizes }) => {
  const units = Object.entries(sizes);

  test("is its number times its unit, exactly, or nothing", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.constantFrom(...units), (count, [unit, size]) => {
        const exact = BigInt(count) * BigInt(size);
        const expected = exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : undefined;
        expect(parse(`${count}${unit}`)).toBe(expected);
      }),
    );
  });

  test("without a unit is in base units", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (count) => {
        expect(parse(`${count}`)).toBe(count);
      }),
    );
  });

  test("reads back as it was written", () => {
    const values = fc.oneof(
      fc.maxSafeNat(),
      fc.tuple(fc.nat(8_000), fc.constantFrom(...units)).map(([count, [, size]]) => count * size),
    );
    fc.assert(
      fc.property(values, (value) => {
        expect(parse(format(value))).toBe(value);
      }),
    );
  });

  test("of any other text is nothing", () => {
    const shape = new RegExp(`^\\d{1,16}(${Object.keys(sizes).join("|")})?$`);
    const near = fc.stringMatching(/^[-+ ]?[0-9._e]{0,5} ?[a-zA-Z]{0,4}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        fc.pre(!shape.test(text));
        expect(parse(text)).toBeUndefined();
      }),
    );
  });
});

test.each([
  ["7d", 604_800_000],
  ["500ms", 500],
  ["10m", 600_000],
  ["1h", 3_600_000],
])("the duration %s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
  expect(formatDuration(ms)).toBe(text);
});

test.each([
  ["4MiB", 4_194_304],
  ["256KiB", 262_144],
  ["1GiB", 1_073_741_824],
])("the size %s is %d bytes", (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
  expect(formatBytes(bytes)).toBe(text);
});
