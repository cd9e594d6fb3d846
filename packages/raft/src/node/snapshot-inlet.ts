import { crc32 } from "node:zlib";
import { RaftError } from "../errors.ts";
import type { SnapshotMessage } from "../message.ts";
import type { SnapshotStore } from "../snapshot-store.ts";

/** Stores snapshots that other nodes send, one at a time, and none whose bytes are not what the message says. */
export class SnapshotInlet {
  readonly #snapshots: SnapshotStore;
  #busy = false;

  constructor(snapshots: SnapshotStore) {
    this.#snapshots = snapshots;
  }

  /**
   * Resolves when the snapshot is durable.
   *
   * @throws {RaftError} RAFT_BUSY while another is being received; RAFT_SNAPSHOT_CORRUPT when size or checksum differ
   */
  async receive({ snapshot }: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#busy) {
      throw new RaftError("RAFT_BUSY", "expected one snapshot at a time, got a second");
    }
    this.#busy = true;
    try {
      const sink = await this.#snapshots.create(snapshot);
      try {
        let sum = 0;
        let sizeBytes = 0;
        for await (const chunk of chunks) {
          sizeBytes += chunk.byteLength;
          if (sizeBytes > snapshot.sizeBytes) {
            break;
          }
          sum = crc32(chunk, sum);
          await sink.write(chunk);
        }
        if (sizeBytes !== snapshot.sizeBytes || sum !== snapshot.crc32) {
          throw new RaftError(
            "RAFT_SNAPSHOT_CORRUPT",
            `expected ${snapshot.sizeBytes} bytes with checksum ${snapshot.crc32}, got ${sizeBytes} with ${sum}`,
            { index: snapshot.index },
          );
        }
        await sink.commit();
      } catch (error) {
        await sink.abort();
        throw error;
      }
    } finally {
      this.#busy = false;
    }
  }
}
