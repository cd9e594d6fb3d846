import { Buffer } from "node:buffer";
import {
  type BlockHandle,
  contentsOf,
  encodeBlock,
  encodeHandle,
  entriesOf,
  isSoundBlock,
  readBlock,
  readHandle,
  trailerBytes,
} from "./block.ts";
import { scanBlocks } from "./block-scan.ts";
import { damageFrom } from "./errors.ts";
import type { LevelDbFiles, OpenFile } from "./files.ts";
import type { TableEntry } from "./manifest.ts";
import { VarintReader } from "./varint.ts";

const footerBytes = 48;
const magic = Buffer.from("57fb808b247547db", "hex");
/** Sequence and kind, after the user's key. */
const suffixBytes = 8;

/** A block of entries. */
export interface DataBlock extends BlockHandle {
  /** Above all keys of the block and below those of the next, or one of either, with LevelDB's suffix. */
  readonly separator: Uint8Array;
}

/** What a table says of itself. */
export interface TableStructure {
  /** In order of key. */
  readonly blocks: readonly DataBlock[];
  /** What is damaged that the entries do not need, or that was made anew from them; undefined when all is sound. */
  readonly problem: string | undefined;
}

/** The keys that a block may have, as the user of LevelDB knows them, both ends included. */
export interface KeySpan {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** A key without LevelDB's suffix. */
export function userKey(key: Uint8Array): Uint8Array {
  return key.subarray(0, Math.max(0, key.length - suffixBytes));
}

/** The keys that a block of a table may have. */
export function spanOf(
  { smallest, largest }: TableEntry,
  { blocks }: TableStructure,
  index: number,
): KeySpan {
  return {
    from: userKey(index === 0 ? smallest : blocks[index - 1]!.separator),
    to: userKey(index === blocks.length - 1 ? largest : blocks[index]!.separator),
  };
}

/**
 * Reads and verifies what a table has besides its entries (doc/table_format.md of LevelDB): footer, index and filter. Few
 * and small reads. The blocks of entries are not looked at; see {@link isSoundBlock}.
 *
 * @throws {RangeError} when footer or index are damaged
 */
export async function readStructure(file: OpenFile): Promise<TableStructure> {
  const { metaIndex, index } = await readFooter(file);
  const blocks = dataBlocksOf(await readBlock(file, index));
  try {
    for (const [, value] of entriesOf(await readBlock(file, metaIndex))) {
      await readBlock(file, readHandle(new VarintReader(value)));
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return { blocks, problem: `its filter: ${cause.message}` };
  }
  return { blocks, problem: undefined };
}

async function readFooter(file: OpenFile): Promise<{ metaIndex: BlockHandle; index: BlockHandle }> {
  if (file.bytes < footerBytes) throw new RangeError("expected a table, got fewer bytes than its end has");
  const footer = await file.read(file.bytes - footerBytes, footerBytes);
  if (!footer.subarray(-magic.length).equals(magic)) throw new RangeError("expected the end of a table");
  const reader = new VarintReader(footer);
  return { metaIndex: readHandle(reader), index: readHandle(reader) };
}

function dataBlocksOf(index: Buffer): DataBlock[] {
  return Array.from(entriesOf(index), ([separator, value]) => ({
    ...readHandle(new VarintReader(value)),
    separator,
  }));
}

/**
 * Finds the blocks of a table whose footer or index is damaged, by their checksums. O(bytes), and that much memory.
 *
 * @throws {RangeError} when more is damaged than that
 */
export async function recoverStructure(file: OpenFile, turn: LevelDbFiles["turn"]): Promise<TableStructure> {
  const bytes = await file.read(0, file.bytes);
  const footer = file.bytes - footerBytes;
  const index = (await scanBlocks(bytes, footer, turn)).at(-1);
  if (index !== undefined && endOf(index) === footer) {
    // The index is sound, so it is the footer that does not lead there.
    return { blocks: dataBlocksOf(await readBlock(file, index)), problem: "its end is damaged" };
  }
  const { metaIndex } = await readFooter(file);
  let end = metaIndex.offset;
  for (const [, value] of entriesOf(await readBlock(file, metaIndex))) {
    end = Math.min(end, readHandle(new VarintReader(value)).offset);
  }
  const handles = await scanBlocks(bytes, end, turn);
  const last = handles.at(-1);
  if (last === undefined || endOf(last) !== end) {
    throw new RangeError("expected sound blocks up to the filter");
  }
  const blocks = handles.map((handle) => {
    const block = bytes.subarray(handle.offset, handle.offset + handle.bytes + trailerBytes);
    let separator: Uint8Array | undefined;
    for (const [key] of entriesOf(contentsOf(block, handle.bytes))) separator = key;
    if (separator === undefined)
      throw new RangeError(`expected entries in the block at byte ${handle.offset}`);
    return { ...handle, separator };
  });
  return { blocks, problem: "its index is damaged" };
}

function endOf({ offset, bytes }: BlockHandle): number {
  return offset + bytes + trailerBytes;
}

/**
 * Verifies the checksum of every block of a table, filter included, which LevelDB itself does only when told to, and its
 * binding for Node cannot tell it to. O(bytes).
 *
 * @throws {LevelDbError} LEVELDB_DAMAGED
 */
export async function assertSoundTable(
  file: OpenFile,
  path: string,
  turn: LevelDbFiles["turn"],
): Promise<void> {
  try {
    const { blocks, problem } = await readStructure(file);
    if (problem !== undefined) throw new RangeError(problem);
    for (const block of blocks) {
      if (await isSoundBlock(file, block, turn)) continue;
      throw new RangeError(`expected another checksum of the block at byte ${block.offset}`);
    }
  } catch (cause) {
    throw damageFrom(cause, path);
  }
}

/** A table of some blocks of another: its first bytes as they are, and another end. */
export interface TableRemains {
  /** How many bytes are kept. */
  readonly keptBytes: number;
  readonly end: Buffer;
}

/**
 * Makes a table of some blocks of another, which stay where they are, so that LevelDB does not meet the others. It has no
 * filter, which LevelDB can do without. Entries are not looked into: they keep their sequence numbers, so that newer and
 * older ones of other tables stand to them as before.
 *
 * @param blocks - at least one
 */
export function remainsOf(blocks: readonly DataBlock[]): TableRemains {
  const keptBytes = Math.max(...blocks.map(endOf));
  const metaIndex = encodeBlock([]);
  const index = encodeBlock(blocks.map((block) => [block.separator, encodeHandle(block)]));
  const footer = Buffer.alloc(footerBytes);
  const handles = Buffer.concat([
    encodeHandle({ offset: keptBytes, bytes: metaIndex.length - trailerBytes }),
    encodeHandle({ offset: keptBytes + metaIndex.length, bytes: index.length - trailerBytes }),
  ]);
  handles.copy(footer);
  magic.copy(footer, footerBytes - magic.length);
  return { keptBytes, end: Buffer.concat([metaIndex, index, footer]) };
}
