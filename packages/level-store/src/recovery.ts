import { blockMs, Catalogue, type Fragment, type Series, StoreError } from "@mon/store";
import { BlockWalk } from "./block-walk.ts";
import type { LostBatches } from "./damage.ts";
import type { Database } from "./database.ts";
import { FragmentKeys } from "./fragment-key.ts";
import { scanFragments } from "./fragment-scan.ts";
import { readHighWater } from "./high-water.ts";
import { restoreHostState, restoreSeries } from "./host-record.ts";
import type { JournalPosition } from "./journal.ts";
import { endOfSpace, hostOfKey, singleKey, space } from "./key.ts";
import type { HostRange } from "./manifest.ts";
import { jsonOfPayload, unseal } from "./record.ts";
import { scanSequences } from "./sequence-scan.ts";
import { decodeVersion, newVersion, type Version, versionKey } from "./version.ts";

/** Where the last checkpoint stands: the payload of the `p` record. */
export interface Checkpoint {
  /** Everything up to this sequence is in the host records. */
  readonly covered: number;
  /** The least sequence whose record is kept. */
  readonly baseline: number;
}

/** What a directory held when it was opened. */
export interface Recovered {
  readonly version: Version;
  /** Whether the version is yet to be written. */
  readonly isNew: boolean;
  readonly position: JournalPosition;
  readonly checkpoint: Checkpoint;
  readonly catalogue: Catalogue;
  /** Hosts whose state goes beyond their records. */
  readonly dirty: ReadonlySet<string>;
  /** Series that are in fragments but not in the records. */
  readonly unrecorded: readonly { readonly hostId: string; readonly series: Series }[];
  /** Batches known to be lost: those on record, and those found now. */
  readonly onRecord: readonly LostBatches[];
  readonly found: readonly LostBatches[];
  /** What else cannot be read, for people. */
  readonly complaints: readonly string[];
}

/** Complaints that are kept; the rest is alike. */
const complaintsLimit = 100;

/**
 * Reads back what a directory holds: checks that all batches are there, loads the catalogue as of the last checkpoint,
 * and observes again what was written after it. When anything is damaged the catalogue is made anew from all fragments.
 *
 * @throws {StoreError} STORE_VERSION_UNKNOWN, STORE_UNAVAILABLE
 */
export async function recover(database: Database, nowMs: number): Promise<Recovered> {
  const recovery = new Recovery(database);
  return recovery.run(nowMs);
}

class Recovery {
  readonly #database: Database;
  readonly #catalogue = new Catalogue();
  readonly #dirty = new Set<string>();
  readonly #unrecorded: { hostId: string; series: Series }[] = [];
  readonly #complaints: string[] = [];

  constructor(database: Database) {
    this.#database = database;
  }

  async run(nowMs: number): Promise<Recovered> {
    const { version, isNew } = await this.#version();
    const checkpoint = await this.#checkpoint();
    const onRecord = await this.#damage();
    const highWater = await readHighWater(this.#database.directory);
    const sequences = await scanSequences(this.#database, { ...checkpoint, onRecord, highWater, nowMs });
    await this.#load();
    if (this.#isWhole(sequences.lost)) await this.#replay(sequences.uncovered);
    if (!this.#isWhole(sequences.lost)) await this.#observeAll();
    return {
      version,
      isNew,
      position: sequences.position,
      checkpoint,
      catalogue: this.#catalogue,
      dirty: this.#dirty,
      unrecorded: this.#unrecorded,
      onRecord,
      found: sequences.lost,
      complaints: this.#complaints,
    };
  }

  #isWhole(lost: readonly LostBatches[]): boolean {
    return lost.length === 0 && this.#complaints.length === 0;
  }

  readonly #complain = (complaint: string): void => {
    if (this.#complaints.length < complaintsLimit) this.#complaints.push(complaint);
  };

  async #get(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await this.#database.get(key);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "STORE_CORRUPT") throw error;
      this.#complain(error.message);
      return undefined;
    }
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

  async #checkpoint(): Promise<Checkpoint> {
    const key = singleKey(space.position);
    const value = await this.#get(key);
    if (value === undefined) return { covered: 0, baseline: 1 };
    const payload = unseal(key, value);
    if (payload !== undefined) return jsonOfPayload<Checkpoint>(payload);
    this.#complain("the record of the last checkpoint does not pass its checksum");
    return { covered: 0, baseline: 1 };
  }

  async #damage(): Promise<LostBatches[]> {
    const lost: LostBatches[] = [];
    for await (const [, payload] of this.#records(space.damage, "damage")) lost.push(jsonOfPayload(payload));
    return lost;
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

  async #observeAll(): Promise<void> {
    const range = { gte: singleKey(space.fragment), lt: endOfSpace(space.fragment) };
    for await (const fragments of scanFragments(this.#database, range, this.#complain)) {
      for (const fragment of fragments) this.#observe(fragment);
    }
  }

  async #replay(ranges: readonly Readonly<HostRange>[]): Promise<void> {
    const snapshot = this.#database.snapshot();
    try {
      for (const [hostId, hostRanges] of Map.groupBy(ranges, (range) => range.hostId)) {
        const keys = new FragmentKeys(hostId);
        for (const { minMs, maxMs } of joined(hostRanges)) {
          const walk = new BlockWalk(this.#database, keys, snapshot, minMs, maxMs);
          let blockStartMs = walk.first();
          while (blockStartMs !== undefined) {
            let wasEmpty = true;
            const range = walk.keysOf(blockStartMs);
            for await (const fragments of scanFragments(this.#database, range, this.#complain, snapshot)) {
              wasEmpty = false;
              for (const fragment of fragments) this.#observe(fragment);
            }
            blockStartMs = (await walk.after(blockStartMs, wasEmpty)).blockStartMs;
          }
        }
      }
    } finally {
      await snapshot.close();
    }
  }

  #observe(fragment: Fragment): void {
    try {
      const { host, newSeries } = this.#catalogue.observe(fragment);
      this.#dirty.add(host.hostId);
      for (const series of newSeries) this.#unrecorded.push({ hostId: host.hostId, series });
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error));
    }
  }
}

/** Ranges of one host with those joined that lie within a block of each other, so that each block is read once. */
function joined(ranges: readonly Readonly<HostRange>[]): HostRange[] {
  const sorted = [...ranges].sort((a, b) => a.minMs - b.minMs);
  const result: HostRange[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last !== undefined && range.minMs <= last.maxMs + blockMs) {
      last.maxMs = Math.max(last.maxMs, range.maxMs);
    } else result.push({ ...range });
  }
  return result;
}
