import { ConnectError } from "@connectrpc/connect";

/** What a {@link ClientError} is about. Switch on this, never on the text. */
export type ClientErrorCode =
  /** No HTTP/2 connection to the broker; retried with back-off. */
  | "CLIENT_CONNECT_FAILED"
  /** The broker did not speak HTTP/2 within `connectTimeoutMs`; retried with back-off. */
  | "CLIENT_CONNECT_TIMEOUT"
  /** A ping had no answer within `pingTimeoutMs`; the connection is replaced. */
  | "CLIENT_PING_TIMEOUT"
  /** Batches were under way and no outcome came within `ackTimeoutMs`; the stream is replaced. */
  | "CLIENT_ACK_TIMEOUT"
  /** The broker ended the stream or a call with an error; its gRPC status is in `cause`. */
  | "CLIENT_STREAM_FAILED"
  /** The broker answered with something that the protocol does not allow; the stream is replaced. */
  | "CLIENT_PROTOCOL"
  /** The client is stopped or stopping. */
  | "CLIENT_STOPPED";

/** What goes wrong between a client and its brokers. A caller's mistake is a `TypeError` or `RangeError` instead. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  /** What it is about. */
  readonly code: ClientErrorCode;
  /** The broker that was involved, as given in the options. */
  readonly broker: string | undefined;

  constructor(code: ClientErrorCode, message: string, options: { broker?: string; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.broker = options.broker;
  }

  /** Makes a `ClientError` of whatever a stream or call threw; returns it unchanged when it is one. */
  static from(reason: unknown, broker: string): ClientError {
    if (reason instanceof ClientError) return reason;
    // Connect wraps what destroyed the connection; our own reason, if there is one, says more than its wrapping.
    const cause = reason instanceof ConnectError ? reason.cause : undefined;
    if (cause instanceof ClientError) return cause;
    const text = reason instanceof Error ? reason.message : String(reason);
    return new ClientError("CLIENT_STREAM_FAILED", text, { broker, cause: reason });
  }
}

/** The error of a cancelled wait: `name` is "AbortError", `cause` the signal's reason. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error("the wait was cancelled", { cause: signal.reason });
  error.name = "AbortError";
  return error;
}
