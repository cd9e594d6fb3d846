import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "@mon/store";
import { Level } from "level";
import { failureOf } from "./failure.ts";

/** Where the lock is, within the directory. */
const lockName = "lock";

/**
 * Keeps a directory to one opener. Node has no file locks, but LevelDB has one that the system releases when the process
 * ends, however it ends; so this is an empty LevelDB of which only the lock counts. The store's own LevelDB cannot be the
 * lock: its files are examined, and perhaps mended, before it is opened, and nobody may write to them meanwhile.
 */
export class DirectoryLock {
  readonly #level: Level;

  private constructor(level: Level) {
    this.#level = level;
  }

  /** @throws {StoreError} STORE_LOCKED when somebody else has the lock; STORE_UNUSABLE, STORE_UNAVAILABLE */
  static async acquire(directory: string): Promise<DirectoryLock> {
    const path = join(directory, lockName);
    try {
      await mkdir(path, { recursive: true });
      try {
        return await DirectoryLock.#open(path);
      } catch (error) {
        if (failureOf(error, directory).code !== "STORE_CORRUPT") throw error;
        // Damaged, or cut short when it was made. Nothing in it is of value but the file LOCK, and that stays.
        const names = await readdir(path);
        for (const name of names) if (name !== "LOCK") await rm(join(path, name));
        return await DirectoryLock.#open(path);
      }
    } catch (cause) {
      const { code, message } = failureOf(cause, directory);
      // Whatever is wrong here, no data is damaged by it.
      throw new StoreError(code === "STORE_CORRUPT" ? "STORE_UNAVAILABLE" : code, message, { cause });
    }
  }

  static async #open(path: string): Promise<DirectoryLock> {
    const level = new Level(path);
    try {
      await level.open();
    } catch (error) {
      await level.close();
      throw error;
    }
    return new DirectoryLock(level);
  }

  /** Idempotent. */
  async release(): Promise<void> {
    await this.#level.close();
  }
}
