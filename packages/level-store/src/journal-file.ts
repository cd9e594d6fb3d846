import { randomBytes } from "node:crypto";
import { close, constants, fdatasync, open as openDescriptor, write } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { StoreError } from "@mon/store";
import { viewOf } from "./key.ts";

/** The layout of a journal's files that this code writes, and the newest that it reads. */
const journalVersion = 1;

/** Bytes before the first record: two copies of the head, so that one flipped byte does not cost the file. */
export const fileHeadBytes = 1024;
const copyOffsets = [0, 512] as const;
const copyBytes = 48;
const magic = 0x464a_4f4d;

/** What a file says of itself. */
export interface FileHead {
  /** Rises with each use of a file, and tells which of two was begun later. */
  readonly ordinal: number;
  /** The sequence of its first record. Records of files before it that have this number or a greater one are void. */
  readonly firstSequence: number;
  /**
   * Part of every checksum, and new each time that the file is used: what an earlier use left behind does not check, nor
   * does what somebody put into a report to look like a record.
   */
  readonly salt: Uint8Array;
  readonly createdMs: number;
}

/** The head of a file that is used from now on. */
export function newFileHead(ordinal: number, firstSequence: number, createdMs: number): FileHead {
  return { ordinal, firstSequence, salt: randomBytes(8), createdMs };
}

/** Where the checksums of a file's records begin. */
export function seedOf({ salt }: FileHead): number {
  return crc32(salt);
}

/** Writes a head, both copies, to where a file begins. */
export function putFileHead(bytes: Uint8Array, head: FileHead): void {
  bytes.fill(0, 0, fileHeadBytes);
  const view = viewOf(bytes);
  for (const at of copyOffsets) {
    view.setUint32(at, magic, true);
    view.setUint32(at + 8, journalVersion, true);
    view.setFloat64(at + 16, head.firstSequence, true);
    view.setFloat64(at + 24, head.createdMs, true);
    bytes.set(head.salt, at + 32);
    view.setFloat64(at + 40, head.ordinal, true);
    view.setUint32(at + 4, crc32(bytes.subarray(at + 8, at + copyBytes)), true);
  }
}

/**
 * The head of a file; undefined when it has none that can be read.
 *
 * @throws {StoreError} STORE_VERSION_UNKNOWN
 */
export function fileHeadOf(bytes: Uint8Array, path: string): FileHead | undefined {
  const heads = copyOffsets.flatMap((at) => headCopyAt(bytes, at, path) ?? []);
  // When the file was used anew and the power went, one copy may be of the use before.
  return heads.sort((a, b) => b.ordinal - a.ordinal)[0];
}

function headCopyAt(bytes: Uint8Array, at: number, path: string): FileHead | undefined {
  if (bytes.length < at + copyBytes) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(at, true) !== magic) return undefined;
  if (view.getUint32(at + 4, true) !== crc32(bytes.subarray(at + 8, at + copyBytes))) return undefined;
  const version = view.getUint32(at + 8, true);
  if (version > journalVersion) {
    const got = `expected journal format ${journalVersion} or older, got ${version}; a newer version wrote it`;
    throw new StoreError("STORE_VERSION_UNKNOWN", `${path}: ${got}`);
  }
  return {
    firstSequence: view.getFloat64(at + 16, true),
    createdMs: view.getFloat64(at + 24, true),
    salt: bytes.slice(at + 32, at + 40),
    ordinal: view.getFloat64(at + 40, true),
  };
}

/** A file of the journal, open for writing. */
export class JournalFile {
  readonly path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** Opens a file, and makes it when there is none; whoever makes one syncs its directory. */
  static async open(path: string): Promise<JournalFile> {
    const openFile = promisify(openDescriptor);
    return new JournalFile(path, await openFile(path, constants.O_RDWR | constants.O_CREAT));
  }

  /** Writes bytes at a position and syncs them; they are on stable storage when it resolves. */
  commit(bytes: Uint8Array, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const written = (error: Error | null): void => (error === null ? resolve() : reject(error));
      const go = (from: number): void => {
        write(this.#fd, bytes, from, bytes.length - from, position + from, (error, count) => {
          if (error !== null) reject(error);
          else if (from + count < bytes.length) go(from + count);
          else fdatasync(this.#fd, written);
        });
      };
      go(0);
    });
  }

  /** Makes durable what is in the file, whoever wrote it. */
  async sync(): Promise<void> {
    await promisify(fdatasync)(this.#fd);
  }

  async close(): Promise<void> {
    await promisify(close)(this.#fd);
  }
}

/** Makes the entries of a directory durable, where the system has that. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows has no such thing.
  if (process.platform === "win32") return;
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
