import type { Buffer } from "node:buffer";
import { type BlockHandle, trailerBytes } from "./block.ts";
import { crc32cStep, masked } from "./crc32c.ts";
import { type LevelDbFiles, turnBytes } from "./files.ts";

/**
 * Finds blocks that lie one after another from the first byte on, each by the checksum that follows it: where the checksum
 * of all bytes since the block began is what stands next, there it ends. Stops at the first that is not found. That bytes
 * within a block look like its end by chance is one in 2^39 for each byte.
 */
export async function scanBlocks(
  bytes: Buffer,
  end: number,
  turn: LevelDbFiles["turn"],
): Promise<BlockHandle[]> {
  const found: BlockHandle[] = [];
  let offset = 0;
  let crc = -1;
  let nextTurn = turnBytes;
  for (let at = 0; at + trailerBytes <= end; at++) {
    // Each byte may be the kind that ends a block.
    crc = crc32cStep(crc, bytes[at]!);
    if (bytes[at]! <= 1 && masked(~crc >>> 0) === bytes.readUInt32LE(at + 1)) {
      found.push({ offset, bytes: at - offset });
      at += trailerBytes - 1;
      offset = at + 1;
      crc = -1;
    }
    if (at < nextTurn) continue;
    nextTurn = at + turnBytes;
    await turn(turnBytes);
  }
  return found;
}
