import { StoreError } from "../errors.ts";

const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The error that says that bytes are no chunk, or no longer. */
export function chunkInvalid(reason: string, cause?: unknown): StoreError {
  return new StoreError("STORE_CHUNK_INVALID", reason, cause === undefined ? undefined : { cause });
}

/** Reads bytes from front to back and never beyond their end. */
export class ByteReader {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;

  /** @param bytes - not copied; of which those from `position` to before `end` are read */
  constructor(bytes: Uint8Array, position = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  /** @throws {StoreError} STORE_CHUNK_INVALID at the end, as all that follow */
  byte(): number {
    if (this.position >= this.end) throw chunkInvalid("expected more bytes, got the end");
    return this.bytes[this.position++]!;
  }

  word(): number {
    const low = this.byte() | (this.byte() << 8) | (this.byte() << 16);
    return (low | (this.byte() << 24)) >>> 0;
  }

  /** A whole number from 0 to 2^53. */
  varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > 2 ** 53) break;
        return value;
      }
    }
    throw chunkInvalid("expected a number of at most 53 bits, got a larger one");
  }

  /** A whole number from -2^52 to 2^52. */
  signed(): number {
    return unzigzag(this.varint());
  }

  /** A number of things of which each takes at least `size` bytes of what is left, so that a loop over them ends. */
  count(size = 1): number {
    const count = this.varint();
    if (count * size > this.remaining) {
      throw chunkInvalid(`expected at most ${this.remaining} bytes more, got a count of ${count}`);
    }
    return count;
  }

  /** The next bytes; not copied. */
  take(count: number): Uint8Array {
    const start = this.skip(count);
    return this.bytes.subarray(start, start + count);
  }

  /** Passes over bytes. @returns where they begin */
  skip(count: number): number {
    if (count > this.remaining) throw chunkInvalid(`expected ${count} bytes more, got ${this.remaining}`);
    this.position += count;
    return this.position - count;
  }

  text(count: number): string {
    try {
      return textDecoder.decode(this.take(count));
    } catch (cause) {
      throw chunkInvalid("expected UTF-8, got something else", cause);
    }
  }

  /** @throws {StoreError} STORE_CHUNK_INVALID when something is left */
  assertEnd(): void {
    if (this.remaining > 0) throw chunkInvalid(`expected the end, got ${this.remaining} bytes more`);
  }
}

/** The inverse of zigzag. */
export function unzigzag(value: number): number {
  const half = Math.floor(value / 2);
  return value === 2 * half ? half : -half - 1;
}
