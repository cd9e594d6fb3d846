import { blockMs } from "@mon/store";
import type { Database, KeyRange, Snapshot } from "./database.ts";
import { blockOfKey, type FragmentKeys, firstKeyOfBlock } from "./fragment-key.ts";
import { maxInstantMs } from "./key.ts";

/** A step of a walk: the block to look at next, and what cannot be read of those that were skipped. */
export interface WalkStep {
  /** Undefined at the end of the range. */
  readonly blockStartMs: number | undefined;
  readonly unreadable: string | undefined;
}

/**
 * Goes through the blocks of a host that overlap a range of instants, in order. Where it is told that a block was empty,
 * it seeks to the next block that holds anything at all, so that a range of years costs what its data does.
 */
export class BlockWalk {
  readonly #database: Database;
  readonly #keys: FragmentKeys;
  readonly #snapshot: Snapshot;
  readonly #startMs: number;
  readonly #endMs: number;

  /** The range is clamped to instants that a `Date` can hold. */
  constructor(database: Database, keys: FragmentKeys, snapshot: Snapshot, startMs: number, endMs: number) {
    this.#database = database;
    this.#keys = keys;
    this.#snapshot = snapshot;
    this.#startMs = Math.max(Math.ceil(startMs), -maxInstantMs);
    this.#endMs = Math.min(Math.floor(endMs), maxInstantMs);
  }

  get startMs(): number {
    return this.#startMs;
  }

  get endMs(): number {
    return this.#endMs;
  }

  /** The block that holds the start of the range; undefined when the range is empty. */
  first(): number | undefined {
    return this.#startMs > this.#endMs ? undefined : this.#keys.blockOf(this.#startMs);
  }

  /** The keys of what a block holds of the range. */
  keysOf(blockStartMs: number): KeyRange {
    const start = Math.max(blockStartMs, this.#startMs);
    const end = Math.min(blockStartMs + blockMs - 1, this.#endMs);
    return { gte: this.#keys.first(blockStartMs, start), lt: this.#keys.first(blockStartMs, end + 1) };
  }

  /** The block after one, or after an empty one the next that may hold something. */
  async after(blockStartMs: number, wasEmpty: boolean): Promise<WalkStep> {
    const following = blockStartMs + blockMs;
    if (following > this.#endMs) return { blockStartMs: undefined, unreadable: undefined };
    if (!wasEmpty) return { blockStartMs: following, unreadable: undefined };
    const range = { gte: firstKeyOfBlock(following), lt: firstKeyOfBlock(this.#endMs + 1) };
    const key = await this.#database.firstKey(range, this.#snapshot);
    const unreadable = await this.#complaint({ gte: range.gte, lt: key ?? range.lt });
    if (key === undefined) return { blockStartMs: undefined, unreadable };
    // Blocks of other hosts begin at other offsets; the host's own next one begins then or up to an hour later.
    const found = Math.min(blockOfKey(key), maxInstantMs);
    const own = this.#keys.blockOf(found);
    const next = Math.max(own < found ? own + blockMs : own, following);
    return { blockStartMs: next > this.#endMs ? undefined : next, unreadable };
  }

  /** What LevelDB has to say of a range that looked empty: it skips what it cannot read. */
  async #complaint(range: KeyRange): Promise<string | undefined> {
    let complaint: string | undefined;
    const onDamage = (reason: string): void => {
      complaint = reason;
    };
    for await (const entries of this.#database.scan(range, { snapshot: this.#snapshot, onDamage })) {
      if (entries.length > 0) break;
    }
    return complaint;
  }
}
