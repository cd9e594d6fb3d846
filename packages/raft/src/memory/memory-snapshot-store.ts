import { crc32 } from "node:zlib";
import type { LogPosition } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { SnapshotMeta, SnapshotPoint } from "../snapshot.ts";
import type { SnapshotSink, SnapshotStore } from "../snapshot-store.ts";

interface Stored {
  readonly meta: SnapshotMeta;
  readonly bytes: Uint8Array;
}

/** A {@link SnapshotStore} in memory. */
export class MemorySnapshotStore implements SnapshotStore {
  /** Ascending by index, then term. */
  #stored: Stored[] = [];

  async latest(): Promise<SnapshotMeta | undefined> {
    return this.#stored.at(-1)?.meta;
  }

  async create(point: SnapshotPoint): Promise<SnapshotSink> {
    let chunks: Uint8Array[] | undefined = [];
    return {
      write: async (chunk) => {
        // Not `slice`, which a Buffer does not copy with.
        chunks?.push(new Uint8Array(chunk));
      },
      commit: async () => {
        const bytes = new Uint8Array(Buffer.concat(chunks ?? []));
        chunks = undefined;
        const meta = { ...point, sizeBytes: bytes.byteLength, crc32: crc32(bytes) };
        this.#stored = this.#stored
          .filter((stored) => !samePosition(stored.meta, point))
          .concat({ meta, bytes })
          .sort((a, b) => a.meta.index - b.meta.index || a.meta.term - b.meta.term);
        return meta;
      },
      abort: async () => {
        chunks = undefined;
      },
    };
  }

  async *open(position: LogPosition): AsyncIterable<Uint8Array> {
    const found = this.#stored.find(({ meta }) => samePosition(meta, position));
    if (found === undefined) {
      throw new RaftError(
        "RAFT_SNAPSHOT_MISSING",
        `expected a snapshot at ${position.index}/${position.term}`,
        {
          index: position.index,
        },
      );
    }
    if (crc32(found.bytes) !== found.meta.crc32) {
      throw new RaftError("RAFT_SNAPSHOT_CORRUPT", `expected checksum ${found.meta.crc32}`, {
        index: position.index,
      });
    }
    yield found.bytes;
  }

  async prune(index: number): Promise<void> {
    this.#stored = this.#stored.filter(
      ({ meta }, at) => meta.index >= index || at === this.#stored.length - 1,
    );
  }

  async close(): Promise<void> {}
}

function samePosition(a: LogPosition, b: LogPosition): boolean {
  return a.index === b.index && a.term === b.term;
}
