import { constants } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Neighbour } from "./damage.ts";
import { getInteger, putInteger, viewOf } from "./key.ts";
import { sealed, unseal } from "./record.ts";

/** A commit that is known to be durable. */
export interface Mark extends Neighbour {
  readonly sequence: number;
}

/** The last commits that are known to be durable; absent when there was none. */
export interface HighWater {
  readonly level?: Mark;
  readonly journal?: Mark;
}

const fileName = "HIGHWATER";
const key = new TextEncoder().encode(fileName);

/** Bytes of a mark; of format 1 there is one, of LevelDB. */
const markBytes = 32;

function encode({ level, journal }: HighWater): Uint8Array {
  const payload = new Uint8Array(2 * markBytes);
  putMark(viewOf(payload), 0, level);
  putMark(viewOf(payload), markBytes, journal);
  return sealed(key, payload);
}

function putMark(view: DataView, at: number, mark: Mark | undefined): void {
  putInteger(view, at, mark?.sequence ?? 0);
  putInteger(view, at + 8, mark?.wallMs ?? 0);
  putInteger(view, at + 16, mark?.recent.minMs ?? 0);
  putInteger(view, at + 24, mark?.recent.maxMs ?? 0);
}

function markAt(view: DataView, at: number): Mark | undefined {
  if (view.byteLength < at + markBytes || getInteger(view, at) === 0) return undefined;
  return {
    sequence: getInteger(view, at),
    wallMs: getInteger(view, at + 8),
    recent: { minMs: getInteger(view, at + 16), maxMs: getInteger(view, at + 24) },
  };
}

/** What was noted last in a directory, as far as it can be read. */
export async function readHighWater(directory: string): Promise<HighWater & { readonly isDamaged: boolean }> {
  try {
    const value = await readFile(join(directory, fileName));
    const payload = unseal(key, value);
    // There are no bytes before the first note.
    if (payload === undefined) return { isDamaged: value.length > 0 };
    const view = viewOf(payload);
    const level = markAt(view, 0);
    const journal = markAt(view, markBytes);
    return {
      isDamaged: false,
      ...(level === undefined ? {} : { level }),
      ...(journal === undefined ? {} : { journal }),
    };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { isDamaged: false };
    throw error;
  }
}

/**
 * How long a note waits for later ones. Each makes the file system's next commit larger, and with it the next sync of the
 * log: at one in 20 ms writing was several times slower on ext4.
 */
const noteDelayMs = 1_000;

/**
 * Notes in a file of its own which commits are durable. A log that lost its end has no later commit to show the gap; this
 * file does. A note is made after the commit, so what it says may be behind, never ahead.
 *
 * Notes are left to the system to write out, but for {@link sync}: a crash of the process does not lose them, a power cut
 * may.
 */
export class HighWaterFile {
  readonly #file: FileHandle;
  #marks: HighWater;
  #isPending = false;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, marks: HighWater) {
    this.#file = file;
    this.#marks = marks;
  }

  /** @param marks - what is known to be durable already */
  static async open(directory: string, marks: HighWater): Promise<HighWaterFile> {
    const file = await open(join(directory, fileName), constants.O_RDWR | constants.O_CREAT);
    return new HighWaterFile(file, marks);
  }

  /** Notes a commit within {@link noteDelayMs}; of several the last counts. */
  note(log: keyof HighWater, mark: Mark): void {
    this.#marks = { ...this.#marks, [log]: mark };
    this.#isPending = true;
    // It does not keep the process alive.
    this.#timer ??= setTimeout(() => {
      // The commit is durable all the same; only the loss of a log's end would go unnoticed. sync() reports the cause.
      this.#write().catch(() => {});
    }, noteDelayMs).unref();
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing
      .catch(() => {})
      .then(async () => {
        if (!this.#isPending) return;
        this.#isPending = false;
        const bytes = encode(this.#marks);
        await this.#file.write(bytes, 0, bytes.length, 0);
      });
    return this.#writing;
  }

  /** Makes the last note durable. */
  async sync(): Promise<void> {
    await this.#write();
    await this.#file.sync();
  }

  /** Makes the last note, whatever becomes of it, and lets go of the file. */
  async close(): Promise<void> {
    await this.#write().catch(() => {});
    await this.#file.close();
  }
}
