/** Bytes of scratch that are kept from one chunk to the next; what grew beyond is given back. */
const keptBytesMax = 4 * 1024 * 1024;

const textEncoder = new TextEncoder();

/** Bytes being written, in memory that grows and is used again. */
export class ByteWriter {
  /** What was written is `bytes[0 .. length)`; the array changes when it grows. */
  bytes: Uint8Array = new Uint8Array(4_096);
  length = 0;

  /** Begins anew. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > keptBytesMax) this.bytes = new Uint8Array(4_096);
  }

  /** Makes room for so many bytes, so that they can be put straight into {@link bytes}. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  word(value: number): void {
    this.reserve(4);
    this.bytes[this.length++] = value;
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value >>> 16;
    this.bytes[this.length++] = value >>> 24;
  }

  /** A whole number from 0 to 2^53, seven bits a byte, the lowest first. */
  varint(value: number): void {
    this.reserve(8);
    const bytes = this.bytes;
    let position = this.length;
    let rest = value;
    while (rest >= 0x8000_0000) {
      const high = Math.floor(rest / 128);
      bytes[position++] = (rest - high * 128) | 0x80;
      rest = high;
    }
    let low = rest | 0;
    while (low >= 0x80) {
      bytes[position++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    bytes[position++] = low;
    this.length = position;
  }

  /** A whole number from -2^52 to 2^52: see {@link zigzag}. */
  signed(value: number): void {
    this.varint(zigzag(value));
  }

  put(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Text as UTF-8, without its length. @returns how many bytes it takes */
  text(text: string): number {
    const start = this.length;
    this.reserve(3 * text.length);
    const bytes = this.bytes;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) {
        this.length = start + textEncoder.encodeInto(text, bytes.subarray(start)).written;
        return this.length - start;
      }
      bytes[start + i] = code;
    }
    this.length = start + text.length;
    return text.length;
  }

  /** A copy of what was written from `start` on. */
  slice(start = 0): Uint8Array {
    return this.bytes.slice(start, this.length);
  }
}

/** Folds the sign into the lowest bit, so that numbers near 0 stay small: 0, -1, 1, -2 become 0, 1, 2, 3. */
export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

/** How many bytes {@link ByteWriter.varint} takes. */
export function varintSize(value: number): number {
  let size = 1;
  let rest = value;
  while (rest >= 0x1000_0000) {
    rest = Math.floor(rest / 0x1000_0000);
    size += 4;
  }
  if (rest >= 0x20_0000) return size + 3;
  if (rest >= 0x4000) return size + 2;
  return rest >= 0x80 ? size + 1 : size;
}
