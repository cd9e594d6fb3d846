/** Bytes in pieces of any size. */
export type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Takes so many bytes at a time from pieces of any size. Holds the piece at hand, and what was asked for. */
export class ByteSource {
  readonly #pieces: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #offset = 0;

  constructor(pieces: Pieces) {
    this.#pieces =
      Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
  }

  /** Bytes taken so far. */
  get offset(): number {
    return this.#offset;
  }

  /** The next `count` bytes, or the fewer that are left. A view of a piece where they lie in one. */
  async take(count: number): Promise<Uint8Array> {
    let taken = this.#takeRest(count);
    if (taken.length === count) return taken;
    const parts = [taken];
    let missing = count - taken.length;
    while (missing > 0) {
      const next = await this.#pieces.next();
      if (next.done) break;
      this.#rest = next.value;
      taken = this.#takeRest(missing);
      parts.push(taken);
      missing -= taken.length;
    }
    return parts.length === 1 ? parts[0]! : joined(parts, count - missing);
  }

  /** Lets go of the pieces that were not taken. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  #takeRest(count: number): Uint8Array {
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(taken.length);
    this.#offset += taken.length;
    return taken;
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
