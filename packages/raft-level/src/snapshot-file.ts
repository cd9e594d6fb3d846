import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import {
  decodeConfState,
  encodeConfState,
  type LogPosition,
  RaftError,
  type SnapshotMeta,
  type SnapshotPoint,
} from "@mon/raft";
import { getInteger, putInteger, viewOf } from "./bytes.ts";

const magic = 0x4d52_534e; // MRSN
const formatVersion = 1;

/** Magic, version, bytes of the membership, index, term, index of the membership; then the membership and a checksum. */
const fixedHeadBytes = 36;
const sealBytes = 4;
/** Bytes of the snapshot, their checksum, and a checksum of these and the head's. */
const tailBytes = 16;
/** A membership of thousands has less. */
const maxConfBytes = 16 * 1024 * 1024;

/** How many bytes are read or written at once. */
export const pieceBytes: number = 256 * 1024;

/** The file of a snapshot; names sort as positions do. */
export function snapshotName({ index, term }: LogPosition): string {
  return `${String(index).padStart(16, "0")}-${String(term).padStart(16, "0")}.snapshot`;
}

/** The position that a name stands for; undefined when it is no snapshot's. */
export function positionOfName(name: string): LogPosition | undefined {
  const match = /^(\d{16})-(\d{16})\.snapshot$/.exec(name);
  return match === null ? undefined : { index: Number(match[1]), term: Number(match[2]) };
}

/** What comes before the bytes of a snapshot. */
export function encodeSnapshotHead({ index, term, conf, confIndex }: SnapshotPoint): Buffer {
  const confBytes = encodeConfState(conf);
  const sealAt = fixedHeadBytes + confBytes.length;
  const bytes = Buffer.alloc(sealAt + sealBytes);
  const view = viewOf(bytes);
  view.setUint32(0, magic);
  view.setUint32(4, formatVersion);
  view.setUint32(8, confBytes.length);
  putInteger(view, 12, index);
  putInteger(view, 20, term);
  putInteger(view, 28, confIndex);
  bytes.set(confBytes, fixedHeadBytes);
  view.setUint32(sealAt, crc32(bytes.subarray(0, sealAt)));
  return bytes;
}

/** What comes after them. */
export function encodeSnapshotTail(head: Buffer, sizeBytes: number, checksum: number): Buffer {
  const bytes = Buffer.alloc(tailBytes);
  const view = viewOf(bytes);
  putInteger(view, 0, sizeBytes);
  view.setUint32(8, checksum);
  view.setUint32(12, crc32(bytes.subarray(0, 12), head.readUInt32BE(head.length - sealBytes)));
  return bytes;
}

/** A snapshot's file, open for reading. */
export class SnapshotFile {
  readonly meta: SnapshotMeta;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #start: number;

  private constructor(path: string, file: FileHandle, meta: SnapshotMeta, start: number) {
    this.#path = path;
    this.#file = file;
    this.meta = meta;
    this.#start = start;
  }

  /**
   * Opens a file and verifies all but the snapshot's own bytes.
   *
   * @throws {RaftError} RAFT_SNAPSHOT_CORRUPT, RAFT_STORAGE_UNSUPPORTED, or what the file system throws
   */
  static async open(path: string, position: LogPosition): Promise<SnapshotFile> {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      const fixed = await readAt(file, 0, Math.min(fixedHeadBytes, size));
      const confBytes = size < fixedHeadBytes ? Number.POSITIVE_INFINITY : fixed.readUInt32BE(8);
      const start = fixedHeadBytes + confBytes + sealBytes;
      if (confBytes > maxConfBytes || start + tailBytes > size || fixed.readUInt32BE(0) !== magic) {
        throw damaged(path, position, "expected the head of a snapshot");
      }
      const head = await readAt(file, 0, start);
      if (crc32(head.subarray(0, start - sealBytes)) !== head.readUInt32BE(start - sealBytes)) {
        throw damaged(path, position, "expected another checksum of the head");
      }
      const version = head.readUInt32BE(4);
      if (version > formatVersion) {
        const got = `expected format ${formatVersion} or older, got ${version}; a newer release wrote it`;
        throw new RaftError("RAFT_STORAGE_UNSUPPORTED", `${path}: ${got}`);
      }
      const tail = await readAt(file, size - tailBytes, tailBytes);
      const sizeBytes = getInteger(viewOf(tail), 0);
      const checksum = tail.readUInt32BE(8);
      if (!tail.equals(encodeSnapshotTail(head, sizeBytes, checksum))) {
        throw damaged(path, position, "expected another checksum of the end");
      }
      if (start + sizeBytes + tailBytes !== size) {
        throw damaged(path, position, `expected ${start + sizeBytes + tailBytes} bytes, got ${size}`);
      }
      const view = viewOf(head);
      const meta: SnapshotMeta = {
        index: getInteger(view, 12),
        term: getInteger(view, 20),
        conf: decodeConfState(head.subarray(fixedHeadBytes, start - sealBytes)),
        confIndex: getInteger(view, 28),
        sizeBytes,
        crc32: checksum,
      };
      if (meta.index !== position.index || meta.term !== position.term) {
        throw damaged(path, position, `expected its position, got ${meta.index} of term ${meta.term}`);
      }
      return new SnapshotFile(path, file, meta, start);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The snapshot's bytes, in pieces that the reader may keep. @throws {RaftError} RAFT_SNAPSHOT_CORRUPT at their end */
  async *pieces(): AsyncGenerator<Uint8Array> {
    let checksum = 0;
    for (let at = 0; at < this.meta.sizeBytes; ) {
      const piece = await readAt(
        this.#file,
        this.#start + at,
        Math.min(pieceBytes, this.meta.sizeBytes - at),
      );
      if (piece.length === 0) throw damaged(this.#path, this.meta, "expected more bytes, got the end");
      checksum = crc32(piece, checksum);
      at += piece.length;
      yield piece;
    }
    if (checksum !== this.meta.crc32) {
      throw damaged(this.#path, this.meta, "expected another checksum of the content");
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** As many of the bytes as there are. */
async function readAt(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafeSlow(bytes), position });
  return buffer.subarray(0, bytesRead);
}

function damaged(path: string, { index }: LogPosition, message: string): RaftError {
  return new RaftError("RAFT_SNAPSHOT_CORRUPT", `${path}: ${message}`, { index });
}
