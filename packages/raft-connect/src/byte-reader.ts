import { MAX_INDEX, RaftError } from "@mon/raft";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads what a {@link ByteWriter} wrote.
 *
 * All methods throw a {@link RaftError} RAFT_MALFORMED when the bytes end too early or are not what is read.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    // A view of its own: those of a Buffer would be Buffers.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.byteLength;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** @throws {RaftError} RAFT_INDEX_OVERFLOW beyond 2^53 − 1 */
  u64(): number {
    const at = this.#take(8);
    const high = this.#view.getUint32(at);
    if (high > 0x1f_ffff) {
      throw new RaftError("RAFT_INDEX_OVERFLOW", `expected a number of at most ${MAX_INDEX}`);
    }
    return high * 0x1_0000_0000 + this.#view.getUint32(at + 4);
  }

  f64(): number {
    const value = this.#view.getFloat64(this.#take(8));
    if (Number.isFinite(value)) return value;
    throw new RaftError("RAFT_MALFORMED", `expected a finite number, got ${value}`);
  }

  flag(): boolean {
    const value = this.u8();
    if (value <= 1) return value === 1;
    throw new RaftError("RAFT_MALFORMED", `expected 0 or 1, got ${value}`);
  }

  text(): string {
    const bytes = this.bytes();
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new RaftError("RAFT_MALFORMED", "expected text in UTF-8", { cause });
    }
  }

  /** A view of the bytes that are read. */
  bytes(): Uint8Array {
    const length = this.u32();
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** @returns where the next `count` bytes begin */
  #take(count: number): number {
    const from = this.#at;
    const left = this.#bytes.byteLength - from;
    if (count > left) {
      throw new RaftError("RAFT_MALFORMED", `expected ${count} more bytes, got ${left}`);
    }
    this.#at = from + count;
    return from;
  }
}
