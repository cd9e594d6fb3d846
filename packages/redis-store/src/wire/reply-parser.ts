import { type Reply, ReplyError } from "./reply.ts";

/** What a server sent is not RESP2, or larger than any reply of ours may be. The connection is of no use any more. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** How large replies may be. */
export interface ReplyLimits {
  /** Bytes of one bulk string. */
  readonly bulkBytesMax: number;
  /** Elements of one array. */
  readonly elementsMax: number;
}

/** How deep arrays may nest; no command of ours is answered deeper. */
const depthMax = 8;

/** The longest line: an error message, a number, a length. */
const lineBytesMax = 64 * 1024;

/** An array whose elements are still coming. */
interface OpenArray {
  readonly elements: Reply[];
  readonly size: number;
}

const plus = 0x2b;
const minus = 0x2d;
const colon = 0x3a;
const dollar = 0x24;
const star = 0x2a;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/**
 * Reads replies from pieces of a stream, wherever it is cut. What has been read of an unfinished array is kept, so that
 * no byte is looked at twice but those of one unfinished line.
 */
export class ReplyParser {
  readonly #limits: ReplyLimits;
  #rest: Buffer = Buffer.alloc(0);
  #position = 0;
  /** Pieces that wait for the bulk string or line they belong to, and how many bytes they are to be looked at again. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #neededBytes = 0;
  readonly #arrays: OpenArray[] = [];

  constructor(limits: ReplyLimits) {
    this.#limits = limits;
  }

  /**
   * Takes a piece and tells of each reply that it completes, in order.
   *
   * @throws {ProtocolError} the parser is of no use then
   */
  push(piece: Buffer, onReply: (reply: Reply) => void): void {
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
    if (this.#waitingBytes < this.#neededBytes) return;
    this.#rest = this.#waiting.length === 1 ? piece : Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#position = 0;
    for (;;) {
      const start = this.#position;
      this.#neededBytes = 0;
      const value = this.#value();
      if (value === undefined) {
        this.#keep(start);
        return;
      }
      const reply = this.#place(value);
      if (reply !== undefined) onReply(reply);
    }
  }

  #keep(start: number): void {
    const left = this.#rest.subarray(start);
    this.#rest = left;
    this.#waiting = left.length === 0 ? [] : [left];
    this.#waitingBytes = left.length;
  }

  /** A value, or the array that has just been opened; undefined when more bytes are needed. */
  #value(): Reply | OpenArray | undefined {
    const rest = this.#rest;
    if (this.#position >= rest.length) return undefined;
    const type = rest[this.#position];
    const end = rest.indexOf(lineFeed, this.#position);
    if (end < 0) {
      if (rest.length - this.#position > lineBytesMax)
        throw new ProtocolError(`expected a line of at most ${lineBytesMax} bytes`);
      return undefined;
    }
    const start = this.#position + 1;
    if (end <= start || rest[end - 1] !== carriageReturn) throw this.#unexpected(this.#position);
    switch (type) {
      case colon:
        this.#position = end + 1;
        return this.#integer(start, end - 1);
      case plus:
        this.#position = end + 1;
        return rest.toString("latin1", start, end - 1);
      case minus:
        this.#position = end + 1;
        return new ReplyError(rest.toString("utf8", start, end - 1));
      case dollar:
        return this.#bulk(start, end);
      case star:
        return this.#array(start, end);
      default:
        throw this.#unexpected(this.#position);
    }
  }

  #bulk(start: number, lineEnd: number): Reply | undefined {
    const length = this.#integer(start, lineEnd - 1);
    const body = lineEnd + 1;
    if (length === -1) {
      this.#position = body;
      return null;
    }
    if (length < 0 || length > this.#limits.bulkBytesMax)
      throw new ProtocolError(
        `expected a bulk string of at most ${this.#limits.bulkBytesMax} bytes, got ${length}`,
      );
    const end = body + length;
    if (end + 2 > this.#rest.length) {
      this.#neededBytes = end + 2 - this.#position;
      return undefined;
    }
    if (this.#rest[end] !== carriageReturn || this.#rest[end + 1] !== lineFeed) throw this.#unexpected(end);
    this.#position = end + 2;
    // A copy: a view would keep all that came with it alive.
    return new Uint8Array(this.#rest.subarray(body, end));
  }

  #array(start: number, lineEnd: number): Reply | OpenArray {
    const size = this.#integer(start, lineEnd - 1);
    this.#position = lineEnd + 1;
    if (size === -1) return null;
    if (size < 0 || size > this.#limits.elementsMax)
      throw new ProtocolError(
        `expected an array of at most ${this.#limits.elementsMax} elements, got ${size}`,
      );
    if (size === 0) return [];
    if (this.#arrays.length === depthMax) throw new ProtocolError(`expected arrays at most ${depthMax} deep`);
    const array = { elements: [], size };
    this.#arrays.push(array);
    return array;
  }

  /** Puts a value where it belongs. @returns the reply that it completes */
  #place(value: Reply | OpenArray): Reply | undefined {
    if (value === this.#arrays.at(-1)) return undefined;
    // What is no open array is a reply.
    let complete = value as Reply;
    for (let array = this.#arrays.at(-1); array !== undefined; array = this.#arrays.at(-1)) {
      array.elements.push(complete);
      if (array.elements.length < array.size) return undefined;
      this.#arrays.pop();
      complete = array.elements;
    }
    return complete;
  }

  #integer(start: number, end: number): number {
    const rest = this.#rest;
    const isNegative = rest[start] === minus;
    let at = isNegative ? start + 1 : start;
    if (at === end || end - at > 16) throw this.#unexpected(start);
    let value = 0;
    for (; at < end; at++) {
      const digit = rest[at]! - 0x30;
      if (digit < 0 || digit > 9) throw this.#unexpected(start);
      value = value * 10 + digit;
    }
    return isNegative ? -value : value;
  }

  #unexpected(position: number): ProtocolError {
    const seen = this.#rest.toString("latin1", position, position + 32);
    return new ProtocolError(`expected a reply in RESP2, got ${JSON.stringify(seen)}`);
  }
}
