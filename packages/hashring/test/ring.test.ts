import { describe, expect, it } from "vitest";
import { crc32, createRing, defaults, type MemberOptions, RingError, type RingHash } from "../src/index.ts";
import { ALL_POINTS_IN_COMMON, ORDERED_BY_UTF8 } from "./vectors.ts";

const three = [{ id: "a" }, { id: "b" }, { id: "c" }];

function code(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof RingError) return error.code;
    throw error;
  }
  return "nothing thrown";
}

describe("an empty ring", () => {
  const ring = createRing();

  it("owns nothing and says so", () => {
    expect(ring.size).toBe(0);
    expect(ring.owner("key")).toBeUndefined();
    expect(ring.owners("key", 3)).toEqual([]);
    expect(ring.ownerOf("web-1", 0)).toBeUndefined();
    expect(ring.ownersOf("web-1", 0)).toEqual([]);
    expect(ring.shares()).toEqual(new Map());
    expect(ring.arcs()).toEqual([{ start: 0, end: 2 ** 32 - 1, owners: [] }]);
  });

  it("takes a member, and is itself again when that leaves", () => {
    const one = ring.add({ id: "a" });
    expect(one.owner("key")).toBe("a");
    expect(one.shares()).toEqual(new Map([["a", 1]]));
    expect(one.remove("a").serialize()).toBe(ring.serialize());
  });
});

describe("members", () => {
  it("come in bytewise order with defaults filled in, and cannot be changed", () => {
    const ring = createRing({
      members: [
        { id: "b", zone: "z" },
        { id: "a", weight: 2 },
      ],
    });
    expect(ring.members).toEqual([
      { id: "a", weight: 2 },
      { id: "b", weight: 1, zone: "z" },
    ]);
    expect(Object.isFrozen(ring.members) && ring.members.every(Object.isFrozen)).toBe(true);
    expect(ring.has("a")).toBe(true);
    expect(ring.has("c")).toBe(false);
  });

  it("are copied: changing what was passed in changes nothing", () => {
    const passed = { id: "a", weight: 1 };
    const ring = createRing({ members: [passed, { id: "b" }] });
    const before = ring.shares();
    passed.weight = 5;
    expect(ring.add({ id: "c" }).remove("c").shares()).toEqual(before);
  });

  it("get round(vnodes × weight) points, halves up, and at least one", () => {
    const members = [
      { id: "a", weight: 0.001 },
      { id: "b", weight: 0.03 },
      { id: "c", weight: 2 },
    ];
    const position: RingHash["position"] = (key) => {
      counts.set(String(key).slice(0, 1), (counts.get(String(key).slice(0, 1)) ?? 0) + 1);
      return 0;
    };
    const counts = new Map<string, number>();
    createRing({ members, parameters: { hash: "counting" }, hashes: [{ name: "counting", position }] });
    expect([...counts]).toEqual([
      ["a", 1],
      ["b", 5],
      ["c", 300],
    ]);
  });

  it("own the key space in proportion to their weights", () => {
    const shares = createRing({
      members: [{ id: "a", weight: 3 }, { id: "b" }],
      parameters: { vnodes: 2000 },
    }).shares();
    expect(shares.get("a")! / shares.get("b")!).toBeCloseTo(3, 0);
  });

  it("appear once: a second one is refused and changes nothing", () => {
    expect(code(() => createRing({ members: [...three, { id: "b" }] }))).toBe("RING_DUPLICATE_MEMBER");
    const ring = createRing({ members: three });
    expect(code(() => ring.add({ id: "b", weight: 2 }))).toBe("RING_DUPLICATE_MEMBER");
    expect(ring.serialize()).toBe(createRing({ members: three }).serialize());
  });

  it("must be there to be removed", () => {
    expect(code(() => createRing({ members: three }).remove("d"))).toBe("RING_UNKNOWN_MEMBER");
    expect(code(() => createRing().remove("a"))).toBe("RING_UNKNOWN_MEMBER");
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("cannot weigh %d", (weight) => {
    expect(() => createRing({ members: [{ id: "a", weight }] })).toThrow(RangeError);
    expect(() => createRing().add({ id: "a", weight })).toThrow(
      `expected weight of a to be positive and finite, got ${weight}`,
    );
  });

  it("cannot weigh so much that their points outgrow memory", () => {
    expect(() => createRing({ members: [{ id: "a", weight: 437 }] })).toThrow(/65536/);
    const many = Array.from({ length: 65 }, (_, i) => ({ id: `broker-${i}`, weight: 6.5 }));
    expect(() => createRing({ members: many, parameters: { vnodes: 10_000 } })).toThrow(/4194304 points/);
  });

  it.each(["", "\ud800", "a\udc00", "é".repeat(129)])("cannot have the id or zone %j", (name) => {
    expect(() => createRing({ members: [{ id: name }] })).toThrow(RangeError);
    expect(() => createRing({ members: [{ id: "a", zone: name }] })).toThrow(RangeError);
  });

  it.each([undefined, null, "a", { id: 7 }, { id: "a", weight: "2" }, { id: "a", zone: 1 }])(
    "cannot be %j",
    (member) => {
      expect(() => createRing({ members: [member as unknown as MemberOptions] })).toThrow(TypeError);
    },
  );
});

describe("members whose points collide", () => {
  it("keep the order of their ids' bytes: the smaller owns, the other stays a holder", () => {
    const ring = createRing({ members: ALL_POINTS_IN_COMMON.map((id) => ({ id })) });
    const [larger, smaller] = ALL_POINTS_IN_COMMON;
    expect(ring.shares()).toEqual(
      new Map([
        [smaller, 1],
        [larger, 0],
      ]),
    );
    expect(ring.owners("key", 2)).toEqual([smaller, larger]);
    expect(ring.remove(smaller).owner("key")).toBe(larger);
  });

  it("are ordered by UTF-8, where UTF-16 would have it the other way round", () => {
    const [smaller, larger] = ORDERED_BY_UTF8;
    expect(larger < smaller).toBe(true);
    expect(createRing({ members: [{ id: larger }, { id: smaller }] }).owner("key")).toBe(smaller);
    expect(
      createRing({ members: [{ id: larger }] })
        .add({ id: smaller })
        .owner("key"),
    ).toBe(smaller);
  });
});

describe("parameters", () => {
  it("have the documented defaults", () => {
    expect(createRing().parameters).toEqual(defaults);
    expect(defaults).toEqual({
      vnodes: 150,
      hash: "crc32-fmix32",
      seed: 0,
      shardBucketMs: 3_600_000,
      replicationFactor: 1,
    });
  });

  it.each([
    { vnodes: 0 },
    { vnodes: 10_001 },
    { vnodes: 1.5 },
    { seed: -1 },
    { seed: 2 ** 32 },
    { shardBucketMs: 0 },
    { replicationFactor: 0 },
    { replicationFactor: 256 },
  ])("refuse %o", (parameters) => {
    expect(() => createRing({ parameters })).toThrow(RangeError);
    expect(() => createRing({ parameters })).toThrow(Object.keys(parameters)[0]);
  });

  it("refuse a wrong type", () => {
    for (const parameters of [{ vnodes: "150" }, { hash: 1 }, { seed: 1n }]) {
      expect(() => createRing({ parameters: parameters as never })).toThrow(TypeError);
    }
  });

  it("give the number of owners that is asked for by default", () => {
    const ring = createRing({ members: three, parameters: { replicationFactor: 2 } });
    expect(ring.owners("key")).toHaveLength(2);
    expect(ring.ownersOf("web-1", 0)).toHaveLength(2);
    for (const n of [0, -1, 1.5, 65_537]) expect(() => ring.owners("key", n)).toThrow(RangeError);
  });
});

describe("a ring of more than 32,767 points", () => {
  // What it remembers of its points no longer fits 16 bits.
  const members = Array.from({ length: 40 }, (_, i) => ({ id: `broker-${i}`, weight: 6 }));
  const ring = createRing({ members });

  it("gives a key the owner that its arcs name, however often it is asked", () => {
    const arcs = ring.arcs(1);
    for (let i = 0; i < 20_000; i++) {
      const key = `web-${i % 10_000}`;
      const position = ring.position(key);
      let [low, high] = [0, arcs.length - 1];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (arcs[middle]!.end < position) low = middle + 1;
        else high = middle;
      }
      if (ring.owner(key) !== arcs[low]!.owners[0])
        expect([key, ring.owner(key)]).toEqual([key, arcs[low]!.owners[0]]);
    }
  });
});

describe("a hash of the caller's own", () => {
  const length: RingHash = { name: "length", position: (key) => key.length * 2 ** 24 };

  it("is used when the parameters name it", () => {
    const ring = createRing({ members: three, parameters: { hash: "length" }, hashes: [length] });
    expect(ring.position("abc")).toBe(3 * 2 ** 24);
    expect(ring.positionOfBucket("web-1", 12)).toBe(8 * 2 ** 24);
    expect(ring.add({ id: "d" }).position("abc")).toBe(3 * 2 ** 24);
  });

  it("finds a bucket by the host's CRC-32 when it depends on nothing else", () => {
    const seeds = new Set<number>();
    const ofCrc32: RingHash = {
      name: "rotated",
      position: (key, seed) => ofCrc32.positionOfCrc32!(crc32(key), seed),
      positionOfCrc32: (crc32, seed) => {
        seeds.add(seed);
        return ((crc32 << 7) | (crc32 >>> 25)) ^ seed;
      },
    };
    const parameters = { hash: "rotated", seed: 0xfffffffe };
    const ring = createRing({ members: three, parameters, hashes: [ofCrc32] });
    for (const start of [1_700_000_000_000, 12, 0, -5, 123_456_789_012_345]) {
      expect(ring.positionOfBucket("web-1", start)).toBe(ring.position(`web-1:${start}`));
    }
    expect([...seeds]).toEqual([-2]);
  });

  it("may give signed numbers, which count modulo 2³²", () => {
    const hashes = [{ name: "negative", position: () => -1 }];
    expect(createRing({ parameters: { hash: "negative" }, hashes }).position("abc")).toBe(2 ** 32 - 1);
  });

  it("must be handed in, and cannot replace a built-in one", () => {
    expect(code(() => createRing({ parameters: { hash: "length" } }))).toBe("RING_UNKNOWN_HASH");
    const hashes = [{ ...length, name: "crc32" }];
    expect(createRing({ parameters: { hash: "crc32" }, hashes }).position("abc")).not.toBe(3 * 2 ** 24);
  });
});
