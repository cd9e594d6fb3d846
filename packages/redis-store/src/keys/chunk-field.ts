import { instantAt, putInstant, wordAt } from "./fragment-field.ts";

/** Names a chunk of a host: the start of its block, and its content id. */
export interface ChunkName {
  readonly blockStartMs: number;
  readonly idHigh: number;
  readonly idLow: number;
}

/** Bytes of the field of a chunk's header; a column's has its number behind it, in four bytes. */
const chunkFieldBytes = 16;

export function chunkField({ blockStartMs, idHigh, idLow }: ChunkName): Buffer {
  const field = Buffer.allocUnsafe(chunkFieldBytes);
  putInstant(field, 0, blockStartMs);
  field.writeUInt32BE(idHigh, 8);
  field.writeUInt32BE(idLow, 12);
  return field;
}

export function columnField(chunk: Uint8Array, index: number): Buffer {
  const field = Buffer.allocUnsafe(chunkFieldBytes + 4);
  field.set(chunk);
  field.writeUInt32BE(index, chunkFieldBytes);
  return field;
}

/** Which chunk a header's field names; undefined when it is none of ours. */
export function readChunkField(field: Uint8Array): ChunkName | undefined {
  if (field.length !== chunkFieldBytes) return undefined;
  return { blockStartMs: instantAt(field, 0), idHigh: wordAt(field, 8), idLow: wordAt(field, 12) };
}
