import {
  type Entry,
  entrySize,
  type HardState,
  type LogBatch,
  type LogIndex,
  type LogPosition,
  type LogState,
  type LogStore,
  MAX_INDEX,
  RaftError,
} from "@mon/raft";
import type { Database } from "./database.ts";
import { encodeEntries } from "./entry-record.ts";
import { corrupt, invariant, stopped } from "./failure.ts";
import type { ChainPosition, Head } from "./head.ts";
import { entryKey } from "./key.ts";
import type { Lease } from "./lease.ts";
import { decodeStored, scanLog } from "./log-scan.ts";

/** What a log has done since it was opened. */
export interface LogStats {
  /** Entries that opening read and verified; those below the base that a crash left are among them. */
  readonly openedEntries: number;
  /** Bytes of LevelDB's files that opening verified before LevelDB saw them. */
  readonly openedFileBytes: number;
  /** Bytes of a last batch that was not written to its end, and dropped. */
  readonly tornBytes: number;
  /** Entries that were appended. */
  readonly appendedEntries: number;
  /** Entries that were read after opening. */
  readonly readEntries: number;
}

/** Keys that one batch of a sweep deletes: few enough that an append hardly waits for it. */
const sweepKeys = 2_048;

/**
 * The log and hard state of a node in LevelDB; see {@link LogStore} for the contract.
 *
 * An append is one synced batch: hard state, truncation, entries, and the head that vouches for all of it. `compact` moves
 * the base in one synced batch too; the keys before it are deleted afterwards, by and by, and at the next open at the latest.
 *
 * Opening reads every entry once. An append costs O(its entries), a truncation or a reset also O(entries dropped).
 */
export class LevelLogStore implements LogStore {
  readonly #lease: Lease;
  readonly #maxEntryBytes: number;
  #database: Database | undefined;
  /** The least index that may still have a key; changed only while a batch is made, so never by two at once. */
  #floor = 1;
  #sweeping: Promise<void> | undefined;
  readonly #reads = new Set<Promise<unknown>>();
  #openedEntries = 0;
  #appendedEntries = 0;
  #readEntries = 0;

  constructor(lease: Lease, maxEntryBytes: number) {
    this.#lease = lease;
    this.#maxEntryBytes = maxEntryBytes;
  }

  /** Counts since {@link open}. */
  get stats(): LogStats {
    return {
      openedEntries: this.#openedEntries,
      openedFileBytes: this.#database?.examination.bytes ?? 0,
      tornBytes: this.#database?.examination.tornBytes ?? 0,
      appendedEntries: this.#appendedEntries,
      readEntries: this.#readEntries,
    };
  }

  async open(): Promise<LogState> {
    const database = await this.#lease.database();
    const scan = await scanLog(database, database.head);
    this.#openedEntries = scan.entriesRead;
    this.#floor = scan.floor;
    this.#database = database;
    this.#sweep(database);
    return scan.state;
  }

  async append({ hardState, reset, entries }: LogBatch): Promise<void> {
    const database = this.#opened();
    await database.commit(async (head, batch) => {
      const base = reset === undefined ? head.base : { ...reset, crc32: 0 };
      const before = reset === undefined ? await positionBefore(database, head, entries[0]) : base;
      assertHardState(hardState, head.hardState);
      this.#assertEntries(before, entries);
      const { records, last } = encodeEntries(before, entries);
      invariant(
        hardState.commit <= last.index && hardState.term >= last.term,
        () =>
          `expected commit ≤ ${last.index} and term ≥ ${last.term}, got ${hardState.commit} and ${hardState.term}`,
      );
      // Entries after the new last one would otherwise look like a log that goes on.
      const dropFrom = reset === undefined ? last.index + 1 : this.#floor;
      for (let index = dropFrom; index <= head.last.index; index++) batch.del(entryKey(index));
      for (const { key, value } of records) batch.put(key, value);
      if (reset !== undefined) this.#floor = reset.index + 1;
      return { ...head, base, last, hardState };
    });
    this.#appendedEntries += entries.length;
  }

  #assertEntries(before: LogPosition, entries: readonly Entry[]): void {
    let { index, term } = before;
    for (const entry of entries) {
      invariant(
        entry.index === index + 1 && entry.term >= term,
        () =>
          `expected entry ${index + 1} of term ${term} or later, got ${entry.index} of term ${entry.term}`,
        entry.index,
      );
      invariant(
        entry.index <= MAX_INDEX && Number.isSafeInteger(entry.term),
        () => `expected integers up to 2^53 − 1, got entry ${entry.index} of term ${entry.term}`,
        entry.index,
      );
      if (entry.data.length > this.#maxEntryBytes) {
        throw new RaftError(
          "RAFT_PROPOSAL_TOO_LARGE",
          `expected at most ${this.#maxEntryBytes} bytes of data, got ${entry.data.length}`,
          { index: entry.index },
        );
      }
      ({ index, term } = entry);
    }
  }

  async entries(from: LogIndex, to: LogIndex, maxBytes: number): Promise<readonly Entry[]> {
    const database = this.#opened();
    const reading = this.#read(database, from, to, maxBytes);
    this.#reads.add(reading);
    try {
      return await reading;
    } finally {
      this.#reads.delete(reading);
    }
  }

  async #read(database: Database, from: LogIndex, to: LogIndex, maxBytes: number): Promise<Entry[]> {
    const { base, last } = database.head;
    if (from <= base.index) throw compacted(base.index, from);
    const end = Math.min(to, last.index + 1);
    const found: Entry[] = [];
    if (from >= end) return found;
    let bytes = 0;
    let previousCrc32: number | undefined;
    for await (const chunk of database.scan({ gte: entryKey(from), lt: entryKey(end) }, { maxBytes })) {
      for (const [key, value] of chunk) {
        const stored = decodeStored(from + found.length, key, value, previousCrc32);
        this.#readEntries++;
        bytes += entrySize(stored.entry);
        if (bytes > maxBytes && found.length > 0) return found;
        found.push(stored.entry);
        previousCrc32 = stored.crc32;
      }
    }
    if (from + found.length === end) return found;
    if (from <= database.head.base.index) throw compacted(database.head.base.index, from);
    throw corrupt(`expected entry ${from + found.length}, got none`, from + found.length);
  }

  async compact(base: LogPosition): Promise<void> {
    const database = this.#opened();
    if (base.index <= database.head.base.index) return;
    await database.commit(async (head) => {
      // A reset may have gone by meanwhile.
      if (base.index <= head.base.index) return head;
      invariant(
        base.index <= head.last.index,
        () => `expected to compact up to ${head.last.index} at most, got ${base.index}`,
        base.index,
      );
      const found =
        base.index === head.last.index ? head.last : await positionAt(database, head.base, base.index);
      invariant(
        found.term === base.term,
        () => `expected entry ${base.index} of term ${base.term}, got ${found.term}`,
        base.index,
      );
      return { ...head, base: found };
    });
    this.#sweep(database);
  }

  /** Deletes the keys up to the base, unless that is under way. */
  #sweep(database: Database): void {
    this.#sweeping ??= this.#sweepAll(database).finally(() => {
      this.#sweeping = undefined;
    });
  }

  async #sweepAll(database: Database): Promise<void> {
    while (this.#floor <= database.head.base.index && !this.#lease.isClosed) {
      const swept = await database
        .commit((head, batch) => {
          // A reset may have gone by meanwhile, and then there is nothing.
          const floor = Math.max(this.#floor, Math.min(this.#floor + sweepKeys, head.base.index + 1));
          for (let index = this.#floor; index < floor; index++) batch.del(entryKey(index));
          this.#floor = floor;
          return head;
        })
        // The failure has ended the database, so the next append tells of it.
        .then(
          () => true,
          () => false,
        );
      if (!swept) return;
    }
  }

  async close(): Promise<void> {
    await this.#lease.end(async () => {
      await this.#sweeping;
      await Promise.allSettled(this.#reads);
    });
    this.#database = undefined;
  }

  #opened(): Database {
    if (this.#database === undefined || this.#lease.isClosed) throw stopped();
    return this.#database;
  }
}

/** Where the chain is before an entry, which is at most one beyond the end; at the end when there is none to come. */
async function positionBefore(
  database: Database,
  { base, last }: Head,
  entry: Entry | undefined,
): Promise<ChainPosition> {
  if (entry === undefined || entry.index === last.index + 1) return last;
  invariant(
    entry.index > base.index && entry.index <= last.index,
    () => `expected an entry from ${base.index + 1} to ${last.index + 1}, got ${entry.index}`,
    entry.index,
  );
  return await positionAt(database, base, entry.index - 1);
}

/** Where the chain is at an index from the base on. */
async function positionAt(database: Database, base: ChainPosition, index: LogIndex): Promise<ChainPosition> {
  if (index === base.index) return base;
  const key = entryKey(index);
  const value = await database.get(key);
  if (value === undefined) throw corrupt(`expected entry ${index}, got none`, index);
  const { entry, crc32 } = decodeStored(index, key, value);
  return { index, term: entry.term, crc32 };
}

function assertHardState(next: HardState, before: HardState | undefined): void {
  invariant(
    Number.isSafeInteger(next.term) && Number.isSafeInteger(next.commit) && next.commit >= 0,
    () => `expected term and commit to be integers, got ${next.term} and ${next.commit}`,
  );
  if (before === undefined) return;
  invariant(
    next.term > before.term ||
      (next.term === before.term && (before.votedFor === undefined || next.votedFor === before.votedFor)),
    () =>
      `expected no term before ${before.term} and no other vote than ${before.votedFor}, got term ${next.term} and vote ${next.votedFor}`,
  );
}

function compacted(base: LogIndex, from: LogIndex): RaftError {
  return new RaftError("RAFT_LOG_COMPACTED", `expected an index above ${base}, got ${from}`, { index: from });
}
