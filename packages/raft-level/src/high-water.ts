import { randomBytes } from "node:crypto";
import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { RaftError } from "@mon/raft";
import { getInteger, putInteger, viewOf } from "./bytes.ts";
import { corrupt, isMissing } from "./failure.ts";
import { syncDirectory } from "./sync-directory.ts";

const fileName = "HIGHWATER";
const magic = 0x4d52_4857; // MRHW
const formatVersion = 1;

/** Two slots, each within a sector of its own, written in turn: one of them is always whole. */
const slotOffsets = [0, 512] as const;
const slotBytes = 28;
const fileBytes = 1024;

/** Bytes that end each batch. */
const markBytes = 8;

/** How long a note waits for later ones: each makes the next sync of the log's own file system dearer. */
const noteDelayMs = 1_000;

interface Slot {
  readonly sequence: number;
  readonly mark: Uint8Array;
}

/**
 * Notes, outside of LevelDB, up to which batch the log is durable. A log that lost its end has nothing after the gap to show
 * it; this file does. Also keeps the mark that ends each batch of this directory, drawn at random so that nobody
 * can put it into an entry.
 *
 * A note is made after its batch is durable, within a second, so what it says may be behind, never ahead. Notes are left to
 * the system to write out, but for {@link sync}.
 */
export class HighWaterFile {
  /** What ends each batch. Its bytes are never zero, nor one flipped bit away from it. */
  readonly mark: Uint8Array;
  readonly #file: FileHandle;
  readonly #onFailure: (cause: unknown) => void;
  #sequence: number;
  #noted: number;
  #slot = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, { mark, sequence }: Slot, onFailure: (cause: unknown) => void) {
    this.#file = file;
    this.mark = mark;
    this.#sequence = sequence;
    this.#noted = sequence;
    this.#onFailure = onFailure;
  }

  /**
   * Opens the file of a directory, or makes it durably when it is not there.
   *
   * @param mayBeNew - whether the directory has no log either
   * @param onFailure - told when a note cannot be made
   * @throws {RaftError} RAFT_LOG_CORRUPT, RAFT_STORAGE_UNSUPPORTED, or what the file system throws
   */
  static async open(
    directory: string,
    mayBeNew: boolean,
    onFailure: (cause: unknown) => void,
  ): Promise<HighWaterFile> {
    const path = join(directory, fileName);
    const bytes = await readFile(path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    let slot: Slot;
    if (bytes !== undefined) {
      slot = newestSlotOf(bytes, path);
    } else {
      if (!mayBeNew) throw corrupt(`${path}: expected a file beside the log, got none`);
      slot = await make(directory, path);
    }
    const highWater = new HighWaterFile(await open(path, "r+"), slot, onFailure);
    // Whichever slot was not whole, or older, is written first.
    highWater.#slot = bytes === undefined || slotAt(bytes, 0, path)?.sequence === slot.sequence ? 1 : 0;
    return highWater;
  }

  /** The last batch that is known to be durable; 0 when there was none. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Notes a batch soon; of several the last counts. */
  note(sequence: number): void {
    this.#sequence = sequence;
    // It does not keep the process alive.
    this.#timer ??= setTimeout(() => {
      this.#write().catch(this.#onFailure);
    }, noteDelayMs).unref();
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(async () => {
      if (this.#noted === this.#sequence) return;
      const sequence = this.#sequence;
      const bytes = encodeSlot({ sequence, mark: this.mark });
      await this.#file.write(bytes, 0, bytes.length, slotOffsets[this.#slot]!);
      this.#slot = 1 - this.#slot;
      this.#noted = sequence;
    });
    return this.#writing;
  }

  /** Makes the last note durable. */
  async sync(): Promise<void> {
    await this.#write();
    await this.#file.datasync();
  }

  /** Lets go of the file; what was noted and not written is lost. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    // Whoever waited for it was told.
    await this.#writing.catch(() => {});
    await this.#file.close();
  }
}

async function make(directory: string, path: string): Promise<Slot> {
  // Two bits of each byte are set, so that no single flipped bit makes a zero.
  const slot = { sequence: 0, mark: randomBytes(markBytes).map((byte) => byte | 0x81) };
  const bytes = new Uint8Array(fileBytes);
  for (const at of slotOffsets) bytes.set(encodeSlot(slot), at);
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx");
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(directory);
  return slot;
}

function encodeSlot({ sequence, mark }: Slot): Uint8Array {
  const bytes = new Uint8Array(slotBytes);
  const view = viewOf(bytes);
  view.setUint32(0, magic);
  view.setUint32(4, formatVersion);
  putInteger(view, 8, sequence);
  bytes.set(mark, 16);
  view.setUint32(24, crc32(bytes.subarray(0, 24)));
  return bytes;
}

function newestSlotOf(bytes: Uint8Array, path: string): Slot {
  const slots = slotOffsets.flatMap((_, i) => slotAt(bytes, i, path) ?? []);
  const newest = slots.sort((a, b) => b.sequence - a.sequence)[0];
  if (newest === undefined) throw corrupt(`${path}: expected a sound note, got none`);
  return newest;
}

function slotAt(bytes: Uint8Array, slot: number, path: string): Slot | undefined {
  const at = slotOffsets[slot]!;
  if (bytes.length < at + slotBytes) return undefined;
  const view = viewOf(bytes.subarray(at, at + slotBytes));
  if (view.getUint32(0) !== magic || view.getUint32(24) !== crc32(bytes.subarray(at, at + 24)))
    return undefined;
  const version = view.getUint32(4);
  if (version > formatVersion) {
    const got = `expected format ${formatVersion} or older, got ${version}; a newer release wrote it`;
    throw new RaftError("RAFT_STORAGE_UNSUPPORTED", `${path}: ${got}`);
  }
  return { sequence: getInteger(view, 8), mark: bytes.slice(at + 16, at + 24) };
}
