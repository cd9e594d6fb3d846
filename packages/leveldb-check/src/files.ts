import type { Buffer } from "node:buffer";

/** A file, open for reading. */
export interface OpenFile {
  readonly bytes: number;
  /** Exactly so many bytes from a position on, which the caller may keep. @throws when the file has fewer */
  read(at: number, bytes: number): Promise<Buffer>;
  close(): Promise<void>;
}

/**
 * The directory of a LevelDB, as the user of this package lets it be read. Nobody may change the files meanwhile, but for
 * those that are only ever added and removed: tables.
 */
export interface LevelDbFiles {
  /** For messages. */
  readonly path: string;
  names(): Promise<readonly string[]>;
  readFile(name: string): Promise<Buffer>;
  open(name: string): Promise<OpenFile>;
  /** Called after each piece that was checked, of at most 256 KiB; lets others run, after each or after a few. */
  turn(bytes: number): Promise<void>;
}

/** How many bytes are read and checked at once at most. */
export const turnBytes: number = 256 * 1024;

/** The name of a LevelDB's numbered file. */
export function fileName(number: number, extension: string): string {
  return `${String(number).padStart(6, "0")}.${extension}`;
}

/** Which of the names that LevelDB has for a table is there. */
export function tableName(number: number, names: readonly string[]): string | undefined {
  return [fileName(number, "ldb"), fileName(number, "sst")].find((name) => names.includes(name));
}
