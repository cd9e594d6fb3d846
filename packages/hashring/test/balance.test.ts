import { describe, expect, it } from "vitest";
import { createRandom, nodeNames } from "../bench/names.ts";
import { createRing } from "../src/index.ts";

/** The heaviest member's share over the mean share, for many sets of realistic names, ascending. Exact, not sampled. */
function heaviest(sets: number, nodes: number, hash: string): number[] {
  const random = createRandom(1);
  return Array.from({ length: sets }, () => {
    const members = nodeNames(nodes, random).map((id) => ({ id }));
    return Math.max(...createRing({ members, parameters: { hash } }).shares().values()) * nodes;
  }).sort((a, b) => a - b);
}

describe("over 200 sets of ten realistic node names", () => {
  const mixed = heaviest(200, 10, "crc32-fmix32");

  it("the heaviest member has at most 1.14 fair shares in the median and 1.28 in 99 of 100 sets", () => {
    expect(mixed[100]).toBeLessThanOrEqual(1.14);
    expect(mixed[197]).toBeLessThanOrEqual(1.28);
  });

  it("plain CRC-32 does worse, which is why it is not the default", () => {
    expect(heaviest(200, 10, "crc32")[100]).toBeGreaterThan(mixed[100]!);
  });
});
