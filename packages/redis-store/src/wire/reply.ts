/**
 * A reply of a server in RESP2. Bulk strings are bytes, owned by whoever got the reply; a null bulk string or array is
 * null.
 */
export type Reply = number | string | Uint8Array | null | ReplyError | readonly Reply[];

/** An error reply: a value, because one command's failure is no failure of those around it. */
export class ReplyError {
  /** The first word: `OOM`, `MOVED`, `ERR`. */
  readonly code: string;
  /** The whole line. */
  readonly message: string;

  constructor(message: string) {
    this.message = message;
    const space = message.indexOf(" ");
    this.code = space < 0 ? message : message.slice(0, space);
  }
}
