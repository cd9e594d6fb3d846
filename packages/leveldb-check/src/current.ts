import { LevelDbError } from "./errors.ts";
import type { LevelDbFiles } from "./files.ts";

/**
 * The name of the MANIFEST in use, as the file CURRENT has it; undefined in a directory that may be new and has no CURRENT.
 *
 * @param mayBeNew - whether CURRENT may be missing
 * @throws {LevelDbError} LEVELDB_DAMAGED when it names no file that is there
 */
export async function currentManifest(
  files: LevelDbFiles,
  names: readonly string[],
  mayBeNew: boolean,
): Promise<string | undefined> {
  const current = names.includes("CURRENT") ? (await files.readFile("CURRENT")).toString("latin1") : "";
  if (current === "") {
    if (mayBeNew) return undefined;
    throw new LevelDbError(files.path, "expected a file CURRENT, got none");
  }
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
  if (name !== undefined && names.includes(name)) return name;
  throw new LevelDbError(
    `${files.path}/CURRENT`,
    `expected the name of a file, got ${JSON.stringify(current)}`,
  );
}
