/** What an error of this package is about. */
export type LevelDbErrorCode = "LEVELDB_DAMAGED";

/** A file of a LevelDB is missing, or not as LevelDB wrote it. */
export class LevelDbError extends Error {
  readonly code: LevelDbErrorCode = "LEVELDB_DAMAGED";
  /** Its path; the directory's when a file is missing. */
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super(`${path}: ${message}`, options);
    this.name = "LevelDbError";
    this.path = path;
  }
}

/** What reading bytes met, as damage of a file; what is none stays what it is. */
export function damageFrom(cause: unknown, path: string): unknown {
  return cause instanceof RangeError ? new LevelDbError(path, cause.message, { cause }) : cause;
}
