import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bucketStart,
  crc32,
  createRing,
  fmix32,
  type HashRing,
  type RingHash,
  shardKey,
} from "../src/index.ts";
import { check, ids, key, member, members, parameters, timestampMs } from "./arbitraries.ts";
import { coarseHash, type OracleMember, type OracleParameters, OracleRing } from "./oracle.ts";

function build(list: OracleMember[], parameters: Partial<OracleParameters> = {}): HashRing {
  return createRing({ members: list, parameters, hashes: [coarseHash] });
}

/** Every position where an answer may change, and both its neighbours. */
function criticalPositions(oracle: OracleRing): number[] {
  const around = oracle.points.flatMap(({ position }) => [position - 1, position, position + 1]);
  return [...new Set([0, 2 ** 32 - 1, ...around])].filter((position) => position >= 0 && position < 2 ** 32);
}

/** Puts the key "@" and a number right at that position, and labels where the default does, with bits masked out. */
function namedPosition(mask: number): RingHash {
  return {
    name: "named-position",
    position: (key, seed) =>
      /^@\d+$/.test(String(key)) ? Number(String(key).slice(1)) : fmix32(crc32(key) ^ seed) & mask,
  };
}

function zoneOf({ id, zone }: { id: string; zone?: string }): string {
  return zone === undefined ? `alone ${id}` : `zone ${zone}`;
}

describe("a ring", () => {
  it("gives every key the owners that a linear scan finds", () => {
    check(
      fc.property(
        members({ maxLength: 8 }),
        parameters,
        fc.array(key, { minLength: 20, maxLength: 20 }),
        (list, parameters, keys) => {
          const ring = build(list, parameters);
          const oracle = new OracleRing(list, parameters);
          for (const key of keys) {
            const position = oracle.position(key);
            expect(ring.position(key)).toBe(position);
            expect(ring.owner(key)).toBe(oracle.owner(position));
            expect(ring.owner(Buffer.from(key))).toBe(oracle.owner(position));
            for (const n of [1, 2, 3, 9]) expect(ring.owners(key, n)).toEqual(oracle.owners(position, n));
          }
        },
      ),
    );
  });

  it("gives the same owners when a stretch of the key space is asked for first and ever after, at every edge", () => {
    // Points all over the key space; crowded into a small part of it; crowded at both of its ends.
    const masks = fc.constantFrom(-1, 0xffff, 0x8000_ffff | 0);
    check(
      fc.property(members({ maxLength: 6 }), fc.constantFrom(1, 7, 40, 150), masks, (list, vnodes, mask) => {
        const hash = namedPosition(mask);
        const ring = createRing({ members: list, parameters: { vnodes, hash: hash.name }, hashes: [hash] });
        const oracle = new OracleRing(list, { ...ring.parameters, hash: "crc32-fmix32" });
        for (const point of oracle.points) point.position = (point.position & mask) >>> 0;
        const critical = criticalPositions(oracle);
        const stride = Math.ceil(critical.length / 200);
        const positions = critical.filter((_, i) => i % stride === 0);
        const expected = positions.map((position) => oracle.owner(position));
        const ask = (): unknown[] => positions.map((position) => ring.owner(`@${position}`));
        expect(ask()).toEqual(expected);
        expect(ask()).toEqual(expected);
      }),
      30,
    );
  });

  it("has arcs that cover the key space once and agree with a linear scan wherever owners may change", () => {
    check(
      fc.property(
        members({ maxLength: 5 }),
        parameters,
        fc.integer({ min: 1, max: 4 }),
        (list, parameters, n) => {
          const arcs = build(list, { ...parameters, vnodes: Math.min(7, parameters.vnodes) }).arcs(n);
          const oracle = new OracleRing(list, { ...parameters, vnodes: Math.min(7, parameters.vnodes) });
          expect(arcs[0]!.start).toBe(0);
          expect(arcs.at(-1)!.end).toBe(2 ** 32 - 1);
          for (const [i, arc] of arcs.entries()) {
            expect(arc.end).toBeGreaterThanOrEqual(arc.start);
            if (i > 0) expect(arc.start).toBe(arcs[i - 1]!.end + 1);
            if (i > 0) expect(arc.owners).not.toEqual(arcs[i - 1]!.owners);
          }
          for (const position of criticalPositions(oracle)) {
            const arc = arcs.find(({ end }) => end >= position)!;
            expect(arc.owners).toEqual(oracle.owners(position, n));
          }
        },
      ),
      60,
    );
  });

  it("does not depend on the order of its members", () => {
    check(
      fc.property(
        members({ maxLength: 10 }).chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
        ),
        parameters,
        ([list, shuffled], parameters) => {
          expect(build(shuffled, parameters).serialize()).toBe(build(list, parameters).serialize());
        },
      ),
    );
  });

  it("is the same after any adding and removing as built at once, and the snapshots on the way never change", () => {
    check(
      fc.property(
        members({ maxLength: 6 }),
        parameters,
        fc.array(member, { maxLength: 15 }),
        (list, parameters, changes) => {
          let ring = build(list, parameters);
          const present = new Map(list.map((member) => [member.id, member]));
          const snapshots: { ring: HashRing; text: string }[] = [];
          for (const change of changes) {
            snapshots.push({ ring, text: ring.serialize() });
            if (present.delete(change.id)) {
              ring = ring.remove(change.id);
            } else {
              present.set(change.id, change);
              ring = ring.add(change);
            }
            const oracle = new OracleRing([...present.values()], parameters);
            expect(ring.fingerprint).toBe(oracle.fingerprint());
            expect(ring.arcs(2)).toEqual(build([...present.values()], parameters).arcs(2));
          }
          for (const { ring, text } of snapshots) expect(ring.serialize()).toBe(text);
        },
      ),
    );
  });

  it("moves keys only to a member that is added, and only from one that is removed", () => {
    check(
      fc.property(
        members({ minLength: 1, maxLength: 8 }),
        parameters,
        fc.array(key, { minLength: 50, maxLength: 50 }),
        (list, parameters, keys) => {
          const [changed, ...rest] = list;
          const without = build(rest, parameters);
          const along = without.add(changed!);
          for (const key of keys) {
            const [small, large] = [without.owner(key), along.owner(key)];
            if (small !== large) expect(large).toBe(changed!.id);
            expect(along.remove(changed!.id).owner(key)).toBe(small);
          }
        },
      ),
    );
  });

  it("without zones, lets only the added member join the holders of a key, whatever the number of copies", () => {
    check(
      fc.property(
        members({ minLength: 1, maxLength: 8 }),
        parameters,
        fc.array(key, { minLength: 30, maxLength: 30 }),
        (list, parameters, keys) => {
          const [changed, ...rest] = list.map(({ id, weight = 1 }) => ({ id, weight }));
          const without = build(rest, parameters);
          const along = without.add(changed!);
          for (const key of keys) {
            for (const n of [1, 2, 3, 5]) {
              const before = without.owners(key, n);
              for (const id of along.owners(key, n)) expect([...before, changed!.id]).toContain(id);
            }
          }
        },
      ),
    );
  });

  it("lists owners that are distinct, begin with the owner, and stand in as many zones as there can be", () => {
    check(
      fc.property(
        members({ minLength: 1, maxLength: 10 }),
        parameters,
        key,
        fc.integer({ min: 1, max: 12 }),
        (list, parameters, key, n) => {
          const ring = build(list, parameters);
          const owners = ring.owners(key, n);
          expect(new Set(owners).size).toBe(owners.length);
          expect(owners.length).toBe(Math.min(n, list.length));
          expect(owners[0]).toBe(ring.owner(key));
          const zones = new Set(owners.map((id) => zoneOf(list.find((member) => member.id === id)!)));
          expect(zones.size).toBe(Math.min(n, new Set(list.map(zoneOf)).size));
        },
      ),
    );
  });

  it("finds a host's bucket as it finds the key that the bucket's name spells", () => {
    check(
      fc.property(
        members({ maxLength: 6 }),
        parameters,
        ids,
        timestampMs,
        (list, parameters, hostId, timestampMs) => {
          const ring = build(list, parameters);
          const start = bucketStart(hostId, timestampMs, parameters.shardBucketMs);
          const key = shardKey(hostId, start);
          expect(ring.positionOfBucket(hostId, start)).toBe(ring.position(key));
          expect(ring.ownerOfBucket(hostId, start)).toBe(ring.owner(key));
          expect(ring.ownerOf(hostId, timestampMs)).toBe(ring.owner(key));
          expect(ring.ownersOf(hostId, timestampMs)).toEqual(ring.owners(key, parameters.replicationFactor));
          expect(ring.ownersOfBucket(hostId, start, 3)).toEqual(ring.owners(key, 3));
        },
      ),
      500,
    );
  });

  it("has shares that are the widths of its members' arcs and sum to 1", () => {
    check(
      fc.property(members({ minLength: 1, maxLength: 8 }), parameters, (list, parameters) => {
        const ring = build(list, parameters);
        const widths = new Map(ring.members.map(({ id }) => [id, 0]));
        for (const { start, end, owners } of ring.arcs(1)) {
          widths.set(owners[0]!, widths.get(owners[0]!)! + (end - start + 1) / 2 ** 32);
        }
        expect(ring.shares()).toEqual(widths);
        expect([...ring.shares().values()].reduce((sum, share) => sum + share)).toBe(1);
      }),
    );
  });
});
