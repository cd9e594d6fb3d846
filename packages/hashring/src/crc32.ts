// CRC-32 as in zlib, gzip and the npm package crc-32: reflected polynomial 0xEDB88320, all bits inverted before and after.
//
// Keys arrive as strings, and turning each into bytes first would cost more than the checksum. The loops below
// therefore read UTF-16 code units and encode UTF-8 on the way, four ASCII characters a step (slicing-by-4).
// "State" means the inverted register, an int32; "CRC" means the finished value.

/** `TABLES[k * 256 + b]` is the effect of byte `b` followed by `k` zero bytes, for k up to 13. */
const TABLES: Int32Array = createTables();

/** `PAIRS[k * 100 + n]` is the effect of the two ASCII digits of n followed by 2k zero bytes, for k up to 5. */
const PAIRS: Int32Array = createPairs();

/** `COLON_AND_DIGIT[d]` is the effect of ":" and the digit d followed by 12 zero bytes. */
const COLON_AND_DIGIT: Int32Array = createColonAndDigit();

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
  return signedCrc32(key, previous) >>> 0;
}

/**
 * {@link crc32} as a signed integer. V8 passes those between functions as they are; an unsigned one from 2^31 on becomes
 * an object on the heap wherever it does not inline the call.
 */
export function signedCrc32(key: string | Uint8Array, previous = 0): number {
  return ~(typeof key === "string" ? updateText(~previous, key) : updateBytes(~previous, key));
}

/**
 * The signed CRC-32 of `${hostId}:${bucketStart}`, without building that string.
 *
 * @param hostCrc32 - the CRC of the host id, signed or not
 * @param high - `bucketStart`, a safe integer, divided by 10^8 and rounded towards zero. Two small integers stand for it
 * because V8 passes those as they are and would put the large one on the heap.
 * @param low - the rest, with the same sign
 */
export function signedCrc32OfBucket(hostCrc32: number, high: number, low: number): number {
  // From 2001 to 2286 a time has thirteen digits.
  if (high >= 1e4 && high < 1e5) return ~updateThirteenDigits(~hostCrc32, high, low);
  const sign = high < 0 || low < 0 ? -1 : 1;
  return ~updateDigits(updateText(~hostCrc32, sign < 0 ? ":-" : ":"), high * sign, low * sign);
}

function createTables(): Int32Array {
  const tables = new Int32Array(14 * 256);
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

function createPairs(): Int32Array {
  return Int32Array.from({ length: 6 * 100 }, (_, i) => {
    const [zeros, number] = [2 * Math.floor(i / 100), i % 100];
    const [tens, ones] = [0x30 + Math.floor(number / 10), 0x30 + (number % 10)];
    return TABLES[(zeros + 1) * 256 + tens]! ^ TABLES[zeros * 256 + ones]!;
  });
}

function createColonAndDigit(): Int32Array {
  return Int32Array.from(
    { length: 10 },
    (_, digit) => TABLES[13 * 256 + 0x3a]! ^ TABLES[12 * 256 + 0x30 + digit]!,
  );
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
  const rest = length - i;
  if (rest === 0) return state;
  if (rest > 3) return updateWideText(state, text, i);
  const a = text.charCodeAt(i);
  const b = rest > 1 ? text.charCodeAt(i + 1) : 0;
  const c = rest > 2 ? text.charCodeAt(i + 2) : 0;
  if ((a | b | c) > 0x7f) return updateWideText(state, text, i);
  return updateTail(state, a | (b << 8) | (c << 16), rest);
}

/** Takes the lowest one to three bytes of `word` at once. */
function updateTail(state: number, word: number, count: number): number {
  const mixed = state ^ word;
  if (count === 3) {
    return (
      TABLES[512 + (mixed & 0xff)]! ^
      TABLES[256 + ((mixed >>> 8) & 0xff)]! ^
      TABLES[(mixed >>> 16) & 0xff]! ^
      (state >>> 24)
    );
  }
  if (count === 2) return TABLES[256 + (mixed & 0xff)]! ^ TABLES[(mixed >>> 8) & 0xff]! ^ (state >>> 16);
  return TABLES[mixed & 0xff]! ^ (state >>> 8);
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

/**
 * Continues over ":" and thirteen digits, the first five of them in `high` and the others in `low`.
 *
 * CRC is linear: the effect of the whole is the exclusive or of the effects of its parts, each followed by zeros. So
 * nothing here waits for a step before it, as byte after byte would.
 */
function updateThirteenDigits(state: number, high: number, low: number): number {
  const high3 = (high / 100) | 0;
  const first = (high3 / 100) | 0;
  const upper4 = (low / 10_000) | 0;
  const upper2 = (upper4 / 100) | 0;
  const lower4 = low - upper4 * 10_000;
  const lower2 = (lower4 / 100) | 0;
  return (
    TABLES[3328 + (state & 0xff)]! ^
    TABLES[3072 + ((state >>> 8) & 0xff)]! ^
    TABLES[2816 + ((state >>> 16) & 0xff)]! ^
    TABLES[2560 + (state >>> 24)]! ^
    COLON_AND_DIGIT[first]! ^
    PAIRS[500 + high3 - first * 100]! ^
    PAIRS[400 + high - high3 * 100]! ^
    PAIRS[300 + upper2]! ^
    PAIRS[200 + upper4 - upper2 * 100]! ^
    PAIRS[100 + lower2]! ^
    PAIRS[lower4 - lower2 * 100]!
  );
}

/** Continues over the digits of high × 10^8 + low, without leading zeros. */
function updateDigits(state: number, high: number, low: number): number {
  if (high === 0) return updateSmallInteger(state, low);
  state = updateSmallInteger(state, high);
  for (let unit = 1e7; unit >= 1; unit /= 10) state = updateByte(state, 0x30 + (((low / unit) | 0) % 10));
  return state;
}

function updateSmallInteger(state: number, value: number): number {
  if (value >= 10) state = updateSmallInteger(state, (value / 10) | 0);
  return updateByte(state, 0x30 + (value % 10));
}
