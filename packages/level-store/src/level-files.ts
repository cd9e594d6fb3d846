import { constants } from "node:fs";
import { type FileHandle, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LevelDbFiles } from "@mon/leveldb-check";

/** The files of a LevelDB's directory, to examine. @param turn - by default lets others run after each piece */
export function levelFiles(directory: string, turn: LevelDbFiles["turn"] = breathe): LevelDbFiles {
  return {
    path: directory,
    turn,
    names: () => readdir(directory),
    readFile: (name) => readFile(join(directory, name)),
    async open(name) {
      const file = await open(join(directory, name), constants.O_RDONLY);
      try {
        const { size } = await file.stat();
        return { bytes: size, read: (at, bytes) => readExactly(file, at, bytes), close: () => file.close() };
      } catch (error) {
        await file.close();
        throw error;
      }
    },
  };
}

async function breathe(): Promise<void> {
  await nextTurn();
}

/** @throws {RangeError} when the file has fewer bytes */
async function readExactly(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let filled = 0; filled < bytes; ) {
    const { bytesRead } = await file.read(buffer, filled, bytes - filled, at + filled);
    if (bytesRead === 0) throw new RangeError(`expected ${bytes} bytes at byte ${at}, got ${filled}`);
    filled += bytesRead;
  }
  return buffer;
}
