import type { Entry, LogIndex, LogState, TermRun } from "@mon/raft";
import type { Database, Snapshot } from "./database.ts";
import { decodeEntry, type StoredEntry } from "./entry-record.ts";
import { corrupt } from "./failure.ts";
import type { Head } from "./head.ts";
import { entryKey, indexOfKey } from "./key.ts";

/** What reading a whole log gave. */
export interface LogScan {
  readonly state: LogState;
  /** The least index that has a key, or the one after the end. */
  readonly floor: LogIndex;
  readonly entriesRead: number;
}

const endOfEntries = Uint8Array.of(0x66);

/**
 * Reads and verifies a whole log against its head: indexes without a hole, terms that never fall, checksums, and the chain
 * of checksums from the base to the last entry, which an entry of an overwritten past does not fit.
 *
 * @param onEntries - given the verified entries in order, chunk by chunk
 * @throws {RaftError} RAFT_LOG_CORRUPT
 */
export async function scanLog(
  database: Database,
  { base, last, hardState }: Head,
  {
    snapshot,
    onEntries,
  }: { snapshot?: Snapshot; onEntries?: (entries: readonly Entry[]) => Promise<void> } = {},
): Promise<LogScan> {
  const terms: TermRun[] = [];
  const configs: Entry[] = [];
  let at = base;
  let entriesRead = 0;
  let floor: LogIndex | undefined;
  const range = { gte: entryKey(0), lt: endOfEntries };
  for await (const chunk of database.scan(range, snapshot === undefined ? {} : { snapshot })) {
    const entries: Entry[] = [];
    for (const [key, value] of chunk) {
      const index = indexOfKey(key);
      if (index === undefined) throw corrupt(`${database.directory}: expected the key of an entry`);
      floor ??= index;
      entriesRead++;
      // Left by a crash after a compaction.
      if (index <= base.index) continue;
      const { entry, crc32 } = decodeStored(at.index + 1, key, value, at.crc32);
      if (entry.term < at.term) {
        throw corrupt(`expected entry ${index} of term ${at.term} or later, got ${entry.term}`, index);
      }
      if (terms.at(-1)?.term !== entry.term) terms.push({ index, term: entry.term });
      if (entry.type === "config") configs.push(entry);
      entries.push(entry);
      at = { index, term: entry.term, crc32 };
    }
    await onEntries?.(entries);
  }
  if (at.index !== last.index || at.term !== last.term || at.crc32 !== last.crc32) {
    throw corrupt(
      `expected the log to end at ${last.index} of term ${last.term}, got ${at.index} of term ${at.term}`,
      at.index + 1,
    );
  }
  return {
    state: {
      hardState,
      base: { index: base.index, term: base.term },
      lastIndex: last.index,
      terms,
      configs,
    },
    floor: floor ?? last.index + 1,
    entriesRead,
  };
}

/**
 * The entry of a record that must be the one at `index`.
 *
 * @param previousCrc32 - what it must repeat, when that is known
 * @throws {RaftError} RAFT_LOG_CORRUPT
 */
export function decodeStored(
  index: LogIndex,
  key: Uint8Array,
  value: Uint8Array,
  previousCrc32?: number,
): StoredEntry {
  const found = indexOfKey(key);
  if (found !== index) throw corrupt(`expected entry ${index}, got ${found}`, index);
  const stored = decodeEntry(index, key, value);
  if (stored === undefined) throw corrupt(`expected another checksum of entry ${index}`, index);
  if (previousCrc32 !== undefined && stored.previousCrc32 !== previousCrc32) {
    throw corrupt(`expected entry ${index} to follow on the one before it, got one that does not`, index);
  }
  return stored;
}
