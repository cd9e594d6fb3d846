import { Desk } from "./desk.ts";

/** The first 64 bits of a hash, as two unsigned 32-bit integers. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

const c1 = 0x239b961b;
const c2 = 0xab0e9789;
const c3 = 0x38b34ae5;
const c4 = 0xa1e38b93;

/**
 * The first 64 bits of MurmurHash3 x86-128 with seed 0: its words h1 and h2, so that `high` is h1 and `low` is h2.
 * O(bytes), one allocation.
 *
 * @see Austin Appleby, MurmurHash3_x86_128
 */
export function murmur3(bytes: Uint8Array): Hash64 {
  desk.put(bytes);
  return murmur3Of(desk);
}

/** Nothing lies here longer than one call. */
const desk = new Desk();

/** {@link murmur3} of what lies on a desk: words as little-endian machines have them, which all are that Node runs on. */
export function murmur3Of({ words, length }: Desk): Hash64 {
  const end = (length >>> 4) << 2;
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  let i = 0;
  for (; i < end; i += 4) {
    let k1 = words[i]!;
    let k2 = words[i + 1]!;
    let k3 = words[i + 2]!;
    let k4 = words[i + 3]!;

    k1 = Math.imul(k1, c1);
    k1 = Math.imul((k1 << 15) | (k1 >>> 17), c2);
    h1 ^= k1;
    h1 = (h1 << 19) | (h1 >>> 13);
    h1 = (Math.imul((h1 + h2) | 0, 5) + 0x561ccd1b) | 0;

    k2 = Math.imul(k2, c2);
    k2 = Math.imul((k2 << 16) | (k2 >>> 16), c3);
    h2 ^= k2;
    h2 = (h2 << 17) | (h2 >>> 15);
    h2 = (Math.imul((h2 + h3) | 0, 5) + 0x0bcaa747) | 0;

    k3 = Math.imul(k3, c3);
    k3 = Math.imul((k3 << 17) | (k3 >>> 15), c4);
    h3 ^= k3;
    h3 = (h3 << 15) | (h3 >>> 17);
    h3 = (Math.imul((h3 + h4) | 0, 5) + 0x96cd1c35) | 0;

    k4 = Math.imul(k4, c4);
    k4 = Math.imul((k4 << 18) | (k4 >>> 14), c1);
    h4 ^= k4;
    h4 = (h4 << 13) | (h4 >>> 19);
    h4 = (Math.imul((h4 + h1) | 0, 5) + 0x32ac3b17) | 0;
  }

  const tail = length & 15;
  if (tail > 0) {
    let k1 = headOf(words[i]!, tail);
    let k2 = headOf(words[i + 1]!, tail - 4);
    let k3 = headOf(words[i + 2]!, tail - 8);
    let k4 = headOf(words[i + 3]!, tail - 12);
    if (tail > 12) {
      k4 = Math.imul(k4, c4);
      h4 ^= Math.imul((k4 << 18) | (k4 >>> 14), c1);
    }
    if (tail > 8) {
      k3 = Math.imul(k3, c3);
      h3 ^= Math.imul((k3 << 17) | (k3 >>> 15), c4);
    }
    if (tail > 4) {
      k2 = Math.imul(k2, c2);
      h2 ^= Math.imul((k2 << 16) | (k2 >>> 16), c3);
    }
    k1 = Math.imul(k1, c1);
    h1 ^= Math.imul((k1 << 15) | (k1 >>> 17), c2);
  }

  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = avalanche(h1);
  h2 = avalanche(h2);
  h3 = avalanche(h3);
  h4 = avalanche(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  return { high: h1 >>> 0, low: h2 >>> 0 };
}

/** The first bytes of a word; zero for the others. */
function headOf(word: number, bytes: number): number {
  if (bytes <= 0) return 0;
  return bytes >= 4 ? word : word & ((1 << (8 * bytes)) - 1);
}

function avalanche(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
