import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AddressSpace,
  createPermutation,
  formatAddress,
  parseAddress,
  parseRange,
  refusalOf,
} from "../../src/index.ts";

describe("an address", () => {
  it("is read as Node reads it, and written as it should be", () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom("0", "1", "f", ":", ".", "255", "g"), maxLength: 16 }),
    );
    fc.assert(
      fc.property(text, (address) => {
        const parsed = parseAddress(address);
        const known = isIP(address);
        expect(parsed === undefined ? 0 : known).toBe(known);
        if (parsed === undefined) return;
        expect(parseAddress(formatAddress(parsed))).toEqual(parsed);
        if (parsed.family === 6)
          expect(new URL(`http://[${address}]`).hostname).toBe(`[${formatAddress(parsed)}]`);
      }),
      { numRuns: 5_000 },
    );
  });

  it("of IPv4 in IPv6 is the IPv4 address", () => {
    expect(parseAddress("::ffff:169.254.169.254")).toEqual(parseAddress("169.254.169.254"));
    expect(parseAddress("::ffff:a9fe:a9fe")).toEqual(parseAddress("169.254.169.254"));
  });

  it.each([
    "01.2.3.4",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "0x7f.1",
    "1.2.3.4 ",
    "",
    "fe80::1%eth0",
    ":::",
    "2130706433",
  ])("is not %j", (text) => expect(parseAddress(text)).toBeUndefined());
});

describe("nothing is sent to", () => {
  it.each([
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "fd00:ec2::254",
    "fe80::1",
    "224.0.0.251",
    "ff02::1",
    "0.0.0.0",
    "255.255.255.255",
    "::",
  ])("%s, though it is named", (text) => {
    expect(refusalOf(parseAddress(text)!, [parseRange(text)])).toContain("link-local, multicast or reserved");
  });

  it("loopback, unless it is named, nor to what is in none of the ranges that are", () => {
    expect(refusalOf(parseAddress("127.0.0.1")!)).toBe("127.0.0.1 is loopback");
    expect(refusalOf(parseAddress("127.9.0.1")!, [parseRange("127.9.0.0/16")])).toBeUndefined();
    expect(refusalOf(parseAddress("10.0.0.1")!)).toBeUndefined();
    expect(refusalOf(parseAddress("10.0.0.1")!, [parseRange("10.1.0.0/16")])).toBe(
      "10.0.0.1 is in none of the ranges that are allowed",
    );
  });
});

describe("an order", () => {
  it("has every number once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), fc.integer(), (size, seed) => {
        const order = createPermutation(size, seed);
        const all = Array.from({ length: size }, (_, i) => order(i));
        expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
      }),
      { numRuns: 200 },
    );
  });

  it("is the same for the same seed, another for another, and does not keep neighbours together", () => {
    const of = (seed: number): number[] =>
      Array.from({ length: 1_000 }, (_, i) => createPermutation(65_536, seed)(i));
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
    const near = of(1).filter((place, i, all) => i > 0 && Math.abs(place - all[i - 1]!) < 256);
    expect(near.length).toBeLessThan(30);
  });

  it("is for 1 to 2^32 numbers", () => {
    expect(createPermutation(2 ** 32, 1)(2 ** 32 - 1)).toBeLessThan(2 ** 32);
    for (const size of [0, 1.5, 2 ** 32 + 1, Number.NaN]) {
      expect(() => createPermutation(size, 1)).toThrow(`expected a size from 1 to 2^32, got ${size}`);
    }
  });
});

describe("a space", () => {
  const all = (options: Partial<ConstructorParameters<typeof AddressSpace>[0]>): string[] => {
    const space = new AddressSpace({ ranges: [], seed: 7, ...options });
    return Array.from({ length: space.size }, (_, i) => space.at(i)).filter(
      (address) => address !== undefined,
    );
  };

  it("has every address of its ranges once, without network and broadcast, without what is excluded", () => {
    expect(all({ ranges: ["10.0.0.0/29"] }).sort()).toEqual([1, 2, 3, 4, 5, 6].map((i) => `10.0.0.${i}`));
    expect(all({ ranges: ["10.0.0.8/31", "10.0.0.1"] }).sort()).toEqual(["10.0.0.1", "10.0.0.8", "10.0.0.9"]);
    expect(all({ ranges: ["10.0.0.0/29"], excludes: ["10.0.0.4/30"] }).sort()).toEqual([
      "10.0.0.1",
      "10.0.0.2",
      "10.0.0.3",
    ]);
    expect(all({ ranges: ["2001:db8::/126"] })).toHaveLength(4);
    expect(new Set(all({ ranges: ["10.0.0.0/16", "10.0.7.0/24", "10.0.0.0/16"] })).size).toBe(65_534);
  });

  it("leaves out where clouds keep their metadata", () => {
    expect(all({ ranges: ["169.254.169.0/24"] })).toEqual([]);
  });

  it("is not larger than somebody has said", () => {
    expect(() => all({ ranges: ["10.0.0.0/15"] })).toThrow(
      "expected at most 65536 addresses, got 131070: allow large scans if that is what you mean",
    );
    expect(new AddressSpace({ ranges: ["10.0.0.0/15"], allowLarge: true, seed: 1 }).size).toBe(131_070);
    expect(() => new AddressSpace({ ranges: ["2001:db8::/64"], allowLarge: true, seed: 1 })).toThrow(
      "split the ranges",
    );
    expect(() => all({})).toThrow("expected a range at least, got none");
    expect(() => all({ ranges: ["10.0.0.0/33"] })).toThrow('got "10.0.0.0/33"');
    expect(() => all({ ranges: [";rm -rf /"] })).toThrow('got ";rm -rf /"');
  });
});
