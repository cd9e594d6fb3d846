import fc from "fast-check";
import { expect, it } from "vitest";
import { BitSet } from "../src/catalogue/bit-set.ts";
import {
  countOf,
  hasPosting,
  itemsOf,
  keptPostings,
  type Postings,
  withPosting,
} from "../src/catalogue/postings.ts";
import { check } from "./support/check.ts";

const numbers = fc.uniqueArray(fc.nat(200), { minLength: 1, maxLength: 60, size: "max" });
const candidates = Array.from({ length: 300 }, (_, i) => i);

it("postings are the numbers added, in order, whatever the order of adding", () => {
  check(
    fc.property(numbers, fc.nat(6), (items, divisor) => {
      let postings: Postings | undefined;
      for (const item of items) postings = withPosting(postings, item);
      const sorted = items.toSorted((a, b) => a - b);
      expect([...itemsOf(postings!)]).toEqual(sorted);
      expect(countOf(postings!)).toBe(items.length);
      expect(candidates.filter((item) => hasPosting(postings!, item))).toEqual(sorted);
      const isKept = (item: number): boolean => item % (divisor + 1) === 0;
      const kept = keptPostings(postings!, isKept);
      expect(kept === undefined ? [] : [...itemsOf(kept)]).toEqual(sorted.filter(isKept));
    }),
  );
});

it("a set of bits holds what was added, gives it in order, and has nothing from its bound on", () => {
  check(
    fc.property(numbers, (items) => {
      const set = new BitSet(201);
      set.addAll(Int32Array.from(items));
      expect([...set.items()]).toEqual(items.toSorted((a, b) => a - b));
      expect(candidates.filter((item) => set.has(item))).toEqual([...set.items()]);
    }),
  );
});
