import {
  currentManifest,
  LevelDbError,
  type LevelDbFiles,
  manifestOf,
  type TableEntry,
  tableName,
} from "@mon/leveldb-check";
import type { Contents } from "./contents.ts";
import { describeLoss } from "./damage.ts";
import { endOfSpace, singleKey, space } from "./key.ts";
import { levelFiles } from "./level-files.ts";
import { storedChunk } from "./stored-chunk.ts";
import { examineTable, type TableReport } from "./table-examination.ts";

/** What a verification found. */
export interface Verification {
  readonly bytes: number;
  readonly damage: readonly string[];
}

/** What a verification needs. */
export interface VerificationDeps {
  readonly contents: Contents;
  /** Told the number of each table that is damaged, once what it may have held is noted. */
  readonly onSuspect: (number: number) => void;
  /** Told how many bytes were read; waits as long as they may take. Rejects to end the verification. */
  readonly pace: (bytes: number) => Promise<void>;
}

/**
 * Verifies what LevelDB has while it is in use: the checksums of its tables, which never change once they are there; and
 * then each chunk's own, which goes with it through compactions, so that one that LevelDB read damaged and wrote anew is
 * found as well. What a damaged table may have held is noted, and named by reads, before this resolves.
 */
export async function verifyContents({ contents, onSuspect, pace }: VerificationDeps): Promise<Verification> {
  const { database } = contents;
  let bytes = 0;
  const files = levelFiles(database.directory, async (size) => {
    bytes += size;
    await pace(size);
  });
  const damage: string[] = [];
  const complain = (complaint: string): void => {
    contents.complain(complaint);
    damage.push(complaint);
  };
  let isSound = true;
  for (const table of await tablesInUse(files, complain)) {
    const report = await examineIfThere(files, table);
    if (report === undefined || report.isSound) continue;
    await database.tableLosses.add(report.name, report.losses);
    damage.push(...report.losses.map(describeLoss));
    onSuspect(table.number);
    isSound = false;
  }
  // LevelDB had better not read them.
  if (!isSound) return { bytes, damage };
  for await (const size of chunkSizes(contents, complain)) {
    bytes += size;
    await pace(size);
  }
  return { bytes, damage };
}

/** LevelDB adds to its manifest meanwhile; an end that is not whole is not yet in force. */
async function tablesInUse(
  files: LevelDbFiles,
  complain: (complaint: string) => void,
): Promise<TableEntry[]> {
  try {
    const name = await currentManifest(files, await files.names(), false);
    return [...manifestOf(await files.readFile(name!), `${files.path}/${name}`).tables.values()];
  } catch (error) {
    if (!(error instanceof LevelDbError)) throw error;
    // It was read when the directory was opened, and is not again until it is opened anew.
    complain(error.message);
    return [];
  }
}

/** @returns undefined when LevelDB has compacted it away */
async function examineIfThere(files: LevelDbFiles, table: TableEntry): Promise<TableReport | undefined> {
  const name = tableName(table.number, await files.names());
  if (name === undefined) return undefined;
  try {
    return await examineTable(files, table, name, () => true);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Verifies chunks a few at a time, so that no snapshot holds on to what is compacted meanwhile. */
async function* chunkSizes(
  { database }: Contents,
  complain: (complaint: string) => void,
): AsyncGenerator<number> {
  let gte: Uint8Array | undefined = singleKey(space.chunk);
  while (gte !== undefined) {
    let last: Uint8Array | undefined;
    let size = 0;
    const range = { gte, lt: endOfSpace(space.chunk) };
    for await (const entries of database.scan(range, { fillCache: false, onDamage: complain })) {
      for (const [key, value] of entries) {
        storedChunk(key, value, complain);
        size += key.length + value.length;
        last = key;
      }
      break;
    }
    if (size > 0) yield size;
    gte = last === undefined ? undefined : Uint8Array.of(...last, 0);
  }
}
