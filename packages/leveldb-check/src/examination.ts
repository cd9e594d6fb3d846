import type { Buffer } from "node:buffer";
import { currentManifest } from "./current.ts";
import { LevelDbError } from "./errors.ts";
import { fileName, type LevelDbFiles, tableName, turnBytes } from "./files.ts";
import { type Manifest, manifestOf } from "./manifest.ts";
import { endsWith, type Fault, recordsOf } from "./record-log.ts";
import { assertSoundTable } from "./table.ts";

/** What an examination read. */
export interface Examination {
  /** Bytes of LevelDB's files. */
  readonly bytes: number;
  /** Bytes at the end of the log that belong to a batch which was not written to its end; LevelDB drops them. */
  readonly tornBytes: number;
}

/** What an examination knows of the LevelDB's user. */
export interface ExaminationOptions {
  /** The bytes that end each batch. */
  readonly mark: Uint8Array;
  /** Whether nothing was ever acknowledged, so that files may be missing. */
  readonly mayBeNew: boolean;
}

/**
 * Verifies every file of a LevelDB that is in use, before LevelDB opens them: it skips damaged records of its log without a
 * word, gives flipped bits of a table out as data, and takes a directory without CURRENT for a new one. Changes nothing.
 *
 * A batch that was being written when the machine stopped is told from damage: an interrupted write leaves a file that ends
 * too early, or zeros where sectors were not written. That needs batches that are synced one after another, each with a
 * mark at its end. O(bytes of the files).
 *
 * @throws {LevelDbError} LEVELDB_DAMAGED naming the file, or what reading throws
 */
export async function examine(
  files: LevelDbFiles,
  { mark, mayBeNew }: ExaminationOptions,
): Promise<Examination> {
  const names = await files.names();
  const manifestName = await currentManifest(files, names, mayBeNew);
  if (manifestName === undefined) return { bytes: 0, tornBytes: 0 };
  const manifestFile = await files.readFile(manifestName);
  const manifest = manifestOf(manifestFile, `${files.path}/${manifestName}`);
  const tableBytes = await examineTables(files, names, manifest);
  const logs = await examineLogs(files, names, manifest, mark);
  return { bytes: manifestFile.length + tableBytes + logs.bytes, tornBytes: logs.tornBytes };
}

async function examineTables(
  files: LevelDbFiles,
  names: readonly string[],
  { tables }: Manifest,
): Promise<number> {
  let total = 0;
  for (const { number, bytes } of tables.values()) {
    const name = tableName(number, names);
    if (name === undefined) {
      throw new LevelDbError(files.path, `expected a table ${fileName(number, "ldb")}, got none`);
    }
    const path = `${files.path}/${name}`;
    const file = await files.open(name);
    try {
      if (file.bytes !== bytes) throw new LevelDbError(path, `expected ${bytes} bytes, got ${file.bytes}`);
      await assertSoundTable(file, path, (size) => files.turn(size));
    } finally {
      await file.close();
    }
    total += bytes;
  }
  return total;
}

async function examineLogs(
  files: LevelDbFiles,
  names: readonly string[],
  { logNumber, previousLogNumber }: Manifest,
  mark: Uint8Array,
): Promise<Examination> {
  const numbers = names
    .flatMap((name) => /^(\d+)\.log$/.exec(name)?.[1] ?? [])
    .map(Number)
    .filter((number) => number >= logNumber || (previousLogNumber > 0 && number === previousLogNumber))
    .sort((a, b) => a - b);
  if (logNumber > 0 && !numbers.includes(logNumber)) {
    throw new LevelDbError(files.path, `expected a log numbered ${logNumber}, got none`);
  }
  let bytes = 0;
  let tornBytes = 0;
  for (const number of numbers) {
    const name = fileName(number, "log");
    const path = `${files.path}/${name}`;
    const file = await files.readFile(name);
    bytes += file.length;
    // Every batch is synced before the next one begins, so nothing follows one that is torn. An empty log may: LevelDB
    // makes it when it opens, and then the machine may stop again, or the disk be full.
    if (tornBytes > 0 && file.length > 0) {
      throw new LevelDbError(
        path,
        `expected nothing after a batch that is not whole, got ${file.length} bytes`,
      );
    }
    const fault = await firstFault(file, (size) => files.turn(size));
    if (fault === undefined) continue;
    if (!isTorn(file, fault, mark)) {
      throw new LevelDbError(path, `expected sound records, got a wrong one at byte ${fault.recordStart}`);
    }
    tornBytes = file.length - fault.recordStart;
  }
  return { bytes, tornBytes };
}

async function firstFault(file: Buffer, turn: LevelDbFiles["turn"]): Promise<Fault | undefined> {
  const records = recordsOf(file);
  let sinceTurn = 0;
  for (;;) {
    const { done, value } = records.next();
    if (done) return value;
    sinceTurn += value.length;
    if (sinceTurn < turnBytes) continue;
    await turn(sinceTurn);
    sinceTurn = 0;
  }
}

/** What a disk writes whole or not at all. */
const sectorBytes = 512;

/** Fewer zero bytes than this at the start of a record may be a checksum by chance. */
const tellingBytes = 4;

/**
 * Whether a fault is the trace of a write that was interrupted, not of damage. An interrupted write leaves a file that
 * ends too early, or that has zeros where sectors were not written; a flipped bit or a stray write leaves the rest as it was,
 * and so the mark at the end of the batch.
 */
function isTorn(file: Buffer, { recordStart, isCut }: Fault, mark: Uint8Array): boolean {
  const marked = file.indexOf(mark, recordStart);
  if (marked >= 0 && marked + mark.length < file.length) return false;
  if (endsWith(file, mark)) return hasZeroSector(file, recordStart);
  return isCut || file.at(-1) === 0 || hasZeroSector(file, recordStart);
}

function hasZeroSector(file: Buffer, recordStart: number): boolean {
  for (let at = recordStart; at < file.length; ) {
    const end = Math.min(file.length, at - (at % sectorBytes) + sectorBytes);
    if (end - at >= tellingBytes && file.subarray(at, end).every((byte) => byte === 0)) return true;
    at = end;
  }
  return false;
}
