/** What went wrong between brokers, for programs. All of it is worth another try. */
export type ReplicationErrorCode =
  /** A peer did not reply in time, or the call failed. */
  | "REPLICATION_PEER_SILENT"
  /** A peer said that it cannot now. */
  | "REPLICATION_PEER_UNAVAILABLE"
  /** A peer is on a newer epoch; its rings were taken over. */
  | "REPLICATION_WRONG_EPOCH"
  /** What arrived is not what was announced. */
  | "REPLICATION_COPY_DIFFERS"
  /** The cluster did not take a step of a hand-over. */
  | "REPLICATION_NOT_COMMITTED";

/** An error of this package; switch on {@link ReplicationError.code}, never on the message. */
export class ReplicationError extends Error {
  override readonly name = "ReplicationError";
  readonly code: ReplicationErrorCode;

  constructor(code: ReplicationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** What a failed call is here: an error that says so, unless it is one already. */
  static from(error: unknown): ReplicationError {
    if (error instanceof ReplicationError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new ReplicationError("REPLICATION_PEER_SILENT", message, { cause: error });
  }
}
