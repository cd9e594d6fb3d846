import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createRandom, nodeNames } from "../bench/names.ts";
import { createRing } from "../src/index.ts";

const SETS = 1000;

const computed = new Map<string, number[]>();

/** The heaviest member's share over the mean share, for many sets of realistic names, ascending. Exact, not sampled. */
function heaviest(nodes: number, hash: string): number[] {
  const name = `${nodes} ${hash}`;
  const random = createRandom(1);
  const shares =
    computed.get(name) ??
    Array.from({ length: SETS }, () => {
      const members = nodeNames(nodes, random).map((id) => ({ id }));
      return Math.max(...createRing({ members, parameters: { hash } }).shares().values()) * nodes;
    }).sort((a, b) => a - b);
  computed.set(name, shares);
  return shares;
}

const p50 = Math.ceil(0.5 * SETS) - 1;
const p99 = Math.ceil(0.99 * SETS) - 1;

describe("over 1,000 sets of ten realistic node names", () => {
  const mixed = heaviest(10, "crc32-fmix32");

  it("the heaviest member has at most 1.14 fair shares in the median and 1.28 in 99 of 100 sets", () => {
    expect(mixed[p50]).toBeLessThanOrEqual(1.14);
    expect(mixed[p99]).toBeLessThanOrEqual(1.28);
  });

  it("plain CRC-32 does worse, which is why it is not the default", () => {
    expect(heaviest(10, "crc32")[p50]).toBeGreaterThan(mixed[p50]! + 0.1);
  });
});

describe("bench/balance.md", () => {
  const table = readFileSync(new URL("../bench/balance.md", import.meta.url), "utf8");
  const rows = [...table.matchAll(/^\| (\d+) +\| mon, ([\w-]+).*? \| (.*) \|$/gm)].map(
    ([, nodes, hash, figures]) => ({ nodes: Number(nodes), hash: hash!, figures: figures! }),
  );
  const checked = rows.filter(({ nodes }) => [3, 10].includes(nodes) || process.env.MON_TEST === "full");

  it("has rows for 3, 5, 7, 10 and 100 nodes", () => {
    expect(rows.map(({ nodes }) => nodes)).toEqual([3, 3, 5, 5, 7, 7, 10, 10, 100, 100]);
  });

  it.each(checked)("says of $nodes nodes by $hash what is so", ({ nodes, hash, figures }) => {
    const shares = heaviest(nodes, hash);
    const expected = [shares[p50]!, shares[p99]!, shares.at(-1)!].map((share) => share.toFixed(3));
    expect(figures).toBe(expected.join(" | "));
  });
});
