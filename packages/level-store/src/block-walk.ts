import { blockMs } from "@mon/store";
import { firstKeyOfBlock } from "./chunk-key.ts";
import type { Database, KeyRange, Snapshot } from "./database.ts";
import type { HostBlocks } from "./host-blocks.ts";
import { getInteger, maxInstantMs, viewOf } from "./key.ts";

/** A step of a walk: the block to look at next, and what cannot be read of those that were skipped. */
export interface WalkStep {
  /** Undefined at the end of the range. */
  readonly blockStartMs: number | undefined;
  readonly unreadable: string | undefined;
}

/** What is walked. */
export interface WalkDeps {
  readonly database: Database;
  readonly snapshot: Snapshot;
  readonly blocks: HostBlocks;
  /** When there are fragments in memory, in order. */
  readonly headMs: Float64Array;
}

/**
 * Goes through the blocks of a host that overlap a range of instants, in order. Where it is told that a block was empty,
 * it seeks to the next block that holds anything at all, so that a range of years costs what its data does.
 */
export class BlockWalk {
  readonly startMs: number;
  readonly endMs: number;
  readonly #deps: WalkDeps;

  /** The range is clamped to instants that a `Date` can hold. */
  constructor(deps: WalkDeps, startMs: number, endMs: number) {
    this.#deps = deps;
    this.startMs = Math.max(Math.ceil(startMs), -maxInstantMs);
    this.endMs = Math.min(Math.floor(endMs), maxInstantMs);
  }

  /** The block that holds the start of the range; undefined when the range is empty. */
  first(): number | undefined {
    return this.startMs > this.endMs ? undefined : this.#deps.blocks.startOf(this.startMs);
  }

  /** The block after one, or after an empty one the next that may hold something. */
  async after(blockStartMs: number, wasEmpty: boolean): Promise<WalkStep> {
    const following = blockStartMs + blockMs;
    if (following > this.endMs) return { blockStartMs: undefined, unreadable: undefined };
    if (!wasEmpty) return { blockStartMs: following, unreadable: undefined };
    const range = { gte: firstKeyOfBlock(following), lt: firstKeyOfBlock(this.endMs + 1) };
    const key = await this.#deps.database.firstKey(range, this.#deps.snapshot);
    const unreadable = await this.#complaint({ gte: range.gte, lt: key ?? range.lt });
    const next = Math.min(
      key === undefined ? Number.POSITIVE_INFINITY : this.#ownBlockAt(getInteger(viewOf(key), 1), following),
      this.#headBlockFrom(following),
    );
    return { blockStartMs: next > this.endMs ? undefined : next, unreadable };
  }

  /** Blocks of other hosts begin at other offsets; the host's own next one begins then or up to an hour later. */
  #ownBlockAt(foundMs: number, following: number): number {
    const own = this.#deps.blocks.startOf(Math.min(foundMs, maxInstantMs));
    return Math.max(own < foundMs ? own + blockMs : own, following);
  }

  #headBlockFrom(instantMs: number): number {
    const { headMs, blocks } = this.#deps;
    const index = firstFrom(headMs, instantMs);
    return index === headMs.length ? Number.POSITIVE_INFINITY : blocks.startOf(headMs[index]!);
  }

  /** What LevelDB has to say of a range that looked empty: it skips what it cannot read. */
  async #complaint(range: KeyRange): Promise<string | undefined> {
    const { database, snapshot } = this.#deps;
    let complaint: string | undefined;
    const onDamage = (reason: string): void => {
      complaint = reason;
    };
    for await (const entries of database.scan(range, { snapshot, onDamage })) {
      if (entries.length > 0) break;
    }
    return complaint;
  }
}

/** The index of the first of rising numbers that is not below another. */
export function firstFrom(rising: ArrayLike<number>, least: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rising[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
