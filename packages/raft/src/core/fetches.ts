import type { Entry, LogIndex } from "../entry.ts";
import type { Progress } from "./tracker/progress.ts";

/** Entries that the core wants read from the log store. */
export interface LogFetch {
  /** Names the request in {@link RawNode.fetched}. */
  readonly id: number;
  readonly from: LogIndex;
  /** Exclusive. */
  readonly to: LogIndex;
  readonly maxBytes: number;
}

/**
 * Reads of the log store that are asked for or under way; one for each follower that is far behind, and one to apply.
 */
export class Fetches {
  /** For whom each is; undefined for the state machine. */
  readonly #owners = new Map<number, Progress | undefined>();
  #asked: LogFetch[] = [];
  #lastId = 0;

  /** Whether {@link take} would give something. */
  get due(): boolean {
    return this.#asked.length > 0;
  }

  /** Asks for entries on behalf of a follower, or of the state machine. */
  ask(owner: Progress | undefined, from: LogIndex, to: LogIndex, maxBytes: number): number {
    const id = ++this.#lastId;
    this.#owners.set(id, owner);
    this.#asked.push({ id, from, to, maxBytes });
    return id;
  }

  /** Takes the requests that have not gone out. */
  take(): LogFetch[] {
    const asked = this.#asked;
    this.#asked = [];
    return asked;
  }

  /** Ends a request; true when it was for the state machine. */
  end(id: number, entries: readonly Entry[]): boolean {
    if (!this.#owners.has(id)) {
      return false;
    }
    const owner = this.#owners.get(id);
    this.#owners.delete(id);
    if (owner !== undefined && owner.readId === id) {
      owner.readId = 0;
      owner.fetched = entries;
    }
    return owner === undefined;
  }
}
