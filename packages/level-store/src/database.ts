import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import { examineDirectory } from "./directory-examination.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { failureOf, isCorruption } from "./failure.ts";
import { equalBytes } from "./key.ts";
import type { LevelStoreOptions } from "./options.ts";
import { TableLosses } from "./table-losses.ts";

/** A key and its value. */
export type Entry = [key: Uint8Array, value: Uint8Array];

/** Keys from `gte` on, before `lt`. */
export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

/** A LevelDB with binary keys. In Node, `level` is classic-level, whose further methods its own types leave out. */
type BinaryLevel = Level<Uint8Array, Uint8Array> & {
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>;
};

/** The snapshots of {@link Database.snapshot}. */
export type Snapshot = ReturnType<BinaryLevel["snapshot"]>;

/** Operations that LevelDB applies as one. */
export type NativeBatch = ReturnType<BinaryLevel["batch"]>;

/** How a scan goes about. */
export interface ScanOptions {
  readonly snapshot?: Snapshot;
  /** Whether what is read stays in LevelDB's cache; true by default. */
  readonly fillCache?: boolean;
  /** Told of LevelDB's complaint after all readable entries were given; without it, the scan throws. */
  readonly onDamage?: (reason: string) => void;
}

/** Entries that one step of a scan gives at most, so that no step holds up the event loop. */
const chunkEntries = 1_000;
const chunkBytes = 256 * 1024;

/** An open LevelDB directory, locked and examined before. Errors are {@link StoreError}s. */
export class Database {
  readonly directory: string;
  /** What damaged tables held. */
  readonly tableLosses: TableLosses;
  /** What opening put right, for people. */
  readonly complaints: readonly string[];
  readonly #lock: DirectoryLock;
  readonly #level: BinaryLevel;

  private constructor(
    directory: string,
    parts: {
      readonly lock: DirectoryLock;
      readonly level: BinaryLevel;
      readonly tableLosses: TableLosses;
      readonly complaints: readonly string[];
    },
  ) {
    this.directory = directory;
    this.#lock = parts.lock;
    this.#level = parts.level;
    this.tableLosses = parts.tableLosses;
    this.complaints = parts.complaints;
  }

  /**
   * Opens a directory, and makes it when only its parent is there.
   *
   * @param suspects - numbers of tables to be verified whole
   * @throws {StoreError} STORE_LOCKED, STORE_UNUSABLE, STORE_CORRUPT, STORE_UNAVAILABLE
   */
  static async open(
    directory: string,
    options: Required<LevelStoreOptions>,
    suspects: ReadonlySet<number> = new Set(),
  ): Promise<Database> {
    // What was opened so far, to be let go in reverse when the next step fails.
    const opened: (() => Promise<void>)[] = [];
    try {
      await mkdir(directory).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
      const lock = await DirectoryLock.acquire(directory);
      opened.push(() => lock.release());
      const tableLosses = await TableLosses.open(directory);
      const checkBytes = options.openCheckBytes;
      const complaints = await examineDirectory({ directory, losses: tableLosses, checkBytes, suspects });
      const level = createLevel(directory, options);
      opened.push(() => level.close());
      await level.open();
      return new Database(directory, { lock, level, tableLosses, complaints });
    } catch (cause) {
      for (const close of opened.reverse()) await close();
      throw failureOf(cause, directory);
    }
  }

  /** Closes snapshots, scans and files. Idempotent. */
  async close(): Promise<void> {
    await this.#level.close();
    await this.#lock.release();
  }

  /** A batch to fill; `write({ sync: true })` applies it. */
  batch(): NativeBatch {
    return this.#level.batch();
  }

  /** The state of now, to be closed by the caller. */
  snapshot(): Snapshot {
    return this.#level.snapshot();
  }

  /**
   * Entries of a range in order of key, in chunks of bounded size; each chunk is a turn of the event loop.
   *
   * Where LevelDB meets a damaged table block it skips it and reports that at the end, dropping what it had at hand
   * then. So from there on the scan is done again entry by entry, which gives all that can be read.
   *
   */
  async *scan(range: KeyRange, options: ScanOptions = {}): AsyncGenerator<Entry[]> {
    const { onDamage } = options;
    let last: Uint8Array | undefined;
    try {
      for await (const entries of this.#chunks(range, options, chunkEntries)) {
        last = entries.at(-1)![0];
        yield entries;
      }
      return;
    } catch (error) {
      if (!isCorruption(error) || onDamage === undefined) throw failureOf(error, this.directory);
    }
    const rest = { gte: last ?? range.gte, lt: range.lt };
    try {
      for await (const entries of this.#chunks(rest, options, 1)) {
        if (last === undefined || !equalBytes(entries[0]![0], last)) yield entries;
      }
    } catch (error) {
      if (!isCorruption(error)) throw failureOf(error, this.directory);
      onDamage(failureOf(error, this.directory).message);
    }
  }

  async *#chunks(
    range: KeyRange,
    { snapshot, fillCache = true }: ScanOptions,
    size: number,
  ): AsyncGenerator<Entry[]> {
    const iterator = this.#level.iterator({
      ...range,
      fillCache,
      highWaterMarkBytes: chunkBytes,
      ...(snapshot === undefined ? {} : { snapshot }),
    });
    try {
      for (;;) {
        const entries = await iterator.nextv(size);
        if (entries.length === 0) return;
        yield entries;
      }
    } finally {
      await iterator.close();
    }
  }

  /** The least readable key of a range; what lies before it may be damaged. */
  async firstKey(range: KeyRange, snapshot?: Snapshot): Promise<Uint8Array | undefined> {
    const iterator = this.#level.keys({ ...range, ...(snapshot === undefined ? {} : { snapshot }) });
    try {
      const [key] = await iterator.nextv(1);
      return key;
    } catch (cause) {
      if (isCorruption(cause)) return undefined;
      throw failureOf(cause, this.directory);
    } finally {
      await iterator.close();
    }
  }

  /** Keys of a range, each found by seeking what `next` makes of the one before. */
  async *hop(range: KeyRange, next: (key: Uint8Array) => Uint8Array): AsyncGenerator<Uint8Array> {
    const iterator = this.#level.keys(range);
    try {
      for (;;) {
        const [key] = await iterator.nextv(1);
        if (key === undefined) return;
        yield key;
        iterator.seek(next(key));
      }
    } catch (cause) {
      throw failureOf(cause, this.directory);
    } finally {
      await iterator.close();
    }
  }

  /** Deletes a range; not synced, so that a crash may bring it back. */
  async clear(range: KeyRange): Promise<void> {
    try {
      await this.#level.clear(range);
    } catch (cause) {
      throw failureOf(cause, this.directory);
    }
  }

  /** Gives the space of deleted keys of a range back to the file system. */
  async compact({ gte, lt }: KeyRange): Promise<void> {
    try {
      await this.#level.compactRange(gte, lt);
    } catch (cause) {
      throw failureOf(cause, this.directory);
    }
  }

  /** Bytes of all files of the directory, the journal's among them. */
  async fileBytes(): Promise<number> {
    return (await filesOf(this.directory)).reduce((sum, file) => sum + file.bytes, 0);
  }
}

function createLevel(directory: string, options: Required<LevelStoreOptions>): BinaryLevel {
  // In Node the constructor is classic-level's; the type that `level` gives it is an intersection with the browser's.
  return new Level<Uint8Array, Uint8Array>(directory, {
    keyEncoding: "view",
    valueEncoding: "view",
    writeBufferSize: options.writeBufferBytes,
    cacheSize: options.cacheBytes,
    maxFileSize: options.tableFileBytes,
    compression: options.compression,
  } as never) as BinaryLevel;
}

/** The files of a directory and of those in it, and their sizes; one that vanishes meanwhile is left out. */
export async function filesOf(directory: string): Promise<{ name: string; bytes: number }[]> {
  const names = await readdir(directory, { recursive: true });
  const files = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(directory, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
      return found?.isFile() === true ? [{ name, bytes: found.size }] : [];
    }),
  );
  return files.flat();
}
