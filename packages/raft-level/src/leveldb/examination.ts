import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { corrupt } from "../failure.ts";
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

/**
 * Verifies every file of a LevelDB that is in use, before LevelDB opens them: it skips damaged records of its log without a
 * word, gives flipped bits of a table out as data, and takes a directory without CURRENT for a new one. Changes nothing.
 *
 * A batch that was being written when the machine stopped is told from damage: see {@link isTorn}. O(bytes of the files).
 *
 * @param mark - the bytes that end each batch
 * @param mayBeNew - whether nothing was ever acknowledged, so that files may be missing
 * @throws {RaftError} RAFT_LOG_CORRUPT naming the file, or what the file system throws
 */
export async function examine(directory: string, mark: Uint8Array, mayBeNew: boolean): Promise<Examination> {
  const names = await readdir(directory);
  const current = names.includes("CURRENT") ? await readFile(join(directory, "CURRENT"), "latin1") : "";
  if (current === "") {
    if (mayBeNew) return { bytes: 0, tornBytes: 0 };
    throw corrupt(`${directory}: expected a file CURRENT, got none`);
  }
  const manifestName = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
  if (manifestName === undefined || !names.includes(manifestName)) {
    throw corrupt(
      `${join(directory, "CURRENT")}: expected the name of a file, got ${JSON.stringify(current)}`,
    );
  }
  const manifestFile = await readFile(join(directory, manifestName));
  const manifest = manifestOf(manifestFile, join(directory, manifestName));
  const tableBytes = await examineTables(directory, names, manifest);
  const logs = await examineLogs(directory, names, manifest, mark);
  return { bytes: manifestFile.length + tableBytes + logs.bytes, tornBytes: logs.tornBytes };
}

async function examineTables(
  directory: string,
  names: readonly string[],
  { tables }: Manifest,
): Promise<number> {
  let total = 0;
  for (const [number, bytes] of tables) {
    const stem = String(number).padStart(6, "0");
    const name = [`${stem}.ldb`, `${stem}.sst`].find((candidate) => names.includes(candidate));
    if (name === undefined) throw corrupt(`${directory}: expected a table ${stem}.ldb, got none`);
    const path = join(directory, name);
    const file = await readFile(path);
    if (file.length !== bytes) throw corrupt(`${path}: expected ${bytes} bytes, got ${file.length}`);
    assertSoundTable(file, path);
    total += bytes;
  }
  return total;
}

async function examineLogs(
  directory: string,
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
    throw corrupt(`${directory}: expected a log numbered ${logNumber}, got none`);
  }
  let bytes = 0;
  let tornBytes = 0;
  for (const number of numbers) {
    const path = join(directory, `${String(number).padStart(6, "0")}.log`);
    const file = await readFile(path);
    bytes += file.length;
    // Every batch is synced before the next one begins, so nothing follows one that is torn. An empty log may: LevelDB
    // makes it when it opens, and then the machine may stop again, or the disk be full.
    if (tornBytes > 0 && file.length > 0) {
      throw corrupt(`${path}: expected nothing after a batch that is not whole, got ${file.length} bytes`);
    }
    const fault = await firstFault(file);
    if (fault === undefined) continue;
    if (!isTorn(file, fault, mark)) {
      throw corrupt(`${path}: expected sound records, got a wrong one at byte ${fault.recordStart}`);
    }
    tornBytes = file.length - fault.recordStart;
  }
  return { bytes, tornBytes };
}

/** How many bytes are checked in one turn of the event loop. */
const turnBytes = 1024 * 1024;

async function firstFault(file: Buffer): Promise<Fault | undefined> {
  const records = recordsOf(file);
  let sinceTurn = 0;
  for (;;) {
    const { done, value } = records.next();
    if (done) return value;
    sinceTurn += value.length;
    if (sinceTurn < turnBytes) continue;
    sinceTurn = 0;
    await setImmediate();
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
