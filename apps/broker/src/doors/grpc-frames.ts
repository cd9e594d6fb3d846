import { Code, ConnectError } from "@connectrpc/connect";
import type { MessageBuffers } from "./message-buffers.ts";

/** Bytes before a message: a flag that says whether it is compressed, and its length. */
const prefixBytes = 5;

/**
 * Takes messages out of the bytes of a gRPC call, however they are cut. A message that lies whole in one piece is a view
 * of it; one that is spread over several is put together as they come, in memory that can be given back.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message"
 */
export class GrpcFrames {
  readonly #messageBytesMax: number;
  readonly #buffers: MessageBuffers;
  readonly #prefix = Buffer.alloc(prefixBytes);
  #prefixFilled = 0;
  /** What has come of a message that is not whole; undefined while none has begun. */
  #message: Buffer | undefined;
  #filled = 0;
  /** Bytes of that message. */
  #wanted = 0;

  constructor(messageBytesMax: number, buffers: MessageBuffers) {
    this.#messageBytesMax = messageBytesMax;
    this.#buffers = buffers;
  }

  /** Whether a message has begun that is not whole. */
  get isInMessage(): boolean {
    return this.#prefixFilled > 0;
  }

  /**
   * Takes the next piece, and gives the messages that are whole with it.
   *
   * @throws {ConnectError} RESOURCE_EXHAUSTED for a message that is too large, before its bytes are waited for;
   *   INVALID_ARGUMENT for one that is compressed, where the call has named no compression
   */
  *take(piece: Uint8Array): Generator<Uint8Array, void, void> {
    let rest = piece;
    while (rest.length > 0) {
      if (this.#prefixFilled === 0 && rest.length >= prefixBytes) {
        const end = prefixBytes + this.#lengthOf(rest);
        if (end <= rest.length) {
          yield rest.subarray(prefixBytes, end);
          rest = rest.subarray(end);
          continue;
        }
      }
      rest = rest.subarray(this.#isPrefixWhole ? this.#takeBody(rest) : this.#takePrefix(rest));
      if (!this.#isPrefixWhole || this.#filled < this.#wanted) continue;
      const message = this.#message ?? Buffer.alloc(0);
      this.#begin();
      yield message.subarray(0, this.#wanted);
    }
  }

  get #isPrefixWhole(): boolean {
    return this.#prefixFilled === prefixBytes;
  }

  /** @returns how many bytes of the piece belong to the prefix */
  #takePrefix(piece: Uint8Array): number {
    const count = Math.min(piece.length, prefixBytes - this.#prefixFilled);
    this.#prefix.set(piece.subarray(0, count), this.#prefixFilled);
    this.#prefixFilled += count;
    if (this.#isPrefixWhole) this.#wanted = this.#lengthOf(this.#prefix);
    return count;
  }

  /** @returns how many bytes of the piece belong to the message */
  #takeBody(piece: Uint8Array): number {
    const count = Math.min(piece.length, this.#wanted - this.#filled);
    this.#roomFor(this.#filled + count).set(piece.subarray(0, count), this.#filled);
    this.#filled += count;
    return count;
  }

  /** Memory grows with what has come, not with what a prefix promises. */
  #roomFor(bytes: number): Buffer {
    const message = this.#message;
    if (message !== undefined && bytes <= message.length) return message;
    const larger = this.#buffers.take(bytes);
    if (message !== undefined) {
      larger.set(message.subarray(0, this.#filled));
      this.#buffers.give(message);
    }
    this.#message = larger;
    return larger;
  }

  #begin(): void {
    this.#prefixFilled = 0;
    this.#message = undefined;
    this.#filled = 0;
  }

  #lengthOf(prefix: Uint8Array): number {
    const length = ((prefix[1]! << 24) | (prefix[2]! << 16) | (prefix[3]! << 8) | prefix[4]!) >>> 0;
    if (length > this.#messageBytesMax) {
      throw new ConnectError(
        `expected a message of at most ${this.#messageBytesMax} bytes, got ${length}`,
        Code.ResourceExhausted,
      );
    }
    if (prefix[0] === 0) return length;
    throw new ConnectError(
      "expected a plain message, got a compressed one without grpc-encoding",
      Code.InvalidArgument,
    );
  }
}

/** A message with its prefix. */
export function grpcFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(prefixBytes + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, prefixBytes);
  return frame;
}
