import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { LevelDbFiles } from "@mon/leveldb-check";

/** How many bytes are checked in one turn of the event loop. */
const turnBytes = 1024 * 1024;

/** The files of a LevelDB to examine: small ones, each read at once. */
export function levelFiles(directory: string): LevelDbFiles {
  let sinceTurn = 0;
  return {
    path: directory,
    names: () => readdir(directory),
    readFile: (name) => readFile(join(directory, name)),
    async open(name) {
      const file = await readFile(join(directory, name));
      return {
        bytes: file.length,
        read: async (at, bytes) => file.subarray(at, at + bytes),
        close: async () => {},
      };
    },
    async turn(bytes) {
      sinceTurn += bytes;
      if (sinceTurn < turnBytes) return;
      sinceTurn = 0;
      await setImmediate();
    },
  };
}
