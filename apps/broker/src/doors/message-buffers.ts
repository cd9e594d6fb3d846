/** The smallest memory that is handed out, and that a message begins with when it has not come whole. */
const leastBytes = 64 * 1024;

/** The largest that is kept for the next message; larger ones are rare. */
const largestKeptBytes = 1024 * 1024;

/**
 * Memory for messages that are put together from pieces, used again when they are done with. Most of what a busy broker
 * would leave to the garbage collector is such messages, and each collection looks at everything else too.
 */
export class MessageBuffers {
  readonly #keptBytesMax: number;
  #keptBytes = 0;
  /** By size, a power of two. */
  readonly #kept = new Map<number, ArrayBuffer[]>();
  /** What was handed out and may come back. */
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /** @param keptBytesMax - memory kept for the next messages; what comes back beyond it is let go of */
  constructor(keptBytesMax: number = 16 * 1024 * 1024) {
    this.#keptBytesMax = keptBytesMax;
  }

  /** Memory of at least so many bytes, with anything in it. */
  take(bytes: number): Buffer {
    let size = leastBytes;
    while (size < bytes) size *= 2;
    const memory = this.#kept.get(size)?.pop();
    if (memory !== undefined) this.#keptBytes -= size;
    const lent = memory ?? Buffer.allocUnsafeSlow(size).buffer;
    this.#lent.add(lent);
    return Buffer.from(lent);
  }

  /** Takes memory back, by any view of it; nobody may look at it any more. Views of other memory are left alone. */
  give({ buffer }: Uint8Array): void {
    // A second time would hand the same memory to two messages.
    if (!this.#lent.delete(buffer)) return;
    const size = buffer.byteLength;
    if (size > largestKeptBytes || this.#keptBytes + size > this.#keptBytesMax) return;
    const kept = this.#kept.get(size);
    // Only array buffers are ever lent.
    if (kept === undefined) this.#kept.set(size, [buffer as ArrayBuffer]);
    else kept.push(buffer as ArrayBuffer);
    this.#keptBytes += size;
  }
}
