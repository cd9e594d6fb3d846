import { constants } from "node:fs";
import { copyFile, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import {
  currentManifest,
  encodeManifest,
  fileName,
  LevelDbError,
  type LevelDbFiles,
  type Manifest,
  manifestOf,
  remainsOf,
  type TableEntry,
  tableName,
} from "@mon/leveldb-check";
import { StoreError } from "@mon/store";
import { Level } from "level";
import { syncDirectory, writeDurably } from "./durable-file.ts";
import { levelFiles } from "./level-files.ts";
import { examineTable, isOfChunks, type TableReport } from "./table-examination.ts";
import type { TableLosses } from "./table-losses.ts";

/** What an examination needs. */
export interface DirectoryExaminationDeps {
  readonly directory: string;
  readonly losses: TableLosses;
  /** Bytes of chunks that are verified at once; all that is read when the directory is opened is verified besides. */
  readonly checkBytes: number;
  /** Numbers of tables that are verified whole, since damage was seen in them. */
  readonly suspects: ReadonlySet<number>;
}

/** In Node, `level` is classic-level, whose further functions its own types leave out. */
const leveldb = Level as unknown as { repair(directory: string): Promise<void> };

/** Tables that are examined at once. */
const tablesAtOnce = 8;

/**
 * Examines the LevelDB of a directory before it is opened, and takes what is damaged out of use: LevelDB gives flipped bits
 * out as data, writes them anew with sound checksums when it compacts, and stops the process over some. What is wrong with
 * a table is noted first, and the table kept; then the table is written anew without its damaged blocks, and a manifest
 * that names the new one takes the place of the old at once.
 *
 * Verified are CURRENT, MANIFEST, what every table has besides its entries, and the entries that opening reads: all but
 * chunks; of chunks so many bytes, from the newest tables on. LevelDB's log is left to its sequence records.
 *
 * @returns what was put right, for people
 * @throws {StoreError} STORE_CORRUPT when a table is missing: it may still be put back
 */
export async function examineDirectory(deps: DirectoryExaminationDeps): Promise<readonly string[]> {
  const { directory } = deps;
  const files = levelFiles(directory);
  const names = await files.names();
  if (!names.some((name) => /^CURRENT$|^MANIFEST-|\.(ldb|sst)$/.test(name))) return [];
  const complaints: string[] = [];
  const manifest = await soundManifest(files, names, complaints);
  const damaged: TableReport[] = [];
  for await (const report of examineTables(files, manifest, deps)) if (!report.isSound) damaged.push(report);
  if (damaged.length === 0) return complaints;
  for (const { name, losses } of damaged) await deps.losses.add(name, losses);
  await replaceTables(directory, manifest, damaged);
  return complaints;
}

/** The manifest in use; when that is damaged, what can be made of the other files. */
async function soundManifest(
  files: LevelDbFiles,
  names: readonly string[],
  complaints: string[],
): Promise<Manifest> {
  const read = async (name: string): Promise<Manifest> =>
    manifestOf(await files.readFile(name), join(files.path, name));
  let damage: LevelDbError;
  try {
    return await read((await currentManifest(files, names, false))!);
  } catch (error) {
    if (!(error instanceof LevelDbError)) throw error;
    damage = error;
  }
  const candidates = names.filter((name) => /^MANIFEST-\d+$/.test(name));
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined && !damage.path.endsWith(only)) {
    const manifest = await read(only).catch(() => undefined);
    if (manifest !== undefined) {
      await writeDurably(join(files.path, "CURRENT"), Buffer.from(`${only}\n`));
      complaints.push(`${damage.message}; it names ${only} again, the only one there is`);
      return manifest;
    }
  }
  return await rebuiltManifest(files, names, damage, complaints);
}

/**
 * Has LevelDB make a manifest from its tables and log. Which tables there should be is not known then: that nothing is
 * missing is left to the sequence records. Entries keep their sequence numbers, and of what LevelDB had compacted away and
 * not yet deleted nothing comes back but what reads fold.
 */
async function rebuiltManifest(
  files: LevelDbFiles,
  names: readonly string[],
  damage: LevelDbError,
  complaints: string[],
): Promise<Manifest> {
  await keep(
    files.path,
    names.filter((name) => /^CURRENT$|^MANIFEST-\d+$/.test(name)),
  );
  await assertReadable(files, names);
  await leveldb.repair(files.path);
  complaints.push(`${damage.message}; it was made anew from the tables that there are`);
  const name = await currentManifest(files, await files.names(), false);
  return manifestOf(await files.readFile(name!), join(files.path, name!));
}

/** LevelDB reads all tables then, and must meet nothing that stops the process. */
async function assertReadable(files: LevelDbFiles, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const number = /^(\d+)\.(ldb|sst)$/.exec(name)?.[1];
    if (number === undefined) continue;
    const file = await files.open(name);
    const { bytes } = file;
    await file.close();
    const none = new Uint8Array(8);
    const table = { level: 0, number: Number(number), bytes, smallest: none, largest: none };
    const { isSound, losses } = await examineTable(files, table, name, () => true);
    if (isSound) continue;
    throw new StoreError(
      "STORE_CORRUPT",
      `${files.path}: expected sound tables to make a manifest of, got: ${losses[0]!.what}`,
    );
  }
}

/** Keeps copies of files in `damaged`. */
async function keep(directory: string, names: readonly string[]): Promise<void> {
  await mkdir(join(directory, "damaged"), { recursive: true });
  for (const name of names) {
    await copyFile(join(directory, name), join(directory, "damaged", name), constants.COPYFILE_FICLONE);
  }
}

/** Examines the tables in use, the newest first. */
async function* examineTables(
  files: LevelDbFiles,
  manifest: Manifest,
  { checkBytes, suspects }: DirectoryExaminationDeps,
): AsyncGenerator<TableReport> {
  const names = await files.names();
  const tables = [...manifest.tables.values()].sort((a, b) => b.number - a.number);
  let bytesLeft = checkBytes;
  for (let begin = 0; begin < tables.length; begin += tablesAtOnce) {
    yield* await Promise.all(
      tables.slice(begin, begin + tablesAtOnce).map((table) => {
        const name = tableName(table.number, names);
        if (name === undefined) {
          const missing = fileName(table.number, "ldb");
          throw new StoreError("STORE_CORRUPT", `${files.path}: expected a table ${missing}, got none`);
        }
        return examineTable(files, table, name, (span, bytes) => {
          if (!isOfChunks(span) || suspects.has(table.number)) return true;
          bytesLeft -= bytes;
          return bytesLeft >= 0;
        });
      }),
    );
  }
}

/** Writes tables without what is damaged, and then a manifest that names them in place of the damaged ones. */
async function replaceTables(
  directory: string,
  manifest: Manifest,
  damaged: readonly TableReport[],
): Promise<void> {
  const tables = new Map(manifest.tables);
  let number = manifest.nextFileNumber;
  for (const report of damaged) {
    tables.delete(report.table.number);
    if (report.kept.length > 0) tables.set(number, await writeRemains(directory, report, number));
    number++;
  }
  const manifestName = `MANIFEST-${String(number).padStart(6, "0")}`;
  await writeDurably(
    join(directory, manifestName),
    encodeManifest({ ...manifest, tables, nextFileNumber: number + 1 }),
  );
  // LevelDB deletes the tables and the manifest that are not in use any more when it opens.
  await writeDurably(join(directory, "CURRENT"), Buffer.from(`${manifestName}\n`));
}

async function writeRemains(
  directory: string,
  { table, name, kept }: TableReport,
  number: number,
): Promise<TableEntry> {
  const { keptBytes, end } = remainsOf(kept);
  const path = join(directory, fileName(number, "ldb"));
  await copyFile(join(directory, name), path, constants.COPYFILE_FICLONE);
  const file = await open(path, "r+");
  try {
    await file.truncate(keptBytes);
    await file.write(end, 0, end.length, keptBytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncDirectory(directory);
  return { ...table, number, bytes: keptBytes + end.length };
}
