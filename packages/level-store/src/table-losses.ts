import { constants } from "node:fs";
import { copyFile, link, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Loss } from "./damage.ts";
import { writeDurably } from "./durable-file.ts";
import { maxInstantMs } from "./key.ts";
import { jsonOfPayload, jsonPayload, sealed, unseal } from "./record.ts";
import { tableLoss } from "./table-examination.ts";

/** What a note holds. */
interface Note {
  readonly losses: readonly Loss[];
  /** Whether the catalogue has been completed since, from what there is. */
  readonly isSettled: boolean;
}

const extension = ".loss";

/**
 * Notes of what damaged tables of LevelDB held, a file for each in the directory `damaged`, beside the table as it was
 * found. A note is durable before the table is taken out of use, so that no crash between makes the loss one that nobody
 * knows of. Kept until the data that was lost is past retention.
 */
export class TableLosses {
  readonly #directory: string;
  readonly #notes: Map<string, Note>;

  private constructor(directory: string, notes: Map<string, Note>) {
    this.#directory = directory;
    this.#notes = notes;
  }

  /** Reads the notes of a store's directory. One that is damaged itself stands for losses of any time before it. */
  static async open(storeDirectory: string): Promise<TableLosses> {
    const directory = join(storeDirectory, "damaged");
    const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      return [];
    });
    const notes = new Map<string, Note>();
    for (const name of names.filter((name) => name.endsWith(extension)).sort()) {
      const path = join(directory, name);
      const payload = unseal(keyOf(name), await readFile(path));
      notes.set(
        name.slice(0, -extension.length),
        payload === undefined ? unreadable(name, (await stat(path)).mtimeMs) : jsonOfPayload<Note>(payload),
      );
    }
    return new TableLosses(directory, notes);
  }

  /** What was lost, in order of the tables' names. */
  get all(): readonly Loss[] {
    return [...this.#notes.values()].flatMap(({ losses }) => losses);
  }

  /** Whether there are losses since the catalogue was completed last. */
  get areNew(): boolean {
    return [...this.#notes.values()].some(({ isSettled }) => !isSettled);
  }

  /** Notes what a table held, and keeps its file as it is now. @param name - the file's, in the store's directory */
  async add(name: string, losses: readonly Loss[]): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    await keepCopy(join(this.#directory, "..", name), join(this.#directory, name));
    await this.#write(name, { losses, isSettled: false });
  }

  /** Notes that the catalogue has been completed from what there is. */
  async settle(): Promise<void> {
    for (const [name, note] of this.#notes) {
      if (!note.isSettled) await this.#write(name, { ...note, isSettled: true });
    }
  }

  async #write(name: string, note: Note): Promise<void> {
    const noteName = name + extension;
    await writeDurably(join(this.#directory, noteName), sealed(keyOf(noteName), jsonPayload(note)));
    this.#notes.set(name, note);
  }

  /** Forgets what can only have held samples before an instant, but for what is new. */
  async trim(beforeMs: number): Promise<void> {
    for (const [name, { losses, isSettled }] of this.#notes) {
      if (!isSettled || losses.some(({ endMs }) => endMs >= beforeMs)) continue;
      this.#notes.delete(name);
      await rm(join(this.#directory, name), { force: true });
      await rm(join(this.#directory, name + extension), { force: true });
    }
  }
}

function keyOf(name: string): Uint8Array {
  return new TextEncoder().encode(name);
}

function unreadable(name: string, writtenMs: number): Note {
  const what = `damaged/${name} does not pass its checksum; samples of any time may be missing`;
  return { losses: [tableLoss(what, -maxInstantMs, Math.ceil(writtenMs))], isSettled: false };
}

/** Gives a file a second name, or makes a copy where the file system has no such thing. */
async function keepCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    // Of two findings in one table the first has kept it.
    if (error instanceof Error && "code" in error && (error.code === "EEXIST" || error.code === "ENOENT"))
      return;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}
