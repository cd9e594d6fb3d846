import { type Entry, entrySize, type LogIndex, type LogPosition, origin } from "../entry.ts";
import { invariant, RaftError } from "../errors.ts";
import type { HardState } from "../hard-state.ts";
import type { LogBatch, LogState, TermRun } from "../log-store.ts";

/**
 * The contents of a log store, as plain data with the effect that each operation must have. What
 * {@link MemoryLogStore} keeps, and a model to compare other stores with.
 */
export class LogImage {
  hardState: HardState | undefined;
  base: LogPosition = origin;
  /** Ascending from `base.index + 1`. */
  entries: Entry[] = [];

  get lastIndex(): LogIndex {
    return this.base.index + this.entries.length;
  }

  /** @throws {RaftError} RAFT_INVARIANT when the batch leaves a hole */
  append({ hardState, reset, entries }: LogBatch): void {
    if (reset !== undefined) {
      this.base = reset;
      this.entries = [];
    }
    const first = entries[0];
    if (first !== undefined) {
      invariant(
        first.index > this.base.index && first.index <= this.lastIndex + 1,
        `expected an entry from ${this.base.index + 1} to ${this.lastIndex + 1}, got ${first.index}`,
      );
      this.entries.length = first.index - this.base.index - 1;
      for (const entry of entries) {
        invariant(
          entry.index === this.lastIndex + 1,
          `expected entry ${this.lastIndex + 1}, got ${entry.index}`,
        );
        this.entries.push(entry);
      }
    }
    this.hardState = hardState;
  }

  /** @throws {RaftError} RAFT_LOG_COMPACTED when `from` is gone */
  read(from: LogIndex, to: LogIndex, maxBytes: number): Entry[] {
    if (from <= this.base.index) {
      throw new RaftError("RAFT_LOG_COMPACTED", `expected an index above ${this.base.index}, got ${from}`, {
        index: from,
      });
    }
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of this.entries.slice(from - this.base.index - 1, to - this.base.index - 1)) {
      bytes += entrySize(entry);
      if (bytes > maxBytes && found.length > 0) {
        break;
      }
      found.push(entry);
    }
    return found;
  }

  compact(base: LogPosition): void {
    if (base.index > this.base.index) {
      this.entries.splice(0, base.index - this.base.index);
      this.base = base;
    }
  }

  state(): LogState {
    const terms: TermRun[] = [];
    for (const { index, term } of this.entries) {
      if (terms.at(-1)?.term !== term) {
        terms.push({ index, term });
      }
    }
    return {
      hardState: this.hardState,
      base: this.base,
      lastIndex: this.lastIndex,
      terms,
      configs: this.entries.filter(({ type }) => type === "config"),
    };
  }

  clone(): LogImage {
    const copy = new LogImage();
    copy.hardState = this.hardState;
    copy.base = this.base;
    copy.entries = [...this.entries];
    return copy;
  }
}
