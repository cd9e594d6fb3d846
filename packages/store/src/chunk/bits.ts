import { chunkInvalid } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/** How many bits a whole number from 0 to 2^53 has. */
export function bitLength(value: number): number {
  if (value < 0x1_0000_0000) return 32 - Math.clz32(value);
  return 64 - Math.clz32(value / 0x1_0000_0000);
}

/** Writes bits into bytes, the lowest first. The caller reserves the room. */
export class BitWriter {
  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;
  #held = 0;
  #heldCount = 0;

  /** Begins at the end of `out`, where room for all that will be written is reserved. */
  begin(out: ByteWriter): void {
    this.#bytes = out.bytes;
    this.#position = out.length;
    this.#held = 0;
    this.#heldCount = 0;
  }

  /** The lowest `count` bits of a number that has no others; at most 24. */
  put(value: number, count: number): void {
    let held = this.#held | (value << this.#heldCount);
    let heldCount = this.#heldCount + count;
    while (heldCount >= 8) {
      this.#bytes[this.#position++] = held;
      held >>>= 8;
      heldCount -= 8;
    }
    this.#held = held;
    this.#heldCount = heldCount;
  }

  /** As {@link put}, at most 53. */
  putLong(value: number, count: number): void {
    let rest = value;
    let left = count;
    while (left > 24) {
      const high = Math.floor(rest / 0x100_0000);
      this.put(rest - high * 0x100_0000, 24);
      rest = high;
      left -= 24;
    }
    this.put(rest, left);
  }

  /** As {@link put}, for the 32-bit number in `value`, at most 32. */
  putWord(value: number, count: number): void {
    if (count <= 16) this.put(value, count);
    else {
      this.put(value & 0xffff, 16);
      this.put(value >>> 16, count - 16);
    }
  }

  /** Fills the last byte with zeros and gives the bytes to `out`. */
  end(out: ByteWriter): void {
    if (this.#heldCount > 0) this.#bytes[this.#position++] = this.#held;
    out.length = this.#position;
  }
}

/** Bytes behind the last that may be looked at before the end is noticed: more than any one number takes. */
const padding = 32;
/** Bytes of scratch that are kept. */
const keptBytesMax = 1024 * 1024;

let scratch = new Uint8Array(4_096);
let scratchView = new DataView(scratch.buffer);

/**
 * Reads what {@link BitWriter} wrote. Hot loops take {@link view} and {@link position} into local variables; a few bytes
 * behind the end can be looked at and are anything, so that the end need be checked only after each number read.
 */
export class BitReader {
  readonly view: DataView;
  /** In bits. */
  position = 0;
  /** In bits. */
  readonly length: number;

  /** Copies `bytes` to a place that the next reader uses too: one at a time. */
  constructor(bytes: Uint8Array) {
    const needed = bytes.length + padding;
    if (needed > scratch.length || scratch.length > keptBytesMax) {
      scratch = new Uint8Array(Math.max(4_096, 2 ** Math.ceil(Math.log2(needed))));
      scratchView = new DataView(scratch.buffer);
    }
    scratch.set(bytes);
    this.view = scratchView;
    this.length = 8 * bytes.length;
  }

  /** At most 24 bits. */
  take(count: number): number {
    const window = this.view.getUint32(this.position >>> 3, true) >>> (this.position & 7);
    this.position += count;
    if (this.position > this.length) throw pastEnd();
    return window & ((1 << count) - 1);
  }

  /** At most 53 bits. */
  takeLong(count: number): number {
    if (count <= 24) return this.take(count);
    const low = this.take(24);
    if (count <= 48) return low + this.take(count - 24) * 0x100_0000;
    const middle = this.take(24);
    return low + (middle + this.take(count - 48) * 0x100_0000) * 0x100_0000;
  }

  /** A 32-bit number of at most 32 bits, as unsigned. */
  takeWord(count: number): number {
    if (count <= 16) return this.take(count);
    const low = this.take(16);
    return (low | (this.take(count - 16) << 16)) >>> 0;
  }

  /** @throws {StoreError} STORE_CHUNK_INVALID unless all that is left is fewer than eight zeros */
  assertEnd(): void {
    const left = this.length - this.position;
    if (left < 0 || left >= 8 || this.take(left) !== 0) throw chunkInvalid("expected the end, got more bits");
  }
}

/** The error that says that bits end too early. */
export function pastEnd(): Error {
  return chunkInvalid("expected more bits, got the end");
}
