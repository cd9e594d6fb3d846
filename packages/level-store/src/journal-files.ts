import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { JournalFile, syncDirectory } from "./journal-file.ts";

const folder = "journal";

/**
 * The files of a journal. They are numbered as they were made, and used again when what they held is in chunks: writing
 * over blocks that a file has costs a third of what making it longer does.
 */
export class JournalFiles {
  readonly #path: string;
  readonly #all: JournalFile[];
  readonly #spare: JournalFile[] = [];
  #made: number;

  private constructor(path: string, files: JournalFile[], made: number) {
    this.#path = path;
    this.#all = files;
    this.#made = made;
  }

  /** Opens the files of a directory, and makes their folder when there is none. */
  static async open(directory: string): Promise<JournalFiles> {
    const path = join(directory, folder);
    const made = await mkdir(path, { recursive: true });
    if (made !== undefined) await syncDirectory(directory);
    const numbers = (await readdir(path)).filter((name) => /^\d{1,9}$/.test(name)).map(Number);
    const files: JournalFile[] = [];
    try {
      for (const number of numbers) files.push(await JournalFile.open(join(path, String(number))));
    } catch (error) {
      for (const file of files) await file.close();
      throw error;
    }
    return new JournalFiles(path, files, Math.max(-1, ...numbers) + 1);
  }

  get all(): readonly JournalFile[] {
    return this.#all;
  }

  /** A file to be used from its beginning. */
  async acquire(): Promise<JournalFile> {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    const file = await JournalFile.open(join(this.#path, String(this.#made++)));
    this.#all.push(file);
    await syncDirectory(this.#path);
    return file;
  }

  /** Gives back a file whose content is not needed any more. */
  release(file: JournalFile): void {
    this.#spare.push(file);
  }

  async close(): Promise<void> {
    for (const file of this.#all.splice(0)) await file.close();
  }
}
