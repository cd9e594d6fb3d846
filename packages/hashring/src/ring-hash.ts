import { signedCrc32 } from "./crc32.ts";
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
   * @param seed - from the ring's parameters, the same 32 bits as a signed integer
   */
  position(key: string | Uint8Array, seed: number): number;

  /**
   * For a hash that depends on the key's CRC-32 alone: `position(key, seed)` from that CRC. The ring then finds a host's
   * bucket without building the key as a string.
   *
   * @param crc32 - a signed 32-bit integer
   */
  positionOfCrc32?(crc32: number, seed: number): number;
}

/**
 * The finaliser of MurmurHash3 (32 bit): a bijection in which each bit of the input reaches each bit of the result.
 *
 * @returns an unsigned 32-bit integer
 */
export function fmix32(value: number): number {
  return signedFmix32(value) >>> 0;
}

function signedFmix32(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/**
 * CRC-32, xor seed, then {@link fmix32}: the default. CRC-32 alone is linear: labels that differ in a few characters
 * land on related positions, and the shares of the members suffer for it.
 */
const mixedCrc32: RingHash = {
  name: "crc32-fmix32",
  position: (key, seed) => signedFmix32(signedCrc32(key) ^ seed),
  positionOfCrc32: (crc32, seed) => signedFmix32(crc32 ^ seed),
};

/** CRC-32 xor seed and nothing more, for rings that must agree with systems that do the same. */
const plainCrc32: RingHash = {
  name: "crc32",
  position: (key, seed) => signedCrc32(key) ^ seed,
  positionOfCrc32: (crc32, seed) => crc32 ^ seed,
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
