import { LevelDbError } from "@mon/leveldb-check";
import { StoreError, type StoreErrorCode } from "@mon/store";

/** The innermost coded cause of an error: abstract-level wraps LevelDB's, Node's carry their own. */
function rootOf(error: unknown): { code: string; message: string } {
  let code = "";
  let message = String(error);
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    message = e.message;
    if ("code" in e && typeof e.code === "string") code = e.code;
  }
  return { code, message };
}

const accessFailure = /Permission denied|Read-only file system|Not a directory/;

function codeOf(code: string, message: string): StoreErrorCode {
  switch (code) {
    case "LEVEL_LOCKED":
      return "STORE_LOCKED";
    case "LEVEL_CORRUPTION":
      return "STORE_CORRUPT";
    case "ENOENT":
    case "ENOTDIR":
    case "EEXIST":
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "STORE_UNUSABLE";
    case "LEVEL_IO_ERROR":
      // LevelDB misses a file that another of its files names.
      if (message.includes("No such file")) return "STORE_CORRUPT";
      return accessFailure.test(message) ? "STORE_UNUSABLE" : "STORE_UNAVAILABLE";
    default:
      return "STORE_UNAVAILABLE";
  }
}

const expectations: Partial<Record<StoreErrorCode, string>> = {
  STORE_LOCKED: "expected to be the only one that has it open, but another process has",
  STORE_CORRUPT: "expected files as LevelDB left them",
  STORE_UNUSABLE: "expected a directory that can be written",
};

/** What went wrong with a directory, as an error of the store. */
export function failureOf(cause: unknown, directory: string): StoreError {
  if (cause instanceof StoreError) return cause;
  if (cause instanceof LevelDbError) return new StoreError("STORE_CORRUPT", cause.message, { cause });
  const { code, message } = rootOf(cause);
  const storeCode = codeOf(code, message);
  const expectation = expectations[storeCode] ?? "expected the disk to take and give data";
  return new StoreError(storeCode, `${directory}: ${expectation}; got: ${message}`, { cause });
}

/** Whether an error says that LevelDB found damaged bytes. */
export function isCorruption(error: unknown): boolean {
  return rootOf(error).code === "LEVEL_CORRUPTION";
}
