import {
  type DataBlock,
  isSoundBlock,
  type KeySpan,
  type LevelDbFiles,
  type OpenFile,
  readStructure,
  recoverStructure,
  spanOf,
  type TableEntry,
  type TableStructure,
  userKey,
} from "@mon/leveldb-check";
import { blockMs } from "@mon/store";
import type { Loss } from "./damage.ts";
import { getInteger, maxInstantMs, space, viewOf } from "./key.ts";

/** What an examination of a table found. */
export interface TableReport {
  readonly table: TableEntry;
  /** The file's name. */
  readonly name: string;
  /** What of it can be read; empty when nothing can, or when there is nothing wrong and it stays as it is. */
  readonly kept: readonly DataBlock[];
  /** Whether the file is as LevelDB wrote it. */
  readonly isSound: boolean;
  /** What is damaged, each with the instants that it may have held; of a filter or an index it held none. */
  readonly losses: readonly Loss[];
  /** Bytes that were read. */
  readonly bytes: number;
}

/** Which blocks of entries are to be verified; footer, index and filter always are. */
export type BlockChoice = (span: KeySpan, bytes: number) => boolean;

/**
 * Examines a table by the checksums that LevelDB gave it.
 *
 * @throws what reading throws
 */
export async function examineTable(
  files: LevelDbFiles,
  table: TableEntry,
  name: string,
  choose: BlockChoice,
): Promise<TableReport> {
  const file = await files.open(name);
  try {
    if (file.bytes !== table.bytes) {
      return lostTable(table, name, `it has ${file.bytes} bytes and not ${table.bytes}`);
    }
    let structure: TableStructure;
    try {
      structure = await structureOf(file, files);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return lostTable(table, name, error.message);
    }
    return await examineBlocks(file, structure, { files, table, name, choose });
  } finally {
    await file.close();
  }
}

async function structureOf(file: OpenFile, files: LevelDbFiles): Promise<TableStructure> {
  try {
    return await readStructure(file);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return await recoverStructure(file, (bytes) => files.turn(bytes));
  }
}

interface BlockExamination {
  readonly files: LevelDbFiles;
  readonly table: TableEntry;
  readonly name: string;
  readonly choose: BlockChoice;
}

async function examineBlocks(
  file: OpenFile,
  structure: TableStructure,
  { files, table, name, choose }: BlockExamination,
): Promise<TableReport> {
  const { blocks, problem } = structure;
  const losses: Loss[] = [];
  const kept: DataBlock[] = [];
  let bytes = 0;
  if (problem !== undefined) losses.push(lossOfNothing(`${name}: ${problem}; nothing of it is missing`));
  for (const [index, block] of blocks.entries()) {
    const span = spanOf(table, structure, index);
    // Where something is wrong with a table nothing of it is taken on trust.
    const isChosen = problem !== undefined || choose(span, block.bytes);
    if (isChosen) bytes += block.bytes;
    if (!isChosen || (await isSoundBlock(file, block, (size) => files.turn(size)))) kept.push(block);
    else losses.push(lossOf(span, `${name}: a block at byte ${block.offset} does not pass its checksum`));
  }
  return { table, name, kept, isSound: losses.length === 0, losses, bytes };
}

function lostTable(table: TableEntry, name: string, reason: string): TableReport {
  const span = { from: userKey(table.smallest), to: userKey(table.largest) };
  const losses = [lossOf(span, `${name}: ${reason}; none of it can be read`)];
  return { table, name, kept: [], isSound: false, losses, bytes: 0 };
}

/** What a block may have held that has keys of a span. */
function lossOf({ from, to }: KeySpan, what: string): Loss {
  const startMs = instantOf(from, -maxInstantMs);
  const endMs = Math.min(instantOf(to, maxInstantMs) + blockMs - 1, maxInstantMs);
  const holdsChunks = (from[0] ?? 0) <= space.chunk && (to[0] ?? 0) >= space.chunk;
  if (!holdsChunks) return lossOfNothing(`${what}; it held no samples`);
  const since = startMs === -maxInstantMs ? "of any time" : `from ${iso(startMs)}`;
  const until = endMs === maxInstantMs ? "" : ` to ${iso(endMs)}`;
  return tableLoss(`${what}; samples ${since}${until} may be missing`, startMs, endMs);
}

/** Damage that no sample is lost by. */
function lossOfNothing(what: string): Loss {
  return tableLoss(what, maxInstantMs, -maxInstantMs);
}

export function tableLoss(what: string, startMs: number, endMs: number): Loss {
  return { of: "table", firstSequence: 0, lastSequence: 0, fromWallMs: 0, toWallMs: 0, startMs, endMs, what };
}

/** The block start that a chunk's key has, which may be cut short; another when it is no chunk's. */
function instantOf(key: Uint8Array, otherwise: number): number {
  if (key[0] !== space.chunk) return otherwise;
  const whole = new Uint8Array(9);
  whole.set(key.subarray(0, 9));
  return Math.max(-maxInstantMs, Math.min(getInteger(viewOf(whole), 1), maxInstantMs));
}

/** Whether a block has chunks only, which are not read when a directory is opened. */
export function isOfChunks({ from, to }: KeySpan): boolean {
  return from[0] === space.chunk && to[0] === space.chunk;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
