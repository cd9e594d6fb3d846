import type { LogPosition } from "./entry.ts";
import type { SnapshotMeta, SnapshotPoint } from "./snapshot.ts";

/** Takes the bytes of a snapshot that is being written. One call at a time. */
export interface SnapshotSink {
  /** Adds bytes; resolves when more may come. The caller may reuse `chunk` afterwards. */
  write(chunk: Uint8Array): Promise<void>;

  /**
   * Makes the snapshot durable and visible, in one step: before it a crash leaves no trace of it, after it the
   * snapshot is whole. Replaces one of the same position.
   *
   * @throws {RaftError} RAFT_STORAGE_FAILED when the disk is full or fails; nothing is visible then
   */
  commit(): Promise<SnapshotMeta>;

  /** Drops what was written. May be called after a failure, and twice; after `commit` it does nothing. */
  abort(): Promise<void>;
}

/** Keeps snapshots of the state machine. Several may be read and one or more written at once. */
export interface SnapshotStore {
  /**
   * The newest snapshot that is whole, by index and then term, or undefined. Its bytes are checked when they are
   * read.
   *
   * Called before all else; also clears away what a crash left half written.
   *
   * @throws {RaftError} RAFT_SNAPSHOT_CORRUPT when the newest one cannot be recognised
   */
  latest(): Promise<SnapshotMeta | undefined>;

  /** Begins a snapshot of the state at `point`. */
  create(point: SnapshotPoint): Promise<SnapshotSink>;

  /**
   * Reads the bytes of a snapshot from the start, in chunks of any size; the reader may keep them. Ends with an
   * error, never silently, when length or checksum do not fit, so use nothing of it before it ended. One that is
   * being read is not removed under the reader.
   *
   * @throws {RaftError} RAFT_SNAPSHOT_MISSING when there is none of this position; RAFT_SNAPSHOT_CORRUPT when its
   *   bytes are not what was written. Thrown by the iteration, not by the call
   */
  open(position: LogPosition): AsyncIterable<Uint8Array>;

  /** Removes every snapshot whose index is below `index`, except the newest of all. */
  prune(index: number): Promise<void>;

  /** Lets the storage go. May be called twice. */
  close(): Promise<void>;
}
