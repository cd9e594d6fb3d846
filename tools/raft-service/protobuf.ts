/** Reads the fields of one Protobuf message, in their order. Nothing is copied. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  /** Where the present field begins, its tag included. */
  fieldStart = 0;
  /** Number of the present field. */
  field = 0;
  /** Value of the present field, if it is an integer. */
  integer = 0;
  /** Content of the present field, if it has a length, from `start` up to `end`. */
  start = 0;
  end = 0;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /**
   * Goes on to the next field.
   *
   * @returns false at the end of the message
   * @throws {RangeError} when the bytes are no message of integers and fields with a length
   */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.fieldStart = this.#at;
    const tag = this.#varint();
    this.field = tag >>> 3;
    switch (tag & 7) {
      case 0:
        this.integer = this.#varint();
        return true;
      case 2: {
        const length = this.#varint();
        this.start = this.#at;
        this.end = this.#at + length;
        if (this.end > this.#end)
          throw new RangeError(`expected ${length} bytes, got the end of the message`);
        this.#at = this.end;
        return true;
      }
      default:
        throw new RangeError(`expected wire type 0 or 2, got ${tag & 7}`);
    }
  }

  /** Content of the present field. */
  content(): Uint8Array {
    return this.#bytes.subarray(this.start, this.end);
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      if (this.#at >= this.#end) break;
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new RangeError("expected an integer below 2^53, got another or the end of the message");
  }
}

/** Writes fields of Protobuf messages into a buffer that grows. */
export class FieldWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#at;
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  integer(field: number, value: number): void {
    this.#reserve(20);
    this.#varint(field << 3);
    this.#varint(value);
  }

  bytes(field: number, content: Uint8Array): void {
    this.prefix(field, content.length);
    this.#reserve(content.length);
    this.#bytes.set(content, this.#at);
    this.#at += content.length;
  }

  /** Begins a field whose content, so many bytes, is written next. */
  prefix(field: number, length: number): void {
    this.#reserve(20);
    this.#varint((field << 3) | 2);
    this.#varint(length);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + length));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** Bytes that an integer takes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) length++;
  return length;
}
