const encoder = new TextEncoder();

/** Writes numbers, text and bytes one after the other, big-endian, into memory of a size that is known to suffice. */
export class ByteWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(sizeMax: number) {
    this.#bytes = new Uint8Array(sizeMax);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** What was written; a view, so write nothing afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  u8(value: number): void {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  /** A number from 0 to 2^53 − 1 in 8 bytes. */
  u64(value: number): void {
    this.#view.setUint32(this.#at, value / 0x1_0000_0000);
    this.#view.setUint32(this.#at + 4, value);
    this.#at += 8;
  }

  f64(value: number): void {
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  flag(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  /** Length in 4 bytes, then UTF-8. */
  text(value: string): void {
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.#at + 4));
    this.u32(written);
    this.#at += written;
  }

  /** Length in 4 bytes, then the bytes. */
  bytes(value: Uint8Array): void {
    this.u32(value.byteLength);
    this.#bytes.set(value, this.#at);
    this.#at += value.byteLength;
  }
}
