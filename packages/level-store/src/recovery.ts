import { Catalogue, StoreError } from "@mon/store";
import type { BatchPosition } from "./batch-log.ts";
import type { Loss } from "./damage.ts";
import type { Database } from "./database.ts";
import type { Generation } from "./generation.ts";
import { type HighWater, readHighWater } from "./high-water.ts";
import { noteLastValues, restoreHostState, restoreSeries } from "./host-record.ts";
import type { JournalPosition } from "./journal.ts";
import type { JournalFiles } from "./journal-files.ts";
import { type JournalScan, scanJournal } from "./journal-scan.ts";
import { endOfSpace, hostOfKey, singleKey, space } from "./key.ts";
import { type Position, positionKey, positionOf, startPosition } from "./position.ts";
import { jsonOfPayload, unseal } from "./record.ts";
import { recoverGeneration } from "./recovered-generation.ts";
import { scanSequences } from "./sequence-scan.ts";
import type { SlabPool } from "./slab.ts";
import { scanChunks } from "./stored-chunk.ts";
import { decodeVersion, newVersion, type Version, versionKey } from "./version.ts";
import { hostOf, type WriterHost } from "./writer-host.ts";

/** What a directory held when it was opened. */
export interface Recovered {
  readonly version: Version;
  /** Whether the version is yet to be written. */
  readonly isNew: boolean;
  readonly batches: BatchPosition;
  readonly journal: JournalPosition;
  readonly lastOrdinal: number;
  readonly highWater: HighWater;
  /** All records of the journal up to this sequence are in chunks. */
  readonly settledSequence: number;
  /** By sequence; what is in the journal and not in chunks. */
  readonly generations: readonly Generation[];
  readonly hosts: Map<string, WriterHost>;
  readonly catalogue: Catalogue;
  /** What is known to be lost: what is on record, and what was found now. */
  readonly onRecord: readonly Loss[];
  readonly found: readonly Loss[];
  /** What else cannot be read, for people. */
  readonly complaints: readonly string[];
}

/** What recovery needs. */
export interface RecoveryDeps {
  readonly database: Database;
  readonly files: JournalFiles;
  readonly slabs: SlabPool;
  readonly nowMs: number;
  readonly maxSeriesPerHost: number;
  /** The last record of the journal that was acknowledged, when the journal was given up. */
  readonly acknowledged: number | undefined;
}

/** Complaints that are kept; the rest is alike. */
const complaintsLimit = 100;

/**
 * Reads back what a directory holds: checks that all batches of LevelDB and all records of the journal are there, loads
 * the catalogue as of the last settling, and observes again what the journal has after it. When anything of LevelDB is
 * damaged the catalogue is completed from all chunks.
 *
 * @throws {StoreError} STORE_VERSION_UNKNOWN, STORE_UNAVAILABLE
 */
export async function recover(deps: RecoveryDeps): Promise<Recovered> {
  const recovery = new Recovery(deps);
  return recovery.run();
}

class Recovery {
  readonly #deps: RecoveryDeps;
  readonly #database: Database;
  readonly #catalogue: Catalogue;
  readonly #hosts = new Map<string, WriterHost>();
  readonly #complaints: string[] = [];

  constructor(deps: RecoveryDeps) {
    this.#deps = deps;
    this.#database = deps.database;
    this.#catalogue = new Catalogue({ maxSeriesPerHost: deps.maxSeriesPerHost });
    for (const complaint of deps.database.complaints) this.#complain(complaint);
  }

  async run(): Promise<Recovered> {
    const { nowMs, files, acknowledged } = this.#deps;
    const { version, isNew } = await this.#version();
    const position = await this.#position();
    const lostBatches = await this.#losses(space.damage);
    const lostRecords = await this.#losses(space.journalDamage);
    const highWater = await readHighWater(this.#database.directory);
    const sequences = await scanSequences(this.#database, {
      baseline: position.baseline,
      onRecord: lostBatches,
      highWater: highWater.level,
      nowMs,
    });
    const journal = await scanJournal(files, {
      settled: position.settled,
      onRecord: lostRecords,
      highWater: highWater.journal,
      acknowledged,
    });
    await this.#load();
    const isWhole =
      sequences.found.length === 0 && this.#complaints.length === 0 && !this.#database.tableLosses.areNew;
    if (!isWhole) await this.#completeFromChunks();
    const generations = this.#replay(journal);
    if (highWater.isDamaged) this.#complain("HIGHWATER does not pass its checksum");
    return {
      version,
      isNew,
      batches: sequences.position,
      journal: journal.position,
      lastOrdinal: journal.lastOrdinal,
      highWater,
      settledSequence: position.settled,
      generations,
      hosts: this.#hosts,
      catalogue: this.#catalogue,
      onRecord: [...lostBatches, ...lostRecords],
      found: [...sequences.found, ...journal.found],
      complaints: this.#complaints,
    };
  }

  readonly #complain = (complaint: string): void => {
    if (this.#complaints.length < complaintsLimit) this.#complaints.push(complaint);
  };

  /** By a scan: of tables whose manifest was made anew LevelDB's `get` may find an older entry first. */
  async #get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const range = { gte: key, lt: Uint8Array.of(...key, 0) };
    let found: Uint8Array | undefined;
    for await (const entries of this.#database.scan(range, { onDamage: this.#complain })) {
      found = entries[0]![1];
    }
    return found;
  }

  async #version(): Promise<{ version: Version; isNew: boolean }> {
    const value = await this.#get(versionKey);
    const version = value === undefined ? undefined : decodeVersion(value, this.#database.directory);
    if (version !== undefined) return { version, isNew: false };
    const all = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff) };
    if ((await this.#database.firstKey(all)) !== undefined) {
      this.#complain("the record of the format version is lost; the store has a new id");
    }
    return { version: newVersion(), isNew: true };
  }

  async #position(): Promise<Position> {
    const value = await this.#get(positionKey);
    if (value === undefined) return startPosition;
    const payload = unseal(positionKey, value);
    if (payload !== undefined) return positionOf(payload);
    this.#complain("the record of where the store stands does not pass its checksum");
    return startPosition;
  }

  async #losses(first: number): Promise<Loss[]> {
    const losses: Loss[] = [];
    for await (const [, payload] of this.#records(first, "damage")) losses.push(jsonOfPayload(payload));
    return losses;
  }

  async #load(): Promise<void> {
    const catalogue = this.#catalogue;
    for await (const [key, payload] of this.#records(space.catalogue, "a series")) {
      restoreSeries(catalogue, catalogue.ensureHost(hostOfKey(key)), payload);
    }
    for await (const [key, payload] of this.#records(space.metadata, "a host's metadata")) {
      catalogue.ensureHost(hostOfKey(key)).metadata = jsonOfPayload(payload);
    }
    for await (const [key, payload] of this.#records(space.latest, "a host's last values")) {
      restoreHostState(catalogue, hostOfKey(key), payload);
    }
  }

  /** Keys and payloads of a space; what does not pass its checksum is complained of and left out. */
  async *#records(first: number, what: string): AsyncGenerator<[Uint8Array, Uint8Array]> {
    const range = { gte: singleKey(first), lt: endOfSpace(first) };
    for await (const entries of this.#database.scan(range, { onDamage: this.#complain })) {
      for (const [key, value] of entries) {
        const payload = unseal(key, value);
        if (payload === undefined) this.#complain(`the record of ${what} does not pass its checksum`);
        else yield [key, payload];
      }
    }
  }

  async #completeFromChunks(): Promise<void> {
    const range = { gte: singleKey(space.chunk), lt: endOfSpace(space.chunk) };
    for await (const chunks of scanChunks(this.#database, range, this.#complain)) {
      for (const { partition, chunk } of chunks) {
        const host = this.#catalogue.ensureHost(partition.hostId);
        for (const [index, series] of chunk.series.entries()) {
          if (this.#catalogue.addSeries(host, series))
            hostOf(this.#hosts, host.hostId).unrecorded.push(series);
          try {
            noteLastValues(host, chunk.column(index));
          } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            this.#complain(error.message);
          }
        }
      }
    }
  }

  #replay({ files }: JournalScan): Generation[] {
    return files.map((file) =>
      recoverGeneration(
        file,
        this.#deps.slabs,
        (hostId) => hostOf(this.#hosts, hostId),
        (host, { hostId, timestampMs, bytes }) => {
          try {
            const fragment = { hostId, timestampMs, bytes, idHigh: 0, idLow: 0 };
            host.unrecorded.push(...this.#catalogue.observe(fragment).newSeries);
          } catch (error) {
            // It was checked before it was written.
            this.#complain(error instanceof Error ? error.message : String(error));
          }
        },
      ),
    );
  }
}
