/** A gRPC message on the wire: a flag, its length, and itself. */
const headerBytes = 5;

/** One message with its header. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(headerBytes + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, headerBytes);
  return framed;
}

/** Cuts what comes into messages. Those that came in one piece are not copied. */
export class Deframer {
  readonly #maxBytes: number;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #wantedBytes = headerBytes;

  /** @param maxBytes - of one message */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes what came next.
   *
   * @returns the messages that are whole now
   * @throws {RangeError} when a message is compressed or too large
   */
  push(chunk: Buffer): Buffer[] {
    this.#rest.push(chunk);
    this.#restBytes += chunk.length;
    // Joining the pieces of a large message only when all are there keeps the work linear.
    if (this.#restBytes < this.#wantedBytes) return [];
    let bytes = this.#rest.length === 1 ? chunk : Buffer.concat(this.#rest);
    const messages: Buffer[] = [];
    for (;;) {
      this.#wantedBytes = headerBytes;
      if (bytes.length < headerBytes) break;
      const length = bytes.readUInt32BE(1);
      if (bytes[0] !== 0 || length > this.#maxBytes) {
        throw new RangeError(`expected a plain message of at most ${this.#maxBytes} bytes, got ${length}`);
      }
      this.#wantedBytes = headerBytes + length;
      if (bytes.length < this.#wantedBytes) break;
      messages.push(bytes.subarray(headerBytes, this.#wantedBytes));
      bytes = bytes.subarray(this.#wantedBytes);
    }
    this.#rest = bytes.length === 0 ? [] : [bytes];
    this.#restBytes = bytes.length;
    return messages;
  }
}
