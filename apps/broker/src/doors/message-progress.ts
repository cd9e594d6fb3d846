import { Code, ConnectError } from "@connectrpc/connect";

/** How long a message may take from its first byte to its last, in milliseconds. */
const messageTimeMsMax = 30_000;
/** Pieces that a message may come in before their size is looked at, and their mean size from then on, in bytes. */
const piecesMin = 1_000;
const pieceBytesMean = 64;

/**
 * Watches one call's messages come in, piece by piece. A message that takes too long, or comes in very many very small
 * pieces, ends the call: both hold memory for little, and joining tiny pieces costs time that grows with their square.
 */
export class MessageProgress {
  readonly #now: () => number;
  #pieces = 0;
  #bytes = 0;
  #startedAtMs = 0;

  /** @param now - a clock in milliseconds that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Tells that a whole message has arrived. */
  messageArrived(): void {
    this.#pieces = 0;
    this.#bytes = 0;
  }

  /** Whether a message has begun that has not ended in time. */
  get isStalled(): boolean {
    return this.#pieces > 0 && this.#now() - this.#startedAtMs > messageTimeMsMax;
  }

  /** Tells that a piece has arrived. @throws {ConnectError} RESOURCE_EXHAUSTED */
  pieceArrived(bytes: number): void {
    if (this.#pieces++ === 0) this.#startedAtMs = this.#now();
    this.#bytes += bytes;
    if (this.#pieces <= piecesMin || this.#bytes >= this.#pieces * pieceBytesMean) return;
    throw new ConnectError(
      `expected a message in pieces of at least ${pieceBytesMean} bytes, got ${this.#bytes} bytes in ${this.#pieces}`,
      Code.ResourceExhausted,
    );
  }

  /** Passes pieces on. @throws {ConnectError} RESOURCE_EXHAUSTED */
  async *watch(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      this.pieceArrived(piece.length);
      yield piece;
    }
  }
}
