import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { BackupError } from "@mon/store/backup";
import { MonctlError } from "./errors.ts";

/** What a read of a backup takes from its file at a time. */
const pieceBytes = 131_072;

/**
 * Makes a file of pieces, all or nothing: they go into a file beside it, which is synced and then takes its name, and
 * is removed when anything goes wrong. Only its owner may read it.
 *
 * @param consume - called with the pieces as they are written; the file stands when it resolves
 * @throws {MonctlError} MONCTL_FAILURE when the file cannot be written, else what `pieces` and `consume` throw
 */
export async function writeWhole<T>(
  file: string,
  pieces: AsyncIterable<Uint8Array>,
  consume: (written: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const partial = `${file}.${process.pid}.partial`;
  const handle = await open(partial, "wx", 0o600).catch((cause: unknown) => {
    throw cannotWrite(file, cause);
  });
  try {
    const result = await writeAndSync(handle, file, pieces, consume);
    await rename(partial, file);
    await syncDirectory(dirname(file));
    return result;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function writeAndSync<T>(
  handle: FileHandle,
  file: string,
  pieces: AsyncIterable<Uint8Array>,
  consume: (written: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const guarded = async (step: Promise<void>): Promise<void> => {
    await step.catch((cause: unknown) => {
      throw cannotWrite(file, cause);
    });
  };
  try {
    const result = await consume(
      (async function* () {
        for await (const piece of pieces) {
          // Goes on where the piece before ended.
          await guarded(handle.writeFile(piece));
          yield piece;
        }
      })(),
    );
    await guarded(handle.sync());
    return result;
  } finally {
    await handle.close();
  }
}

/** A file's new name outlives a power cut once its directory is synced. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @throws {MonctlError} MONCTL_CONFLICT when something has that name already */
export async function assertAbsent(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return;
  throw new MonctlError("MONCTL_CONFLICT", `expected no file ${file}, got one`, {
    hint: "choose another name, or replace it with --force",
  });
}

/** The size of a file, in bytes. @throws {MonctlError} MONCTL_NOT_FOUND, MONCTL_FAILURE */
export async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((cause: unknown) => {
    throw cannotRead(file, cause);
  });
  if (found.isDirectory())
    throw new MonctlError("MONCTL_FAILURE", `expected a file, got the directory ${file}`);
  return found.size;
}

/** The bytes of a file, piece by piece. @throws {MonctlError} MONCTL_NOT_FOUND, MONCTL_FAILURE */
export async function* readPieces(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file, { highWaterMark: pieceBytes });
  } catch (cause) {
    throw cannotRead(file, cause);
  }
}

/** Puts what is wrong with a backup into an error of this program; anything else passes as it is. */
export function backupError(error: unknown, file: string): unknown {
  if (!(error instanceof BackupError)) return error;
  return new MonctlError("MONCTL_FAILURE", `${file}: ${error.message}`, {
    hint:
      error.code === "STORE_VERSION_UNKNOWN"
        ? "use the monctl of a newer version"
        : "the file is no backup, is cut short or has changed: use another",
    cause: error,
    facts: { file, offset: error.offset },
  });
}

function cannotWrite(file: string, cause: unknown): MonctlError {
  return new MonctlError("MONCTL_FAILURE", `cannot write ${file}: ${reasonOf(cause)}`, { cause });
}

function cannotRead(file: string, cause: unknown): MonctlError {
  const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
  const code = isMissing ? "MONCTL_NOT_FOUND" : "MONCTL_FAILURE";
  return new MonctlError(code, `cannot read ${file}: ${reasonOf(cause)}`, { cause });
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
