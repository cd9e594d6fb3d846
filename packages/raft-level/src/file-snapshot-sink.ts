import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import type { RaftError, SnapshotMeta, SnapshotPoint, SnapshotSink } from "@mon/raft";
import { failureOf, stopped } from "./failure.ts";
import { encodeSnapshotHead, encodeSnapshotTail, pieceBytes } from "./snapshot-file.ts";
import { syncDirectory } from "./sync-directory.ts";

/** What a sink needs of its store. */
export interface SinkDeps {
  /** Where the snapshot is to be. */
  readonly path: string;
  /** Where it is until then, in the same directory. */
  readonly temporaryPath: string;
  /** Told when it is not known whether a snapshot that has its name is durable. */
  readonly onUnknown: (error: RaftError) => void;
  /** Told when the sink has ended, with a new snapshot or without. */
  readonly onEnd: () => Promise<void>;
}

/** Writes a snapshot to a temporary file, and gives it its name when all of it is synced. */
export class FileSnapshotSink implements SnapshotSink {
  readonly #point: SnapshotPoint;
  readonly #deps: SinkDeps;
  readonly #head: Buffer;
  readonly #file: FileHandle;
  #hasEnded = false;
  #piece: Buffer = Buffer.allocUnsafeSlow(pieceBytes);
  #filled = 0;
  #sizeBytes = 0;
  #checksum = 0;
  #failure: RaftError | undefined;

  private constructor(point: SnapshotPoint, deps: SinkDeps, file: FileHandle) {
    this.#point = point;
    this.#deps = deps;
    this.#file = file;
    this.#head = encodeSnapshotHead(point);
  }

  static async create(point: SnapshotPoint, deps: SinkDeps): Promise<FileSnapshotSink> {
    const sink = new FileSnapshotSink(point, deps, await open(deps.temporaryPath, "wx"));
    await sink.#guard(async (file) => {
      await file.writeFile(sink.#head);
    });
    return sink;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#guard(async (file) => {
      this.#checksum = crc32(chunk, this.#checksum);
      this.#sizeBytes += chunk.length;
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + pieceBytes - this.#filled);
        this.#piece.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled === pieceBytes) await this.#flush(file);
      }
    });
  }

  async #flush(file: FileHandle): Promise<void> {
    await file.writeFile(this.#piece.subarray(0, this.#filled));
    this.#filled = 0;
  }

  async commit(): Promise<SnapshotMeta> {
    const { path, temporaryPath, onUnknown, onEnd } = this.#deps;
    await this.#guard(async (file) => {
      await this.#flush(file);
      await file.writeFile(encodeSnapshotTail(this.#head, this.#sizeBytes, this.#checksum));
      await file.sync();
      await rename(temporaryPath, path);
      this.#hasEnded = true;
      await file.close();
    });
    try {
      await syncDirectory(dirname(path));
    } catch (cause) {
      const failure = failureOf(cause, path);
      onUnknown(failure);
      throw failure;
    } finally {
      await onEnd();
    }
    const { index, term, conf, confIndex } = this.#point;
    return { index, term, conf, confIndex, sizeBytes: this.#sizeBytes, crc32: this.#checksum };
  }

  async abort(): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    // Nothing depends on the file any more; the next open clears away what stays.
    await this.#file.close().catch(() => {});
    await rm(this.#deps.temporaryPath, { force: true }).catch(() => {});
    await this.#deps.onEnd();
  }

  /** The first failure ends the sink: a sync is not tried again. */
  async #guard(work: (file: FileHandle) => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#hasEnded) throw stopped();
    try {
      await work(this.#file);
    } catch (cause) {
      this.#failure = failureOf(cause, this.#deps.temporaryPath);
      await this.abort();
      throw this.#failure;
    }
  }
}
