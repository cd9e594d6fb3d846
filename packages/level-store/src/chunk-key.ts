import type { Partition } from "@mon/store";
import type { KeyRange } from "./database.ts";
import { getInteger, numberKey, putInteger, space, viewOf } from "./key.ts";

/** What the key of a chunk says, and that of its note in the space `q`. */
export interface ChunkKey extends Partition {
  readonly idHigh: number;
  readonly idLow: number;
}

/** Where the host's id begins, after space and block. */
const hostOffset = 1 + 8;
/** Bytes after the host's id: a zero byte and the chunk's id. */
const tailBytes = 1 + 8;

/** The key of a chunk, or with `space.unpacked` of the note that it is to be packed. */
export function chunkKey({ hostId, blockStartMs, idHigh, idLow }: ChunkKey, first: number): Uint8Array {
  const key = partitionPrefix({ hostId, blockStartMs }, first, tailBytes);
  const view = viewOf(key);
  view.setUint32(key.length - 8, idHigh);
  view.setUint32(key.length - 4, idLow);
  return key;
}

function partitionPrefix({ hostId, blockStartMs }: Partition, first: number, room: number): Uint8Array {
  const key = new Uint8Array(hostOffset + hostId.length + room);
  key[0] = first;
  putInteger(viewOf(key), 1, blockStartMs);
  for (let i = 0; i < hostId.length; i++) key[hostOffset + i] = hostId.charCodeAt(i);
  return key;
}

/** Reads a chunk's key; undefined when the bytes are none. */
export function parseChunkKey(key: Uint8Array): ChunkKey | undefined {
  const tail = key.length - tailBytes;
  if (tail <= hostOffset || key[tail] !== 0) return undefined;
  const view = viewOf(key);
  return {
    blockStartMs: getInteger(view, 1),
    hostId: String.fromCharCode(...key.subarray(hostOffset, tail)),
    idHigh: view.getUint32(tail + 1),
    idLow: view.getUint32(tail + 5),
  };
}

/** The keys of a partition. */
export function partitionRange(partition: Partition, first: number): KeyRange {
  const gte = partitionPrefix(partition, first, 1);
  const lt = gte.slice();
  // In place of the zero byte after the host id; no id holds so low a character.
  lt[lt.length - 1] = 1;
  return { gte, lt };
}

/** The least key after those of the partition that a key belongs to. */
export function firstKeyAfterPartition(key: Uint8Array): Uint8Array {
  const prefix = key.slice(0, key.length - tailBytes + 1);
  prefix[prefix.length - 1] = 1;
  return prefix;
}

/** The least key of any host whose block begins at `blockStartMs` or later. */
export function firstKeyOfBlock(blockStartMs: number, first: number = space.chunk): Uint8Array {
  return numberKey(first, blockStartMs);
}
