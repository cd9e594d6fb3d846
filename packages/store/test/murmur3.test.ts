import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { murmur3 } from "../src/index.ts";
import { check } from "./support/check.ts";
import { murmur3Oracle } from "./support/murmur3-oracle.ts";

const hex = (word: bigint | number): string => word.toString(16).padStart(8, "0");

describe("the oracle", () => {
  it("has the value by which SMHasher verifies MurmurHash3_x86_128: 0xb3ece62a", () => {
    const hashes = new Uint8Array(256 * 16);
    const view = new DataView(hashes.buffer);
    for (let i = 0; i < 256; i++) {
      const key = Uint8Array.from({ length: i }, (_, at) => at);
      for (const [lane, word] of murmur3Oracle(key, 256 - i).entries())
        view.setUint32(16 * i + 4 * lane, Number(word), true);
    }
    expect(hex(murmur3Oracle(hashes)[0]!)).toBe("b3ece62a");
  });
});

describe("murmur3", () => {
  it.each([
    ["", "0000000000000000"],
    ["The quick brown fox jumps over the lazy dog", "2f1583c3ecee2c67"],
    ["I will not buy this tobacconist's, it is scratched.", "9b5b7ba2ef3f7866"],
  ])("gives the published hash of %j", (text, published) => {
    const { high, low } = murmur3(new TextEncoder().encode(text));
    expect(hex(high) + hex(low)).toBe(published);
  });

  it("equals the oracle for bytes of any length, wherever they stand in their buffer", () => {
    check(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(7), (bytes, offset) => {
        const buffer = new Uint8Array(bytes.length + 8).fill(0xee);
        buffer.set(bytes, offset);
        const { high, low } = murmur3(buffer.subarray(offset, offset + bytes.length));
        expect([high, low]).toEqual(murmur3Oracle(bytes).slice(0, 2).map(Number));
      }),
      500,
    );
  });
});
