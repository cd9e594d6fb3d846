/** Bytes are no valid message. */
export class MalformedError extends Error {
  override readonly name = "MalformedError";
}

/** Nesting of groups that are skipped. */
const groupDepthMax = 100;

/**
 * Reads protobuf's wire format, taking whatever the format allows: fields in any order, repeated, unknown, with longer
 * varints than needed. It says where contents stand and makes nothing of them. All methods throw
 * {@link MalformedError} when the bytes are no message.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export class WireReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  #position = 0;

  /** Reads the message in `bytes[start, end)` from now on. */
  open(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#position = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#position >= this.#end;
  }

  /** Where the next field stands: the end of what was read last. */
  get position(): number {
    return this.#position;
  }

  /** The next field's number and wire type, as the tag has them: number << 3 | type. */
  tag(): number {
    const first = this.#bytes[this.#position]!;
    // A number of one byte that is not 0, within the message: nearly every tag there is.
    if (first < 0x80 && first > 7 && this.#position < this.#end) {
      this.#position++;
      return first;
    }
    const start = this.#position;
    const fieldTag = this.uint64();
    if (fieldTag > 0xffffffffn || this.#position - start > 5)
      throw this.#malformed("a field number below 2^29");
    if (fieldTag >> 3n === 0n) throw this.#malformed("a field number of at least 1");
    return Number(fieldTag);
  }

  /** A varint's lower 32 bits. */
  uint32(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw this.#malformed("a varint of at most ten bytes");
  }

  /** A varint of 64 bits. */
  uint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw this.#malformed("a varint of at most ten bytes");
  }

  /** Steps over so many bytes. @returns where they stand */
  fixed(length: number): number {
    const start = this.#position;
    if (length > this.#end - start) throw this.#malformed(`${length} more bytes`);
    this.#position += length;
    return start;
  }

  /** Steps over the content of a length-delimited field. @returns where it starts; it ends at the position then */
  run(): number {
    return this.fixed(this.uint32());
  }

  /** Steps over the content of a field that is not known. */
  skip(fieldTag: number, depth = 0): void {
    switch (fieldTag & 7) {
      case 0:
        this.uint32();
        return;
      case 1:
        this.fixed(8);
        return;
      case 2:
        this.run();
        return;
      case 3:
        this.#skipGroup(fieldTag, depth);
        return;
      case 5:
        this.fixed(4);
        return;
      default:
        throw this.#malformed("a known wire type");
    }
  }

  #skipGroup(fieldTag: number, depth: number): void {
    if (depth >= groupDepthMax) throw this.#malformed(`groups nested at most ${groupDepthMax} deep`);
    for (let inner = this.tag(); inner !== fieldTag + 1; inner = this.tag()) this.skip(inner, depth + 1);
  }

  #byte(): number {
    if (this.#position >= this.#end) throw this.#malformed("a varint");
    return this.#bytes[this.#position++]!;
  }

  #malformed(expected: string): MalformedError {
    return new MalformedError(`expected ${expected} before byte ${this.#position} of ${this.#bytes.length}`);
  }
}
