import CRC32 from "crc-32";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signedCrc32OfBucket } from "../src/crc32.ts";
import { crc32, fmix32 } from "../src/index.ts";
import { check } from "./arbitraries.ts";
import { oracleFmix32 } from "./oracle.ts";

function crc32OfBucket(hostCrc32: number, start: number): number {
  const high = Math.trunc(start / 1e8);
  return signedCrc32OfBucket(hostCrc32, high, start - high * 1e8) >>> 0;
}

describe("crc32", () => {
  it("gives the check value of the CRC catalogue", () => {
    expect(crc32("123456789")).toBe(0xcbf43926);
  });

  it("equals crc-32 for any bytes and any previous value", () => {
    check(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(0xffffffff), (bytes, previous) => {
        expect(crc32(bytes, previous)).toBe(CRC32.buf(bytes, previous) >>> 0);
      }),
      500,
    );
  });

  it("equals crc-32 for any well-formed text", () => {
    check(
      fc.property(
        fc.string({ unit: fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" })) }),
        (text) => {
          expect(crc32(text)).toBe(CRC32.str(text) >>> 0);
        },
      ),
      500,
    );
  });

  it("hashes any text, lone surrogates too, as the bytes that TextEncoder makes of it", () => {
    const unit = fc.constantFrom(
      "a",
      "é",
      "\ud800",
      "\udbff",
      "\udc00",
      "\udfff",
      "\uffff",
      "abcd",
      "\u{10000}",
      "\u{10ffff}",
    );
    check(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
        expect(crc32(text)).toBe(crc32(new TextEncoder().encode(text)));
      }),
      500,
    );
  });

  it("continues from what came before", () => {
    check(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (head, tail) => {
        expect(crc32(tail, crc32(head))).toBe(crc32(Buffer.concat([Buffer.from(head), Buffer.from(tail)])));
      }),
    );
  });

  it("continues over a bucket's start as over its decimal digits", () => {
    const powers = Array.from({ length: 16 }, (_, i) => 10 ** i);
    const edges = powers.flatMap((power) => [power - 1, power, power + 1, 1 - power, -power, -1 - power]);
    const safe = fc.oneof(
      fc.constantFrom(...edges, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, -0),
      fc.maxSafeInteger(),
      fc.integer({ min: 0, max: 100_000_000 }),
      fc.integer({ min: 1e12, max: 1e13 - 1 }),
      fc.nat(20_000).map((n) => n * 10 ** 8 + (n % 7)),
    );
    check(
      fc.property(fc.string(), safe, (hostId, start) => {
        expect(crc32OfBucket(crc32(hostId), start)).toBe(crc32(`${hostId}:${start}`));
      }),
      3000,
    );
    for (const start of edges) expect(crc32OfBucket(0, start)).toBe(crc32(`:${start}`));
  });

  it("refuses what is neither text nor bytes", () => {
    for (const key of [undefined, null, 42, [1, 2], {}]) expect(() => crc32(key as never)).toThrow(TypeError);
  });
});

describe("fmix32", () => {
  it("equals its definition", () => {
    check(
      fc.property(fc.nat(0xffffffff), (value) => {
        expect(fmix32(value)).toBe(oracleFmix32(value));
      }),
      500,
    );
  });
});
