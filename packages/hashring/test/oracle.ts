import { createHash } from "node:crypto";
import CRC32 from "crc-32";
import type { RingHash } from "../src/index.ts";

/** The ring as its rules read, slowly: no sorting, no index, no code shared with the package. */

export interface OracleMember {
  id: string;
  weight?: number;
  zone?: string;
}

export interface OracleParameters {
  vnodes: number;
  hash: string;
  seed: number;
  shardBucketMs: number;
  replicationFactor: number;
}

interface Point {
  position: number;
  id: string;
}

/** MurmurHash3's finaliser in BigInt, straight from its definition. */
export function oracleFmix32(value: number): number {
  const word = (wide: bigint): bigint => wide & 0xffffffffn;
  let h = BigInt(value >>> 0);
  h ^= h >> 16n;
  h = word(h * 0x85ebca6bn);
  h ^= h >> 13n;
  h = word(h * 0xc2b2ae35n);
  h ^= h >> 16n;
  return Number(h);
}

export function oraclePosition(key: Uint8Array, hash: string, seed: number): number {
  const seeded = (CRC32.buf(key, 0) ^ seed) >>> 0;
  if (hash === coarseHash.name) return coarsen(seeded);
  return hash === "crc32" ? seeded : oracleFmix32(seeded);
}

/** A hash with 32 positions in all, so that points collide all the time. It leaves the ring to build bucket keys. */
export const coarseHash: RingHash = {
  name: "coarse",
  position: (key, seed) => coarsen((CRC32.buf(Buffer.from(key), 0) ^ seed) >>> 0),
};

function coarsen(position: number): number {
  return (position & 0xf8000000) >>> 0;
}

/** Start of a bucket in BigInt, where floored division cannot be rounded. */
export function oracleBucketStart(hostId: string, timestampMs: number, shardBucketMs: number): number {
  const b = BigInt(shardBucketMs);
  const o = BigInt(oracleFmix32(CRC32.str(hostId))) % b;
  const shifted = BigInt(timestampMs) - o;
  const quotient = shifted / b - (shifted % b < 0n ? 1n : 0n);
  return Number(quotient * b + o);
}

export class OracleRing {
  readonly members: OracleMember[];
  readonly parameters: OracleParameters;
  /** In no useful order. */
  readonly points: Point[] = [];

  constructor(members: OracleMember[], parameters: OracleParameters) {
    this.members = members.toSorted((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
    this.parameters = parameters;
    const { vnodes, hash, seed } = parameters;
    for (const { id, weight = 1 } of this.members) {
      for (let i = 0; i < Math.max(1, Math.floor(vnodes * weight + 0.5)); i++) {
        this.points.push({ position: oraclePosition(Buffer.from(`${id}#${i}`), hash, seed), id });
      }
    }
  }

  position(key: string | Uint8Array): number {
    return oraclePosition(Buffer.from(key), this.parameters.hash, this.parameters.seed);
  }

  /** A linear scan for the point at the smallest clockwise distance. */
  owner(position: number): string | undefined {
    let best: Point | undefined;
    for (const point of this.points) {
      if (best === undefined || compareFrom(position, point, best) < 0) best = point;
    }
    return best?.id;
  }

  /** All members by distance; then rounds that raise the number a zone may hold. */
  owners(position: number, n: number): string[] {
    const byDistance = this.points.toSorted((a, b) => compareFrom(position, a, b));
    const candidates = [...new Set(byDistance.map((point) => point.id))];
    const zoneOf = new Map(
      this.members.map(({ id, zone }) => [id, zone === undefined ? `alone ${id}` : `zone ${zone}`]),
    );
    const picked: string[] = [];
    for (let limit = 1; picked.length < Math.min(n, candidates.length); limit++) {
      for (const id of candidates) {
        const inZone = picked.filter((other) => zoneOf.get(other) === zoneOf.get(id)).length;
        if (picked.length < n && !picked.includes(id) && inZone < limit) picked.push(id);
      }
    }
    return picked;
  }

  fingerprint(): string {
    const { vnodes, hash, seed, shardBucketMs, replicationFactor } = this.parameters;
    const record = {
      parameters: { vnodes, hash, seed, shardBucketMs, replicationFactor },
      members: this.members.map(({ id, weight = 1, zone }) => ({
        id,
        weight,
        ...(zone === undefined ? {} : { zone }),
      })),
    };
    const sha = createHash("sha256").update(JSON.stringify(record));
    for (const { position, id } of this.points.toSorted((a, b) => compareFrom(0, a, b))) {
      const bytes = Buffer.alloc(6);
      bytes.writeUInt32LE(position, 0);
      bytes.writeUInt16LE(
        this.members.findIndex((member) => member.id === id),
        4,
      );
      sha.update(bytes);
    }
    return sha.digest("hex").slice(0, 16);
  }
}

/** By distance clockwise from a position; at the same distance by id, bytewise. */
export function compareFrom(position: number, a: Point, b: Point): number {
  const distance = clockwise(position, a.position) - clockwise(position, b.position);
  return distance === 0 ? Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)) : distance;
}

function clockwise(from: number, to: number): number {
  return (to - from + 2 ** 32) % 2 ** 32;
}
