import { crc32, crc32OfBucket } from "./crc32.ts";
import { RingError } from "./errors.ts";

/**
 * A function from keys to positions on the ring, the integers from 0 to 2³² − 1.
 *
 * Labels of members and keys go through the same function. It must be pure and equal on every machine that shares the
 * ring. Results are taken modulo 2³².
 */
export interface RingHash {
  /** How the parameters of a ring refer to it; not empty. */
  readonly name: string;

  /**
   * @param key - text counts as its UTF-8 bytes
   * @param seed - from the ring's parameters, an unsigned 32-bit integer
   */
  position(key: string | Uint8Array, seed: number): number;

  /**
   * The position of the key `${hostId}:${bucketStart}`, for a hash that can do without building that string. Left out,
   * the string is built.
   *
   * @param hostCrc32 - the CRC-32 of `hostId`, which the ring already has at hand
   */
  bucketPosition?(hostId: string, hostCrc32: number, bucketStart: number, seed: number): number;
}

/**
 * The finaliser of MurmurHash3 (32 bit): a bijection in which each bit of the input reaches each bit of the result.
 *
 * @returns an unsigned 32-bit integer
 */
export function fmix32(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * CRC-32, xor seed, then {@link fmix32}: the default. CRC-32 alone is linear: labels that differ in a few characters
 * land on related positions, and the shares of the members suffer for it.
 */
const mixedCrc32: RingHash = {
  name: "crc32-fmix32",
  position: (key, seed) => fmix32(crc32(key) ^ seed),
  bucketPosition: (_hostId, hostCrc32, bucketStart, seed) =>
    fmix32(crc32OfBucket(hostCrc32, bucketStart) ^ seed),
};

/** CRC-32 xor seed and nothing more, for rings that must agree with systems that do the same. */
const plainCrc32: RingHash = {
  name: "crc32",
  position: (key, seed) => (crc32(key) ^ seed) >>> 0,
  bucketPosition: (_hostId, hostCrc32, bucketStart, seed) =>
    (crc32OfBucket(hostCrc32, bucketStart) ^ seed) >>> 0,
};

const builtInHashes: readonly RingHash[] = [mixedCrc32, plainCrc32];

/**
 * Finds a hash by its name, built-in ones first.
 *
 * @throws {RingError} RING_UNKNOWN_HASH when neither the built-in ones nor `more` have it
 */
export function ringHashByName(name: string, more: readonly RingHash[] = []): RingHash {
  const candidates = [...builtInHashes, ...more];
  const found = candidates.find((hash) => hash.name === name);
  if (found) return found;
  const names = candidates.map((hash) => hash.name).join(", ");
  throw new RingError(
    "RING_UNKNOWN_HASH",
    `expected hash to be one of ${names}, got ${JSON.stringify(name)}`,
  );
}
