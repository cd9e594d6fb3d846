import { Code, ConnectError } from "@connectrpc/connect";

/** Bytes before a message: a flag that says whether it is compressed, and its length. */
const prefixBytes = 5;

/**
 * Takes messages out of the bytes of a gRPC call, however they are cut. A message that lies whole in one piece is a view
 * of it; one that is spread over several is put together once.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message"
 */
export class GrpcFrames {
  readonly #messageBytesMax: number;
  /** What has come of a message that is not whole, piece by piece. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** Bytes of that message, its prefix among them; unknown until the prefix is there. */
  #wanted = prefixBytes;
  #knowsLength = false;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** Whether a message has begun that is not whole. */
  get isInMessage(): boolean {
    return this.#bytes > 0;
  }

  /**
   * Takes the next piece, and gives the messages that are whole with it.
   *
   * @throws {ConnectError} RESOURCE_EXHAUSTED for a message that is too large, before its bytes are waited for;
   *   INVALID_ARGUMENT for one that is compressed, where the call has named no compression
   */
  *take(piece: Uint8Array): Generator<Uint8Array, void, void> {
    let rest = piece;
    while (this.#bytes + rest.length >= this.#wanted) {
      const missing = this.#wanted - this.#bytes;
      if (!this.#knowsLength) {
        const prefix = this.#joined(rest.subarray(0, missing));
        this.#wanted = prefixBytes + this.#lengthOf(prefix);
        this.#knowsLength = true;
        // The prefix stays where it is, so that a message in one piece is one view.
        if (this.#bytes === 0) {
          if (rest.length < this.#wanted) break;
          yield rest.subarray(prefixBytes, this.#wanted);
          rest = rest.subarray(this.#wanted);
          this.#begin();
        }
        continue;
      }
      const message = this.#joined(rest.subarray(0, missing)).subarray(prefixBytes);
      rest = rest.subarray(missing);
      this.#begin();
      yield message;
    }
    if (rest.length === 0) return;
    this.#pieces.push(rest);
    this.#bytes += rest.length;
  }

  #begin(): void {
    this.#pieces = [];
    this.#bytes = 0;
    this.#wanted = prefixBytes;
    this.#knowsLength = false;
  }

  /** What has come, and what comes after it. */
  #joined(last: Uint8Array): Uint8Array {
    return this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces, last]);
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
