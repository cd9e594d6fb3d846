/** What went wrong, for programs. */
export type StoreErrorCode =
  /** Bytes that should be a canonical fragment are not. Not retryable. */
  | "STORE_FRAGMENT_INVALID"
  /** Bytes that should be a chunk, or a column of one, are not, or do not pass their checksum. Not retryable. */
  | "STORE_CHUNK_INVALID"
  /** A matcher has an unknown type or a regular expression that RE2 does not take. Not retryable. */
  | "STORE_MATCHER_INVALID"
  /** The store is not open. Retryable once it is. */
  | "STORE_NOT_OPEN"
  /** Another process has the directory open. Not retryable. */
  | "STORE_LOCKED"
  /** The directory or address cannot be used: missing, read-only, no permission. Not retryable. */
  | "STORE_UNUSABLE"
  /** What is stored was written by a newer version. Not retryable. */
  | "STORE_VERSION_UNKNOWN"
  /** The medium failed or is full. Retryable: the store reopens itself. */
  | "STORE_UNAVAILABLE"
  /** Bytes that should be a backup are not, are cut short, or have changed. Not retryable. */
  | "STORE_BACKUP_INVALID"
  /** What was read back is not what was written. Not retryable. */
  | "STORE_CORRUPT";

/** An error of a store; switch on {@link StoreError.code}, never on the message. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
