import { corrupt } from "../failure.ts";
import { crc32c, masked } from "./crc32c.ts";
import { VarintReader } from "./varint.ts";

const footerBytes = 48;
/** Kind of compression and checksum after each block. */
const trailerBytes = 5;
const magic = Buffer.from("57fb808b247547db", "hex");

/** Where a block is. */
interface Handle {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Verifies the checksum of every block of a table (doc/table_format.md of LevelDB), filter included, which LevelDB itself
 * does only when told to, and its binding for Node cannot tell it to.
 *
 * @param path - for messages
 * @throws {RaftError} RAFT_LOG_CORRUPT
 */
export function assertSoundTable(file: Buffer, path: string): void {
  try {
    const footer = file.length - footerBytes;
    if (footer < 0 || !file.subarray(file.length - magic.length).equals(magic)) {
      throw new RangeError("expected the end of a table");
    }
    const reader = new VarintReader(file, footer);
    const metaIndex = handleOf(reader);
    const index = handleOf(reader);
    for (const handles of [metaIndex, index]) {
      const block = blockOf(file, handles);
      // This package has LevelDB write without compression.
      if (file[handles.offset + handles.bytes] !== 0) throw new RangeError("expected a plain index");
      for (const handle of handlesIn(block)) blockOf(file, handle);
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw corrupt(`${path}: ${cause.message}`);
  }
}

function handleOf(reader: VarintReader): Handle {
  return { offset: reader.integer(), bytes: reader.integer() };
}

/** The bytes of a block. @throws {RangeError} */
function blockOf(file: Buffer, { offset, bytes }: Handle): Buffer {
  const end = offset + bytes;
  if (end + trailerBytes > file.length)
    throw new RangeError(`expected a block at byte ${offset}, got the end`);
  if (masked(crc32c(file, offset, end + 1)) !== file.readUInt32LE(end + 1)) {
    throw new RangeError(`expected another checksum of the block at byte ${offset}`);
  }
  return file.subarray(offset, end);
}

/** The handles that are the values of an index block. @throws {RangeError} */
function* handlesIn(block: Buffer): Generator<Handle> {
  const restarts = block.readUInt32LE(block.length - 4);
  const end = block.length - 4 - 4 * restarts;
  const reader = new VarintReader(block);
  while (reader.at < end) {
    reader.integer(); // bytes of the key that it shares with the one before
    const keyBytes = reader.integer();
    const valueBytes = reader.integer();
    reader.skip(keyBytes);
    const { at } = reader;
    yield handleOf(new VarintReader(block, at));
    reader.skip(valueBytes);
  }
}
