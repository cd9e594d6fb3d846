import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bucketOffset, bucketStart, crc32, createRing, shardKey } from "../src/index.ts";
import { createVectors, printVectors, type Vectors } from "./vectors.ts";

const text = readFileSync(new URL("fixtures/vectors.json", import.meta.url), "utf8");
const vectors: Vectors = JSON.parse(text);

describe("the vectors in test/fixtures/vectors.json", () => {
  it("are what the oracle computes: after a deliberate change run `npm run vectors`", () => {
    expect(text).toBe(printVectors(createVectors()));
  });

  it.each(vectors.hashes)("hash $keyHex", ({ keyHex, text, crc32: expected, positions }) => {
    for (const key of text === undefined
      ? [Buffer.from(keyHex, "hex")]
      : [Buffer.from(keyHex, "hex"), text]) {
      expect(crc32(key)).toBe(expected);
      for (const { hash, seed, position } of positions) {
        expect(createRing({ parameters: { hash, seed } }).position(key)).toBe(position);
      }
    }
  });

  it.each(vectors.buckets)("bucket of $hostId at $timestampMs, $shardBucketMs ms long (R5)", (vector) => {
    const { hostId, timestampMs, shardBucketMs } = vector;
    expect(bucketOffset(hostId, shardBucketMs)).toBe(vector.offsetMs);
    expect(bucketStart(hostId, timestampMs, shardBucketMs)).toBe(vector.bucketStart);
    expect(shardKey(hostId, vector.bucketStart)).toBe(vector.key);
  });

  it.each(vectors.rings)("ring: $name", ({ members, parameters, fingerprint, points, keys }) => {
    const ring = createRing({ members, parameters });
    expect(ring.fingerprint).toBe(fingerprint);
    for (const { keyHex, text, position, owners } of keys) {
      const key = Buffer.from(keyHex, "hex");
      expect(ring.position(key)).toBe(position);
      expect(ring.owner(key)).toBe(owners[0]);
      if (text !== undefined) expect(ring.owner(text)).toBe(owners[0]);
      for (let n = 1; n <= members.length; n++) expect(ring.owners(key, n)).toEqual(owners.slice(0, n));
    }
    const arcs = ring.arcs(1);
    for (const [i, [position, id]] of (points ?? []).entries()) {
      const collides = points![i - 1]?.[0] === position;
      if (!collides) expect(arcs.find((arc) => arc.end >= position)!.owners).toEqual([id]);
    }
  });
});
