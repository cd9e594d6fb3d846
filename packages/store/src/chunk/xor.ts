import { BitReader, BitWriter } from "./bits.ts";
import { type ByteReader, chunkInvalid } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

const bitWriter = new BitWriter();

/** Leading zeros that have a name: five bits. */
const leadingMax = 31;

/**
 * Writes doubles as what differs from the one before: a 0 bit when nothing does; else a 1, and either a 0 and the bits
 * in the window of the last that had one, or a 1 and a window of its own (5 bits of leading zeros, 6 of length).
 *
 * @param words - two for each double, the lower first
 * @see Pelkonen et al., "Gorilla", 2015, §4.1.2
 */
export function writeXor(out: ByteWriter, words: Uint32Array, length: number): void {
  out.reserve(10 * length + 8);
  bitWriter.begin(out);
  let low = words[0]!;
  let high = words[1]!;
  bitWriter.putWord(low, 32);
  bitWriter.putWord(high, 32);
  let windowLeading = 64;
  let windowTrailing = 64;
  for (let i = 1; i < length; i++) {
    const lowXor = words[2 * i]! ^ low;
    const highXor = words[2 * i + 1]! ^ high;
    low = words[2 * i]!;
    high = words[2 * i + 1]!;
    if ((lowXor | highXor) === 0) {
      bitWriter.put(0, 1);
      continue;
    }
    let leading = highXor === 0 ? 32 + Math.clz32(lowXor) : Math.clz32(highXor);
    if (leading > leadingMax) leading = leadingMax;
    const trailing = lowXor === 0 ? 32 + trailingZeros(highXor) : trailingZeros(lowXor);
    if (leading >= windowLeading && trailing >= windowTrailing) bitWriter.put(0b01, 2);
    else {
      windowLeading = leading;
      windowTrailing = trailing;
      bitWriter.put(0b11 | (leading << 2) | ((63 - leading - trailing) << 7), 13);
    }
    const width = 64 - windowLeading - windowTrailing;
    const shift = windowTrailing;
    if (shift >= 32) bitWriter.putWord(highXor >>> (shift - 32), width);
    else {
      const lower = shift === 0 ? lowXor : (lowXor >>> shift) | (highXor << (32 - shift));
      bitWriter.putWord(width < 32 ? lower & ((1 << width) - 1) : lower, Math.min(width, 32));
      if (width > 32) bitWriter.putWord(highXor >>> shift, width - 32);
    }
  }
  bitWriter.end(out);
}

function trailingZeros(value: number): number {
  return 31 - Math.clz32(value & -value);
}

/** Reads the first `count` of doubles. */
export function readXor(reader: ByteReader, words: Uint32Array, length: number, count: number): void {
  const bits = new BitReader(reader.take(reader.remaining));
  let low = bits.takeWord(32);
  let high = bits.takeWord(32);
  words[0] = low;
  words[1] = high;
  let trailing = 64;
  let width = 0;
  for (let i = 1; i < count; i++) {
    if (bits.take(1) === 1) {
      if (bits.take(1) === 1) {
        const window = bits.take(11);
        width = 1 + (window >>> 5);
        trailing = 64 - (window & leadingMax) - width;
      }
      if (trailing < 0 || width === 0) throw chunkInvalid("expected a window of at most 64 bits, got none");
      const lower = bits.takeWord(Math.min(width, 32));
      const upper = width > 32 ? bits.takeWord(width - 32) : 0;
      if (trailing >= 32) high ^= lower << (trailing - 32);
      else if (trailing === 0) {
        low ^= lower;
        high ^= upper;
      } else {
        low ^= lower << trailing;
        high ^= (upper << trailing) | (lower >>> (32 - trailing));
      }
    }
    words[2 * i] = low;
    words[2 * i + 1] = high;
  }
  if (count === length) bits.assertEnd();
}
