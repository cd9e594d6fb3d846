import { Buffer } from "node:buffer";
import { LevelDbError } from "./errors.ts";
import { encodeRecord, hasRecordFrom, recordsOf } from "./record-log.ts";
import { prefixed, VarintReader, varint } from "./varint.ts";

/** A table that is in use. */
export interface TableEntry {
  readonly level: number;
  readonly number: number;
  /** The file's size. */
  readonly bytes: number;
  /** Its least and greatest key, as LevelDB has them: with eight bytes of sequence and kind after those of the user. */
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
}

/** What a LevelDB directory consists of. */
export interface Manifest {
  readonly comparator: Uint8Array;
  /** The tables in use by number. */
  readonly tables: ReadonlyMap<number, TableEntry>;
  /** Logs with this number or a greater one are in use; the one with this number must be there, unless it is 0. */
  readonly logNumber: number;
  /** A further log in use, 0 for none; only very old releases of LevelDB have it. */
  readonly previousLogNumber: number;
  /** Above the numbers of all files. */
  readonly nextFileNumber: number;
  /** What the last write to a table was numbered. */
  readonly lastSequence: number;
}

/**
 * Reads a MANIFEST: records of tagged fields (`db/version_edit.cc` of LevelDB), each a change to those before.
 *
 * An end that is not whole is ignored, as LevelDB does: it was not synced. If that is wrong, a file that it names is missing.
 *
 * @param path - for messages
 * @throws {LevelDbError} LEVELDB_DAMAGED
 */
export function manifestOf(file: Buffer, path: string): Manifest {
  const tables = new Map<number, TableEntry>();
  const manifest: { -readonly [Field in Exclude<keyof Manifest, "tables">]?: Manifest[Field] } = {};
  const records = recordsOf(file);
  for (;;) {
    const { done, value } = records.next();
    if (done) {
      if (value === undefined || file.subarray(value.at).every((byte) => byte === 0)) break;
      // A length that is wrong may point beyond the end as well.
      if (value.isCut && !hasRecordFrom(file, value.at + 1)) break;
      throw new LevelDbError(path, `expected sound records, got a wrong one at byte ${value.recordStart}`);
    }
    try {
      const { removed, added, ...fields } = editOf(value);
      for (const number of removed) tables.delete(number);
      for (const table of added) tables.set(table.number, table);
      Object.assign(manifest, fields);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new LevelDbError(path, cause.message, { cause });
    }
  }
  const { comparator, logNumber, nextFileNumber, lastSequence, previousLogNumber = 0 } = manifest;
  if (
    comparator === undefined ||
    logNumber === undefined ||
    nextFileNumber === undefined ||
    lastSequence === undefined
  ) {
    throw new LevelDbError(path, "expected records that name comparator, log, next file and sequence");
  }
  return { comparator, tables, logNumber, previousLogNumber, nextFileNumber, lastSequence };
}

interface Edit {
  readonly removed: number[];
  readonly added: TableEntry[];
  comparator?: Uint8Array;
  logNumber?: number;
  previousLogNumber?: number;
  nextFileNumber?: number;
  lastSequence?: number;
}

function editOf(record: Uint8Array): Edit {
  const reader = new VarintReader(record);
  const edit: Edit = { removed: [], added: [] };
  while (!reader.done) {
    const tag = reader.integer();
    switch (tag) {
      case 1:
        edit.comparator = reader.prefixed();
        break;
      case 2:
        edit.logNumber = reader.integer();
        break;
      case 3:
        edit.nextFileNumber = reader.integer();
        break;
      case 4:
        edit.lastSequence = reader.integer();
        break;
      case 5: // where a compaction goes on: level, key
        reader.integer();
        reader.prefixed();
        break;
      case 6: // level, number
        reader.integer();
        edit.removed.push(reader.integer());
        break;
      case 7:
        edit.added.push({
          level: reader.integer(),
          number: reader.integer(),
          bytes: reader.integer(),
          smallest: reader.prefixed(),
          largest: reader.prefixed(),
        });
        break;
      case 9:
        edit.previousLogNumber = reader.integer();
        break;
      default:
        throw new RangeError(`expected a field that LevelDB writes, got tag ${tag}`);
    }
  }
  return edit;
}

/** The file of a MANIFEST that says all in one record. */
export function encodeManifest(manifest: Manifest): Buffer {
  const { comparator, logNumber, previousLogNumber, nextFileNumber, lastSequence } = manifest;
  const fields: Uint8Array[] = [Uint8Array.of(1), prefixed(comparator)];
  const numbers = [
    [2, logNumber],
    [9, previousLogNumber],
    [3, nextFileNumber],
    [4, lastSequence],
  ] as const;
  for (const [tag, value] of numbers) fields.push(varint(tag), varint(value));
  for (const { level, number, bytes, smallest, largest } of manifest.tables.values()) {
    fields.push(varint(7), varint(level), varint(number), varint(bytes));
    fields.push(prefixed(smallest), prefixed(largest));
  }
  return encodeRecord(Buffer.concat(fields));
}
