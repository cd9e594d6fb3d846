import { StoreError } from "../errors.ts";

/**
 * Bytes that should be a backup are not, or not all of one. `code` is `STORE_BACKUP_INVALID`, or
 * `STORE_VERSION_UNKNOWN` for a backup that a newer version wrote.
 */
export class BackupError extends StoreError {
  /** Where the part begins that is wrong, in bytes from the beginning. */
  readonly offset: number;

  constructor(
    code: "STORE_BACKUP_INVALID" | "STORE_VERSION_UNKNOWN",
    offset: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.offset = offset;
  }
}

/** What a part that is not as it should be is answered with. */
export function invalidAt(offset: number, expected: string, got: string, cause?: unknown): BackupError {
  const message = `expected ${expected} at byte ${offset} of the backup, got ${got}`;
  return new BackupError("STORE_BACKUP_INVALID", offset, message, cause === undefined ? {} : { cause });
}
