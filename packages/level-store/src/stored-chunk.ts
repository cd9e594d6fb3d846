import { Chunk, type Partition, StoreError } from "@mon/store";
import { parseChunkKey } from "./chunk-key.ts";
import type { Database, KeyRange, Snapshot } from "./database.ts";
import { unseal } from "./record.ts";

/** A chunk as it is in LevelDB. */
export interface StoredChunk {
  readonly key: Uint8Array;
  /** The record, checksum and all. */
  readonly value: Uint8Array;
  readonly partition: Partition;
  readonly chunk: Chunk;
}

/**
 * Chunks of a range of keys, each with its checksum verified. One that does not pass is not given; it is named to
 * `onDamage`.
 */
export async function* scanChunks(
  database: Database,
  range: KeyRange,
  onDamage: (reason: string) => void,
  snapshot?: Snapshot,
): AsyncGenerator<StoredChunk[]> {
  const options = snapshot === undefined ? { onDamage } : { onDamage, snapshot };
  for await (const entries of database.scan(range, options)) {
    const chunks: StoredChunk[] = [];
    for (const [key, value] of entries) {
      const chunk = storedChunk(key, value, onDamage);
      if (chunk !== undefined) chunks.push(chunk);
    }
    yield chunks;
  }
}

/** The chunk of a record; undefined when it is not what was written, which is named to `onDamage`. */
export function storedChunk(
  key: Uint8Array,
  value: Uint8Array,
  onDamage: (reason: string) => void,
): StoredChunk | undefined {
  const partition = parseChunkKey(key);
  const payload = unseal(key, value);
  if (partition === undefined || payload === undefined) {
    onDamage(describeChunk(partition));
    return undefined;
  }
  try {
    return { key, value, partition, chunk: Chunk.parse(payload) };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    onDamage(`${describeChunk(partition)}: ${error.message}`);
    return undefined;
  }
}

function describeChunk(partition: Partition | undefined): string {
  if (partition === undefined) return "a chunk whose key is not what was written";
  const { hostId, blockStartMs } = partition;
  return `a chunk of ${hostId} from ${new Date(blockStartMs).toISOString()} does not pass its checksum`;
}
