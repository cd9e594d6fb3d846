import { LevelDbError } from "@mon/leveldb-check";
import { RaftError, type RaftErrorCode } from "@mon/raft";

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

function codeOf(code: string, message: string): RaftErrorCode {
  switch (code) {
    case "LEVEL_LOCKED":
      return "RAFT_STORAGE_LOCKED";
    case "LEVEL_CORRUPTION":
      return "RAFT_LOG_CORRUPT";
    case "LEVEL_IO_ERROR":
      // LevelDB misses a file that another of its files names.
      return message.includes("No such file") ? "RAFT_LOG_CORRUPT" : "RAFT_STORAGE_FAILED";
    default:
      return "RAFT_STORAGE_FAILED";
  }
}

const expectations: Partial<Record<RaftErrorCode, string>> = {
  RAFT_STORAGE_LOCKED: "expected to be the only one that has it open, but somebody else has",
  RAFT_LOG_CORRUPT: "expected files as LevelDB left them",
};

/** What went wrong at a path, as an error of the store. */
export function failureOf(cause: unknown, path: string): RaftError {
  if (cause instanceof RaftError) return cause;
  if (cause instanceof LevelDbError) return new RaftError("RAFT_LOG_CORRUPT", cause.message, { cause });
  const { code, message } = rootOf(cause);
  const raftCode = codeOf(code, message);
  const expectation = expectations[raftCode] ?? "expected a disk that takes and gives bytes";
  return new RaftError(raftCode, `${path}: ${expectation}; got: ${message}`, { cause });
}

/** Whether an error says that a file or directory is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** The log cannot be trusted. */
export function corrupt(message: string, index?: number): RaftError {
  return new RaftError("RAFT_LOG_CORRUPT", message, { index });
}

/** The refusal of a call after `close`. */
export function stopped(): RaftError {
  return new RaftError("RAFT_STOPPED", "expected an open store, got one that was closed");
}

/** Says that the caller keeps the contract of the store; nothing is written when it does not. */
export function invariant(condition: boolean, message: () => string, index?: number): asserts condition {
  if (!condition) throw new RaftError("RAFT_INVARIANT", message(), { index });
}
