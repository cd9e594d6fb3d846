import { corrupt } from "../failure.ts";
import { recordsOf } from "./record-log.ts";
import { VarintReader } from "./varint.ts";

/** What a LevelDB directory consists of. */
export interface Manifest {
  /** Number and size of each table that is in use. */
  readonly tables: ReadonlyMap<number, number>;
  /** Logs with this number or a greater one are in use; the one with this number must be there, unless it is 0. */
  readonly logNumber: number;
  /** A further log in use, 0 for none; only very old releases of LevelDB have it. */
  readonly previousLogNumber: number;
}

/**
 * Reads a MANIFEST: records of tagged fields (`db/version_edit.cc` of LevelDB), each a change to those before.
 *
 * An end that is not whole is ignored, as LevelDB does: it was not synced. If that is wrong, a file that it names is missing.
 *
 * @param path - for messages
 * @throws {RaftError} RAFT_LOG_CORRUPT
 */
export function manifestOf(file: Buffer, path: string): Manifest {
  const tables = new Map<number, number>();
  let logNumber: number | undefined;
  let previousLogNumber = 0;
  const records = recordsOf(file);
  for (;;) {
    const { done, value } = records.next();
    if (done) {
      if (value === undefined || value.isCut || file.subarray(value.at).every((byte) => byte === 0)) break;
      throw corrupt(`${path}: expected sound records, got a wrong one at byte ${value.recordStart}`);
    }
    try {
      const edit = editOf(value);
      for (const number of edit.removed) tables.delete(number);
      for (const [number, bytes] of edit.added) tables.set(number, bytes);
      logNumber = edit.logNumber ?? logNumber;
      previousLogNumber = edit.previousLogNumber ?? previousLogNumber;
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw corrupt(`${path}: ${cause.message}`);
    }
  }
  if (logNumber === undefined) throw corrupt(`${path}: expected a record that names a log, got none`);
  return { tables, logNumber, previousLogNumber };
}

interface Edit {
  readonly removed: number[];
  readonly added: [number: number, bytes: number][];
  logNumber?: number;
  previousLogNumber?: number;
}

function editOf(record: Uint8Array): Edit {
  const reader = new VarintReader(record);
  const edit: Edit = { removed: [], added: [] };
  while (!reader.done) {
    const tag = reader.integer();
    switch (tag) {
      case 1: // the comparator's name
        reader.skip(reader.integer());
        break;
      case 2:
        edit.logNumber = reader.integer();
        break;
      case 3: // the next file's number
      case 4: // the last sequence
        reader.integer();
        break;
      case 5: // where a compaction goes on: level, key
        reader.integer();
        reader.skip(reader.integer());
        break;
      case 6: // level, number
        reader.integer();
        edit.removed.push(reader.integer());
        break;
      case 7: // level, number, size, smallest and largest key
        reader.integer();
        edit.added.push([reader.integer(), reader.integer()]);
        reader.skip(reader.integer());
        reader.skip(reader.integer());
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
