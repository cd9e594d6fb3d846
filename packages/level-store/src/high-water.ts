import { constants } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Neighbour } from "./damage.ts";
import { getInteger, putInteger, viewOf } from "./key.ts";
import { sealed, unseal } from "./record.ts";

/** A batch that is known to be durable. */
export interface HighWater extends Neighbour {
  readonly sequence: number;
}

const fileName = "HIGHWATER";
const key = new TextEncoder().encode(fileName);

function encode({ sequence, wallMs, recent }: HighWater): Uint8Array {
  const payload = new Uint8Array(32);
  const view = viewOf(payload);
  putInteger(view, 0, sequence);
  putInteger(view, 8, wallMs);
  putInteger(view, 16, recent.minMs);
  putInteger(view, 24, recent.maxMs);
  return sealed(key, payload);
}

/** What was noted last in a directory; undefined when there is no note, or none that can be read. */
export async function readHighWater(directory: string): Promise<HighWater | undefined> {
  try {
    const payload = unseal(key, await readFile(join(directory, fileName)));
    if (payload === undefined) return undefined;
    const view = viewOf(payload);
    return {
      sequence: getInteger(view, 0),
      wallMs: getInteger(view, 8),
      recent: { minMs: getInteger(view, 16), maxMs: getInteger(view, 24) },
    };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * How long a note waits for later ones. Each makes the file system's next commit larger, and with it the next sync of the
 * log: at one in 20 ms writing was several times slower on ext4.
 */
const noteDelayMs = 1_000;

/**
 * Notes in a file of its own which batch is durable. A log that lost its end has no later batch to show the gap; this
 * file does. A note is made after the batch, so what it says may be behind, never ahead.
 *
 * Notes are left to the system to write out, but for {@link sync}: a crash of the process does not lose them, a power cut
 * may.
 */
export class HighWaterFile {
  readonly #file: FileHandle;
  #pending: HighWater | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(directory: string): Promise<HighWaterFile> {
    return new HighWaterFile(await open(join(directory, fileName), constants.O_RDWR | constants.O_CREAT));
  }

  /** Notes a batch within {@link noteDelayMs}; of several the last counts. */
  note(highWater: HighWater): void {
    this.#pending = highWater;
    // It does not keep the process alive.
    this.#timer ??= setTimeout(() => {
      // The batch is durable all the same; only the loss of a log's end would go unnoticed. sync() reports the cause.
      this.#write().catch(() => {});
    }, noteDelayMs).unref();
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing
      .catch(() => {})
      .then(async () => {
        if (this.#pending === undefined) return;
        const bytes = encode(this.#pending);
        this.#pending = undefined;
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
