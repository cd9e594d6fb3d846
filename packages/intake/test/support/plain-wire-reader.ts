import type { ValueBits } from "@mon/store";
import { MalformedError } from "../../src/wire-reader.ts";

/** Nesting of groups that are skipped. */
const groupDepthMax = 100;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads protobuf's wire format, taking whatever the format allows: fields in any order, repeated, unknown, with longer
 * varints than needed.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export class PlainWireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#position >= this.#bytes.length;
  }

  /** The next field's number and wire type, as the tag has them: number << 3 | type. @throws {MalformedError} */
  tag(): number {
    const start = this.#position;
    const fieldTag = this.#varint();
    if (fieldTag > 0xffffffffn || this.#position - start > 5)
      throw this.#malformed("a field number below 2^29");
    if (fieldTag >> 3n === 0n) throw this.#malformed("a field number of at least 1");
    return Number(fieldTag);
  }

  /** A varint's lower 32 bits. @throws {MalformedError} */
  uint32(): number {
    return Number(this.#varint() & 0xffffffffn);
  }

  /** A varint as a signed 64-bit integer. @throws {MalformedError} */
  int64(): bigint {
    return BigInt.asIntN(64, this.#varint());
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw this.#malformed("a varint");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw this.#malformed("a varint of at most ten bytes");
  }

  fixed64(): ValueBits {
    const at = this.#skip(8);
    return { high: this.#view.getUint32(at + 4, true), low: this.#view.getUint32(at, true) };
  }

  double(): { value: number; bits: ValueBits } {
    const at = this.#skip(8);
    const bits = { high: this.#view.getUint32(at + 4, true), low: this.#view.getUint32(at, true) };
    return { value: this.#view.getFloat64(at, true), bits };
  }

  /** The bytes of a length-delimited field; a view. */
  bytes(): Uint8Array {
    const length = this.uint32();
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Skips the value of a field that is not known. */
  skip(fieldTag: number, depth = 0): void {
    switch (fieldTag & 7) {
      case 0:
        this.#varint();
        return;
      case 1:
        this.#skip(8);
        return;
      case 2:
        this.#skip(this.uint32());
        return;
      case 3:
        this.#skipGroup(fieldTag, depth);
        return;
      case 5:
        this.#skip(4);
        return;
      default:
        throw this.#malformed("a known wire type");
    }
  }

  #skipGroup(fieldTag: number, depth: number): void {
    if (depth >= groupDepthMax) throw this.#malformed(`groups nested at most ${groupDepthMax} deep`);
    for (let inner = this.tag(); inner !== fieldTag + 1; inner = this.tag()) this.skip(inner, depth + 1);
  }

  #skip(length: number): number {
    const at = this.#position;
    if (at + length > this.#bytes.length) throw this.#malformed(`${length} more bytes`);
    this.#position += length;
    return at;
  }

  #malformed(expected: string): MalformedError {
    return new MalformedError(`expected ${expected} before byte ${this.#position} of ${this.#bytes.length}`);
  }
}

/** Text of bytes; what is not UTF-8 becomes U+FFFD. */
export function lenientText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Whether bytes are UTF-8. */
export function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    // The decoder throws for nothing else: that is its answer.
    return false;
  }
}
