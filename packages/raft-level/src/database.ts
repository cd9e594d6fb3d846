import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Examination, examine } from "@mon/leveldb-check";
import type { RaftError } from "@mon/raft";
import { Level } from "level";
import { DirectoryLock } from "./directory-lock.ts";
import { corrupt, failureOf, isMissing } from "./failure.ts";
import { decodeHead, encodeHead, type Head, initialHead } from "./head.ts";
import { HighWaterFile } from "./high-water.ts";
import { headKey } from "./key.ts";
import { levelFiles } from "./level-files.ts";
import type { LevelStorageOptions } from "./options.ts";
import { syncDirectory } from "./sync-directory.ts";

/** A LevelDB with binary keys. */
type BinaryLevel = Level<Uint8Array, Uint8Array>;

/** Operations that LevelDB applies as one. */
export type NativeBatch = ReturnType<BinaryLevel["batch"]>;

/** The state of one moment, to read from. */
export type Snapshot = ReturnType<BinaryLevel["snapshot"]>;

/** Keys from `gte` on, before `lt`. */
export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

const chunkEntries = 1_000;
const chunkBytes = 256 * 1024;

/**
 * The LevelDB of a storage directory, locked, examined and open. Everything that is ever written to it is a batch that ends
 * with the head: synced, numbered, one after another. Errors are {@link RaftError}s.
 *
 * The first write or sync that fails ends it: LevelDB refuses all that follows until it is opened anew, and so does this.
 * Opening anew writes what LevelDB finds in its log to a table and syncs that, so what counts afterwards is durable.
 */
export class Database {
  readonly directory: string;
  /** What opening found. */
  readonly examination: Examination;
  readonly #lock: DirectoryLock;
  readonly #level: BinaryLevel;
  readonly #highWater: HighWaterFile;
  #head: Head;
  #failure: RaftError | undefined;
  #queue: Promise<void> = Promise.resolve();

  private constructor(
    directory: string,
    parts: {
      lock: DirectoryLock;
      level: BinaryLevel;
      highWater: HighWaterFile;
      head: Head;
      examination: Examination;
    },
  ) {
    this.directory = directory;
    this.#lock = parts.lock;
    this.#level = parts.level;
    this.#highWater = parts.highWater;
    this.#head = parts.head;
    this.examination = parts.examination;
  }

  /**
   * Opens a storage directory, and makes it when only its parent is there.
   *
   * @throws {RaftError} RAFT_STORAGE_LOCKED, RAFT_STORAGE_FAILED, RAFT_STORAGE_UNSUPPORTED, RAFT_LOG_CORRUPT
   */
  static async open(directory: string, options: Required<LevelStorageOptions>): Promise<Database> {
    // What was opened so far, to be let go in reverse when the next step fails.
    const opened: (() => Promise<void>)[] = [];
    let database: Database | undefined;
    try {
      await mkdir(directory).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
      const lock = await DirectoryLock.acquire(directory);
      opened.push(() => lock.release());
      const logDirectory = join(directory, "log");
      const highWater = await HighWaterFile.open(directory, await isAbsent(logDirectory), (cause) => {
        database?.fail(cause);
      });
      opened.push(() => highWater.close());
      await mkdir(logDirectory, { recursive: true });
      await syncDirectory(directory);
      const examination = await examine(levelFiles(logDirectory), {
        mark: highWater.mark,
        mayBeNew: highWater.sequence === 0,
      });
      const level = createLevel(logDirectory, options);
      opened.push(() => level.close());
      await level.open();
      const head = await readHead(level, highWater, directory);
      // LevelDB has moved it from its log to a table, which it synced.
      highWater.note(head.sequence);
      await highWater.sync();
      database = new Database(directory, { lock, level, highWater, head, examination });
      return database;
    } catch (cause) {
      for (const close of opened.reverse()) await close();
      throw failureOf(cause, directory);
    }
  }

  /** What the last batch left behind. */
  get head(): Head {
    return this.#head;
  }

  /** Why nothing can be written any more; undefined while it can. */
  get failure(): RaftError | undefined {
    return this.#failure;
  }

  /** Refuses every write from now on. Of several causes the first counts. */
  fail(cause: unknown): RaftError {
    this.#failure ??= failureOf(cause, this.directory);
    return this.#failure;
  }

  /**
   * Writes a batch after those before it: what `change` adds, and the head that it returns.
   *
   * @param change - gets the head that the batches before left
   * @returns when the batch is durable
   * @throws {RaftError} what `change` threw, or RAFT_STORAGE_FAILED; either ends the database
   */
  commit(change: (head: Head, batch: NativeBatch) => Head | Promise<Head>): Promise<void> {
    const written = this.#queue.then(() => this.#write(change));
    // The next batch finds the failure.
    this.#queue = written.catch(() => {});
    return written;
  }

  async #write(change: (head: Head, batch: NativeBatch) => Head | Promise<Head>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const batch = this.#level.batch();
    try {
      const sequence = this.#head.sequence + 1;
      const head = { ...(await change(this.#head, batch)), sequence };
      batch.put(headKey, encodeHead(head, this.#highWater.mark));
      await batch.write({ sync: true });
      this.#highWater.note(sequence);
      // From the first batch on, an empty log is one that was lost.
      if (sequence === 1) await this.#highWater.sync();
      this.#head = head;
    } catch (cause) {
      await batch.close();
      throw this.fail(cause);
    }
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await this.#level.get(key);
    } catch (cause) {
      throw failureOf(cause, this.directory);
    }
  }

  /** The state of now, to be closed by the caller, with its head. */
  snapshot(): { readonly snapshot: Snapshot; readonly head: Promise<Head> } {
    const snapshot = this.#level.snapshot();
    const head = this.#level.get(headKey, { snapshot }).then(
      (value) =>
        value === undefined ? initialHead : decodeHead(value, this.#highWater.mark, this.directory),
      (cause: unknown) => {
        throw failureOf(cause, this.directory);
      },
    );
    return { snapshot, head };
  }

  /** Entries of a range in order of key, as of the call, in chunks of bounded size. */
  async *scan(
    range: KeyRange,
    { maxBytes = chunkBytes, snapshot }: { maxBytes?: number; snapshot?: Snapshot } = {},
  ): AsyncGenerator<[key: Uint8Array, value: Uint8Array][]> {
    const iterator = this.#level.iterator({
      ...range,
      highWaterMarkBytes: Math.min(maxBytes, chunkBytes),
      fillCache: false,
      ...(snapshot === undefined ? {} : { snapshot }),
    } as never);
    try {
      for (;;) {
        const chunk = await iterator.nextv(chunkEntries);
        if (chunk.length === 0) return;
        yield chunk;
      }
    } catch (cause) {
      throw failureOf(cause, this.directory);
    } finally {
      await iterator.close();
    }
  }

  /** Waits for batches that were begun, makes the last note durable, and lets go of files and lock. */
  async close(): Promise<void> {
    await this.#queue;
    // When that fails, what is durable is still durable; only a lost end might go unnoticed, as after a crash.
    if (this.#failure === undefined) await this.#highWater.sync().catch(() => {});
    await this.#highWater.close();
    await this.#level.close();
    await this.#lock.release();
  }
}

async function isAbsent(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0;
  } catch (error) {
    if (isMissing(error)) return true;
    throw error;
  }
}

function createLevel(directory: string, options: Required<LevelStorageOptions>): BinaryLevel {
  // In Node the constructor is classic-level's; the type that `level` gives it is an intersection with the browser's.
  return new Level<Uint8Array, Uint8Array>(directory, {
    keyEncoding: "view",
    valueEncoding: "view",
    writeBufferSize: options.writeBufferBytes,
    cacheSize: options.cacheBytes,
    maxFileSize: options.tableFileBytes,
    // Entries live shortly.
    compression: false,
  } as never) as BinaryLevel;
}

/** @throws {RaftError} RAFT_LOG_CORRUPT when it is older than what is known to be durable */
async function readHead(level: BinaryLevel, highWater: HighWaterFile, directory: string): Promise<Head> {
  const value = await level.get(headKey);
  const head = value === undefined ? initialHead : decodeHead(value, highWater.mark, directory);
  if (head.sequence < highWater.sequence) {
    throw corrupt(
      `${directory}: expected the log to end with batch ${highWater.sequence} or a later one, got ${head.sequence}`,
    );
  }
  return head;
}
