import { Buffer } from "node:buffer";

/** Reads LevelDB's variable-length integers and length-prefixed bytes one after another. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  get at(): number {
    return this.#at;
  }

  /** @throws {RangeError} when the bytes end or the number is beyond 2^53 */
  integer(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError("expected an integer, got the end");
      value += (byte & 127) * scale;
      if (!Number.isSafeInteger(value)) throw new RangeError("expected an integer below 2^53");
      if (byte < 128) return value;
    }
  }

  /** So many bytes, a view. @throws {RangeError} when the bytes end */
  take(bytes: number): Uint8Array {
    const start = this.#at;
    this.#at += bytes;
    if (this.#at > this.#bytes.length) throw new RangeError(`expected ${bytes} more bytes, got the end`);
    return this.#bytes.subarray(start, this.#at);
  }

  /** Bytes with their length before them, a view. @throws {RangeError} when the bytes end */
  prefixed(): Uint8Array {
    return this.take(this.integer());
  }
}

/** A whole number below 2^53 as a variable-length integer. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Uint8Array.from([...bytes, value]);
}

/** Bytes with their length before them. */
export function prefixed(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint(bytes.length), bytes]);
}
