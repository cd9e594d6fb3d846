/** Rounds of the Feistel network: enough that neighbours do not stay together. */
const rounds = 4;

/**
 * A pseudo-random order of the integers from 0 to `size` − 1, in no memory: each comes once. The same seed gives the same
 * order, so that a scan can go on where it stopped. A Feistel network over the next even number of bits, walked until the
 * result is in range, which takes four steps at most on average.
 *
 * @param size - 1 to 2^32
 * @throws {RangeError} for another
 */
export function createPermutation(size: number, seed: number): (index: number) => number {
  if (!Number.isSafeInteger(size) || size < 1 || size > 2 ** 32) {
    throw new RangeError(`expected a size from 1 to 2^32, got ${size}`);
  }
  const bits = Math.max(1, Math.ceil(Math.ceil(Math.log2(size)) / 2));
  const mask = 2 ** bits - 1;
  const step = (value: number): number => {
    let left = Math.floor(value / 2 ** bits);
    let right = value % 2 ** bits;
    for (let round = 0; round < rounds; round++) {
      const next = (left ^ mix(right, seed, round)) & mask;
      left = right;
      right = next;
    }
    return (left >>> 0) * 2 ** bits + (right >>> 0);
  };
  return (index) => {
    let value = step(index);
    while (value >= size) value = step(value);
    return value;
  };
}

/** A round function: MurmurHash3's finaliser. */
function mix(value: number, seed: number, round: number): number {
  let h = value ^ Math.imul(seed + round, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
