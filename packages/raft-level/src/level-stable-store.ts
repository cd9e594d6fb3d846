import { crc32 } from "node:zlib";
import type { StableState, StableStore } from "@mon/raft";
import { decodeText, encodeText } from "./bytes.ts";
import { corrupt } from "./failure.ts";
import { stableKey } from "./key.ts";
import type { Lease } from "./lease.ts";

/**
 * Who a node is, beside its log in the same LevelDB: who loses one loses both. See {@link StableStore} for the contract.
 *
 * The record is JSON; its checksum is in the head, as of the batch that wrote it.
 */
export class LevelStableStore implements StableStore {
  readonly #lease: Lease;

  constructor(lease: Lease) {
    this.#lease = lease;
  }

  async load(): Promise<StableState | undefined> {
    const database = await this.#lease.database();
    const { stableCrc32 } = database.head;
    const record = await database.get(stableKey);
    if (record === undefined && stableCrc32 === undefined) return undefined;
    if (record === undefined || crc32(record) !== stableCrc32) {
      throw corrupt(`${database.directory}: expected another checksum of the identity`);
    }
    // The checksum holds, so this is what `save` was given.
    return JSON.parse(decodeText(record)) as StableState;
  }

  async save(state: StableState): Promise<void> {
    const database = await this.#lease.database();
    const { identity, peers, fenced } = state;
    const record = encodeText(JSON.stringify({ identity, peers, fenced }));
    await database.commit((head, batch) => {
      batch.put(stableKey, record);
      return { ...head, stableCrc32: crc32(record) };
    });
  }

  async close(): Promise<void> {
    // A save that is under way is waited for by the database.
    await this.#lease.end(async () => {});
  }
}
