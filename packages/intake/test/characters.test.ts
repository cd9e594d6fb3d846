import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  hostIdPattern,
  isHostId,
  isLabelName,
  isMetricName,
  isUtf8,
  labelNamePattern,
  metricNamePattern,
} from "../src/characters.ts";
import { InternedTexts } from "../src/interned-texts.ts";
import { check } from "./support/check.ts";

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

describe("interned texts", () => {
  it("are the texts of their bytes, also when hashes collide, when bytes change and when there are too many", () => {
    // FNV-1a gives both of a pair the same 32 bits.
    const colliding = ["costarring", "liquid", "declinate", "macallums", "altarage", "zinke"];
    const texts = new InternedTexts(4);
    check(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...colliding), fc.stringMatching(/^[a-z]{0,2}$/))),
        (words) => {
          const buffer = new Uint8Array(20);
          for (const text of words) {
            buffer.set(bytesOf(text), 3);
            expect(texts.get(buffer, 3, 3 + text.length)).toBe(text);
          }
        },
      ),
    );
  });

  it("are made once", () => {
    const texts = new InternedTexts(100);
    const bytes = bytesOf("web-1 web-1");
    expect(texts.get(bytes, 0, 5)).toBe("web-1");
    bytes.fill(0x20, 0, 5);
    expect(texts.get(bytes, 6, 11)).toBe("web-1");
  });
});
