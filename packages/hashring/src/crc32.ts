// CRC-32 as in zlib, gzip and the npm package crc-32: reflected polynomial 0xEDB88320, all bits inverted before and after.
//
// Keys arrive as strings, and turning each into bytes first would cost more than the checksum. The loops below
// therefore read UTF-16 code units and encode UTF-8 on the way, four ASCII characters a step (slicing-by-4).
// "State" means the inverted register, an int32; "CRC" means the finished value.

/** Four tables of 256: `TABLES[k * 256 + b]` is the effect of byte `b` followed by `k` zero bytes. */
const TABLES: Int32Array = createTables();

/** `PAIRS[n]` holds the two ASCII digits of n (0 to 99), the first in the low byte. */
const PAIRS: Int32Array = Int32Array.from(
  { length: 100 },
  (_, n) => (0x30 + Math.floor(n / 10)) | ((0x30 + (n % 10)) << 8),
);

/**
 * CRC-32 of `key`. O(length); no allocation.
 *
 * A string is hashed as its UTF-8 bytes. A lone surrogate counts as U+FFFD, which is what `TextEncoder` writes, so a
 * string and its encoded bytes always agree.
 *
 * @param key - text or bytes
 * @param previous - the CRC of what comes before `key`, to continue from
 * @returns an unsigned 32-bit integer
 * @throws {TypeError} for anything but a string or a `Uint8Array`
 * @example
 * crc32("123456789"); // 0xcbf43926
 * crc32("6789", crc32("12345")); // the same
 */
export function crc32(key: string | Uint8Array, previous = 0): number {
  const state = ~previous;
  return ~(typeof key === "string" ? updateText(state, key) : updateBytes(state, key)) >>> 0;
}

/**
 * CRC-32 of `key` after ":" and the decimal digits of `bucketStart` are put behind it, without building that string.
 *
 * @param previous - the CRC of the host id
 * @param bucketStart - a safe integer
 */
export function crc32OfBucket(previous: number, bucketStart: number): number {
  return ~updateDecimal(updateByte(~previous, 0x3a), bucketStart) >>> 0;
}

function createTables(): Int32Array {
  const tables = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const shorter = tables[i - 256]!;
    tables[i] = (shorter >>> 8) ^ tables[shorter & 0xff]!;
  }
  return tables;
}

function updateByte(state: number, byte: number): number {
  return TABLES[(state ^ byte) & 0xff]! ^ (state >>> 8);
}

/** Takes four bytes at once, the first in the low byte of `word`. */
function updateWord(state: number, word: number): number {
  const mixed = state ^ word;
  return (
    TABLES[768 + (mixed & 0xff)]! ^
    TABLES[512 + ((mixed >>> 8) & 0xff)]! ^
    TABLES[256 + ((mixed >>> 16) & 0xff)]! ^
    TABLES[mixed >>> 24]!
  );
}

function updateBytes(state: number, bytes: Uint8Array): number {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`expected a string or bytes, got ${typeof bytes}`);
  const { length } = bytes;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    state = updateWord(state, word);
  }
  for (; i < length; i++) state = updateByte(state, bytes[i]!);
  return state;
}

function updateText(state: number, text: string): number {
  const { length } = text;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    if ((a | b | c | d) > 0x7f) break;
    state = updateWord(state, a | (b << 8) | (c << 16) | (d << 24));
  }
  for (; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return updateWideText(state, text, i);
    state = updateByte(state, unit);
  }
  return state;
}

/** The rest of a text from its first character beyond ASCII on, one code point at a time. */
function updateWideText(state: number, text: string, start: number): number {
  for (let i = start; i < text.length; i++) {
    let point = text.codePointAt(i)!;
    if (point > 0xffff) i++;
    else if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    state = updateCodePoint(state, point);
  }
  return state;
}

function updateCodePoint(state: number, point: number): number {
  if (point < 0x80) return updateByte(state, point);
  if (point < 0x800) {
    state = updateByte(state, 0xc0 | (point >>> 6));
  } else {
    if (point < 0x10000) {
      state = updateByte(state, 0xe0 | (point >>> 12));
    } else {
      state = updateByte(state, 0xf0 | (point >>> 18));
      state = updateByte(state, 0x80 | ((point >>> 12) & 0x3f));
    }
    state = updateByte(state, 0x80 | ((point >>> 6) & 0x3f));
  }
  return updateByte(state, 0x80 | (point & 0x3f));
}

/** Continues over a safe integer as if it had been printed in decimal. */
function updateDecimal(state: number, value: number): number {
  if (value < 0) return updateDecimal(updateByte(state, 0x2d), -value);
  if (value < 1e4) return updateLeadingDigits(state, value);
  // Safe integers have at most 16 digits: two halves of eight keep all further arithmetic within int32.
  const high = Math.floor(value / 1e8);
  const low = (value - high * 1e8) | 0;
  if (high === 0) {
    return updateFourDigits(updateLeadingDigits(state, (low / 1e4) | 0), low % 1e4);
  }
  const highQuads = (high / 1e4) | 0;
  if (highQuads === 0) {
    state = updateLeadingDigits(state, high);
  } else {
    state = updateFourDigits(updateLeadingDigits(state, highQuads), (high % 1e4) | 0);
  }
  return updateFourDigits(updateFourDigits(state, (low / 1e4) | 0), (low % 1e4) | 0);
}

/** Exactly four digits: `value` from 0 to 9,999 with its leading zeros. */
function updateFourDigits(state: number, value: number): number {
  const hundreds = (value / 100) | 0;
  return updateWord(state, PAIRS[hundreds]! | (PAIRS[value - hundreds * 100]! << 16));
}

/** One to four digits: `value` from 0 to 9,999 without leading zeros. */
function updateLeadingDigits(state: number, value: number): number {
  if (value >= 1000) return updateFourDigits(state, value);
  if (value >= 100) state = updateByte(state, 0x30 + ((value / 100) | 0));
  if (value >= 10) state = updateByte(state, 0x30 + (((value / 10) | 0) % 10));
  return updateByte(state, 0x30 + (value % 10));
}
