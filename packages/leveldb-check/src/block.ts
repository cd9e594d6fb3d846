import { Buffer } from "node:buffer";
import { crc32c, masked } from "./crc32c.ts";
import { type OpenFile, turnBytes } from "./files.ts";
import { unsnappy } from "./snappy.ts";
import { VarintReader, varint } from "./varint.ts";

/** Kind of compression and checksum after each block. */
export const trailerBytes = 5;

/** Where a block is: its bytes do not count what follows each. */
export interface BlockHandle {
  readonly offset: number;
  readonly bytes: number;
}

export function readHandle(reader: VarintReader): BlockHandle {
  return { offset: reader.integer(), bytes: reader.integer() };
}

export function encodeHandle({ offset, bytes }: BlockHandle): Uint8Array {
  return Buffer.concat([varint(offset), varint(bytes)]);
}

/** Whether a block passes its checksum. Reads a piece at a time. */
export async function isSoundBlock(
  file: OpenFile,
  { offset, bytes }: BlockHandle,
  turn: (bytes: number) => Promise<void>,
): Promise<boolean> {
  const end = offset + bytes + 1;
  if (end + 4 > file.bytes) return false;
  let crc = 0;
  let at = offset;
  // All but the last piece, which has the checksum behind it.
  for (; end + 4 - at > turnBytes; ) {
    const piece = await file.read(at, Math.min(turnBytes, end - at));
    crc = crc32c(piece, 0, piece.length, crc);
    at += piece.length;
    await turn(piece.length);
  }
  const piece = await file.read(at, end + 4 - at);
  crc = crc32c(piece, 0, end - at, crc);
  await turn(piece.length);
  return masked(crc) === piece.readUInt32LE(end - at);
}

/** The contents of a block. @throws {RangeError} when it does not pass its checksum */
export async function readBlock(file: OpenFile, { offset, bytes }: BlockHandle): Promise<Buffer> {
  if (offset + bytes + trailerBytes > file.bytes) {
    throw new RangeError(`expected a block at byte ${offset}, got the end`);
  }
  const block = await file.read(offset, bytes + trailerBytes);
  if (masked(crc32c(block, 0, bytes + 1)) !== block.readUInt32LE(bytes + 1)) {
    throw new RangeError(`expected another checksum of the block at byte ${offset}`);
  }
  return contentsOf(block, bytes);
}

/** @param block - with its trailer */
export function contentsOf(block: Buffer, bytes: number): Buffer {
  const contents = block.subarray(0, bytes);
  switch (block[bytes]) {
    case 0:
      return contents;
    case 1:
      return unsnappy(contents);
    default:
      throw new RangeError(
        `expected a block that is plain or compressed by Snappy, got kind ${block[bytes]}`,
      );
  }
}

/** Keys and values of a block in order (doc/table_format.md of LevelDB). @throws {RangeError} */
export function* entriesOf(block: Buffer): Generator<[key: Buffer, value: Uint8Array]> {
  const restarts = block.length < 4 ? Number.POSITIVE_INFINITY : block.readUInt32LE(block.length - 4);
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) throw new RangeError("expected a block that ends with its restarts");
  const reader = new VarintReader(block.subarray(0, end));
  let key: Buffer = Buffer.alloc(0);
  while (!reader.done) {
    const shared = reader.integer();
    const keyBytes = reader.integer();
    const valueBytes = reader.integer();
    if (shared > key.length) throw new RangeError("expected a key that goes on from the one before");
    key = Buffer.concat([key.subarray(0, shared), reader.take(keyBytes)]);
    yield [key, reader.take(valueBytes)];
  }
}

/** A plain block with its trailer, in which no key leans on the one before. */
export function encodeBlock(entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): Buffer {
  const parts: Uint8Array[] = [];
  const restarts: number[] = [];
  let at = 0;
  for (const [key, value] of entries) {
    restarts.push(at);
    const entry = Buffer.concat([varint(0), varint(key.length), varint(value.length), key, value]);
    parts.push(entry);
    at += entry.length;
  }
  // A block without entries has a restart all the same.
  if (restarts.length === 0) restarts.push(0);
  const tail = Buffer.alloc(4 * restarts.length + 4 + trailerBytes);
  for (const [i, restart] of restarts.entries()) tail.writeUInt32LE(restart, 4 * i);
  tail.writeUInt32LE(restarts.length, 4 * restarts.length);
  const block = Buffer.concat([...parts, tail]);
  block.writeUInt32LE(masked(crc32c(block, 0, block.length - 4)), block.length - 4);
  return block;
}
