/** Why nothing was sent, read or run. */
export type HostIoErrorCode =
  /** The address is one where nothing may be sent. Not retryable. */
  | "HOST_IO_REFUSED_ADDRESS"
  /** The name has no address. */
  | "HOST_IO_NO_ADDRESS"
  /** The connection was refused, broken or closed before there was an answer. */
  | "HOST_IO_NO_ANSWER"
  /** What came is no answer of the protocol, or is too large. */
  | "HOST_IO_BAD_ANSWER"
  /** The program may not be run: it is not in an allowed folder, or others could have written it. Not retryable. */
  | "HOST_IO_REFUSED_SCRIPT"
  /** The program could not be run. */
  | "HOST_IO_NO_SCRIPT";

/** What goes wrong with sockets and processes, except that a signal's own reason is what an aborted call rejects with. */
export class HostIoError extends Error {
  override readonly name = "HostIoError";
  readonly code: HostIoErrorCode;

  constructor(code: HostIoErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Something that was thrown, as an error of this package. */
  static from(error: unknown, code: HostIoErrorCode = "HOST_IO_NO_ANSWER"): HostIoError {
    if (error instanceof HostIoError) return error;
    return new HostIoError(code, error instanceof Error ? error.message : String(error), { cause: error });
  }
}
