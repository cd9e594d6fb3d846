/** Eight tables: the checksum of a byte followed by 0 to 7 zero bytes (slicing by eight). */
const tables = makeTables();

function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
    return crc;
  });
  const made = [first];
  for (let i = 1; i < 8; i++) {
    const before = made[i - 1]!;
    made.push(before.map((crc) => (crc >>> 8) ^ first[crc & 0xff]!));
  }
  return made;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/**
 * CRC-32C (Castagnoli) of `bytes` from `start` to `end`, which LevelDB uses and `node:zlib` does not have.
 *
 * @param before - the checksum of what precedes them, to go on from
 */
export function crc32c(bytes: Uint8Array, start: number, end: number, before = 0): number {
  let crc = ~before;
  let at = start;
  for (const stop = end - 7; at < stop; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

/** One byte more, for whoever looks at each: begins with −1; the checksum is the complement. */
export function crc32cStep(crc: number, byte: number): number {
  return (crc >>> 8) ^ t0[(crc ^ byte) & 0xff]!;
}

/** A checksum as LevelDB stores it, since a checksum of bytes that hold their own checksum is weak. */
export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0;
}
