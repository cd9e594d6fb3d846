import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { RaftError } from "@mon/raft";
import { Level } from "level";
import { failureOf } from "./failure.ts";

/**
 * Keeps a directory to one opener. Node has no file locks, but LevelDB has one that the system releases when the process
 * ends, however it ends; so this is an empty LevelDB of which only the lock counts. The log's own LevelDB cannot be the
 * lock: its files are examined before it is opened, and nobody may write to them meanwhile.
 */
export class DirectoryLock {
  readonly #level: Level;

  private constructor(level: Level) {
    this.#level = level;
  }

  /** @throws {RaftError} RAFT_STORAGE_LOCKED when somebody else has the lock; RAFT_STORAGE_FAILED */
  static async acquire(directory: string): Promise<DirectoryLock> {
    const path = join(directory, "lock");
    try {
      await mkdir(path, { recursive: true });
      try {
        return await DirectoryLock.#open(path);
      } catch (error) {
        if (failureOf(error, directory).code === "RAFT_STORAGE_LOCKED") throw error;
        // Damaged, or cut short when it was made. Nothing in it is of value but the file LOCK, and that stays.
        const names = await readdir(path);
        for (const name of names) if (name !== "LOCK") await rm(join(path, name));
        return await DirectoryLock.#open(path);
      }
    } catch (cause) {
      const { code, message } = failureOf(cause, directory);
      // Whatever is wrong here, the log is not damaged by it.
      throw new RaftError(code === "RAFT_LOG_CORRUPT" ? "RAFT_STORAGE_FAILED" : code, message, { cause });
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
