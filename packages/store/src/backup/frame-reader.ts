import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { BackupError, invalidAt } from "./backup-error.ts";
import { ByteSource, type Pieces } from "./byte-source.ts";
import {
  type FrameType,
  firstChecksum,
  frameHeadBytes,
  frameTailBytes,
  frameType,
  magicBytes,
  payloadBytesMax,
  preamble,
} from "./frame.ts";

/** A frame whose checksum is right. */
export interface Frame {
  readonly type: FrameType;
  /** Where it begins, in bytes from the beginning of the backup. */
  readonly offset: number;
  readonly payload: Uint8Array;
}

const frameTypes: ReadonlySet<number> = new Set(Object.values(frameType));

/** Reads the frames of a backup from bytes in pieces of any size. Holds one frame. */
export class FrameReader {
  readonly #source: ByteSource;
  readonly #digest = createHash("sha256");
  #checksum = firstChecksum;

  constructor(pieces: Pieces) {
    this.#source = new ByteSource(pieces);
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#source.offset;
  }

  /** Reads what comes before the first frame. @throws {BackupError} */
  async begin(): Promise<void> {
    const bytes = await this.#source.take(preamble.length);
    const isBackup =
      bytes.length === preamble.length && bytes.every((byte, i) => i >= magicBytes || byte === preamble[i]);
    if (!isBackup) throw invalidAt(0, "the beginning of a backup", "something else");
    const version = (bytes[magicBytes]! << 8) | bytes[magicBytes + 1]!;
    const known = preamble.at(-1)!;
    if (version !== known) {
      const message = `expected a backup of version ${known}, got version ${version} at byte ${magicBytes}`;
      throw new BackupError("STORE_VERSION_UNKNOWN", magicBytes, message);
    }
    this.#digest.update(bytes);
  }

  /** Reads the next frame. @throws {BackupError} also at the end: a backup ends with its trailer, not before */
  async next(): Promise<Frame> {
    const { offset } = this;
    const head = await this.#source.take(frameHeadBytes);
    if (head.length < frameHeadBytes) throw this.#cutShort(offset);
    const type = head[0]!;
    const length = viewOf(head).getUint32(1);
    if (!frameTypes.has(type) || length > payloadBytesMax)
      throw invalidAt(offset, "a frame", "something else");
    const body = await this.#source.take(length + frameTailBytes);
    if (body.length < length + frameTailBytes) throw this.#cutShort(offset);
    const payload = body.subarray(0, length);
    const checksum = crc32(payload, crc32(head, this.#checksum));
    if (checksum !== viewOf(body).getUint32(length))
      throw invalidAt(offset, "a whole frame", "one that does not match its checksum");
    this.#checksum = checksum;
    if (type !== frameType.trailer) this.#digest.update(head).update(body);
    // One of those that are known, as was checked.
    return { type: type as FrameType, offset, payload };
  }

  /** Reads the end of the bytes. @throws {BackupError} when there are more */
  async end(): Promise<void> {
    const { offset } = this;
    const more = await this.#source.take(1);
    if (more.length > 0) throw invalidAt(offset, "the end", "more bytes");
  }

  /** SHA-256, in hexadecimal, of everything before the trailer; to be asked for once, after it. */
  sha256(): string {
    return this.#digest.digest("hex");
  }

  /** Lets go of bytes that were not read. */
  async close(): Promise<void> {
    await this.#source.close();
  }

  #cutShort(offset: number): BackupError {
    return invalidAt(offset, "a whole frame", `the end of the bytes at ${this.#source.offset}`);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
