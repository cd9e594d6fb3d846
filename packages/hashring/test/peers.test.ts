import NodeHashRing from "node-hashring";
import { describe, expect, it } from "vitest";
import { createRing } from "../src/index.ts";
import { OracleRing } from "./oracle.ts";
import { ALL_POINTS_IN_COMMON, ONE_POINT_IN_COMMON, ORDERED_BY_UTF8 } from "./vectors.ts";

const keys = Array.from({ length: 20_000 }, (_, i) => `web-${i % 100}:${1_700_000_000_000 + i * 3_600_000}`);

/** How many keys get no owner. */
function lost(ownerOf: (key: string) => string | undefined): number {
  return keys.filter((key) => ownerOf(key) === undefined).length;
}

describe("npm node-hashring, once two of its positions collide", () => {
  // The labels .14 and .43 of these, and two more, have equal hashes there.
  const [first, second] = ["broker-611", "broker-898"];

  it("leaves keys without an owner in a ring that is built at once", () => {
    const ring = new NodeHashRing([first, second], 150);
    expect(lost((key) => ring.findNode(key))).toBeGreaterThan(0);
  });

  it("moves keys between nodes that stay, when another was added and removed again", () => {
    const ring = new NodeHashRing([first, "broker-1"], 150);
    const before = keys.map((key) => ring.findNode(key));
    ring.addNode(second);
    ring.removeNode(second);
    expect(keys.filter((key, i) => ring.findNode(key) !== before[i])).not.toEqual([]);
  });
});

describe.each([
  { what: "one", ids: ONE_POINT_IN_COMMON },
  { what: "every", ids: ALL_POINTS_IN_COMMON },
  { what: "every, and UTF-16 would order them otherwise,", ids: ORDERED_BY_UTF8 },
])("a ring of members with $what position in common", ({ ids }) => {
  const both = createRing({ members: ids.map((id) => ({ id })) });
  const alone = createRing({ members: [{ id: ids[0] }] });

  it("does have points that collide", () => {
    const oracle = new OracleRing([...both.members], { ...both.parameters });
    expect(new Set(oracle.points.map(({ position }) => position)).size).toBeLessThan(oracle.points.length);
  });

  it("gives every key an owner, whichever way it came about", () => {
    const rings = [
      both,
      alone.add({ id: ids[1] }),
      alone.add({ id: ids[1] }).remove(ids[0]).add({ id: ids[0] }),
      createRing({ members: ids.toReversed().map((id) => ({ id })) }),
    ];
    for (const ring of rings) {
      expect(lost((key) => ring.owner(key))).toBe(0);
      expect(ring.fingerprint).toBe(both.fingerprint);
    }
  });

  it("is what it was once the other is removed again, and gives every key to who is left", () => {
    expect(both.remove(ids[1]).serialize()).toBe(alone.serialize());
    for (const [gone, left] of [ids, ids.toReversed()]) {
      const ring = both.remove(gone!);
      expect(keys.filter((key) => ring.owner(key) !== left)).toEqual([]);
    }
  });
});
