import type { LogIndex, LogPosition, Term } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { TermRun } from "../log-store.ts";

/**
 * The term of every entry of a log, as runs of equal terms: a few numbers for each election, however long the log.
 * So the consistency check and the search for a conflict never wait for a disk.
 */
export class TermRuns {
  #base: LogPosition;
  #lastIndex: LogIndex;
  #runs: TermRun[];

  /** @throws {RaftError} RAFT_LOG_CORRUPT when the runs do not fit the bounds, or terms fall */
  constructor(base: LogPosition, lastIndex: LogIndex, runs: readonly TermRun[]) {
    this.#base = base;
    this.#lastIndex = lastIndex;
    this.#runs = [...runs];
    let { index, term } = base;
    for (const [at, run] of runs.entries()) {
      const follows =
        at === 0 ? run.index === base.index + 1 && run.term >= term : run.index > index && run.term > term;
      if (!follows || run.index > lastIndex) {
        throw new RaftError(
          "RAFT_LOG_CORRUPT",
          `expected terms to rise after ${index}, got term ${run.term} at ${run.index}`,
          {
            index: run.index,
          },
        );
      }
      ({ index, term } = run);
    }
    if (lastIndex < base.index || lastIndex > base.index !== runs.length > 0) {
      throw new RaftError("RAFT_LOG_CORRUPT", `expected terms for entries ${base.index + 1} to ${lastIndex}`);
    }
  }

  /** The position before the first entry. */
  get base(): LogPosition {
    return this.#base;
  }

  /** The position of the last entry, or the base when there is none. */
  get last(): LogPosition {
    const run = this.#runs.at(-1);
    return run === undefined ? this.#base : { index: this.#lastIndex, term: run.term };
  }

  get lastIndex(): LogIndex {
    return this.#lastIndex;
  }

  get lastTerm(): Term {
    return this.#runs.at(-1)?.term ?? this.#base.term;
  }

  /** The term at `index`, base included; undefined outside. O(log(elections)), and O(1) in the newest term. */
  at(index: LogIndex): Term | undefined {
    if (index > this.#lastIndex || index < this.#base.index) {
      return undefined;
    }
    const run = this.#runAt(index);
    return run < 0 ? this.#base.term : this.#runs[run]!.term;
  }

  /** Adds one entry at the end. */
  push(term: Term): void {
    this.#lastIndex++;
    if (this.#runs.length === 0 || term !== this.#runs[this.#runs.length - 1]!.term) {
      this.#runs.push({ index: this.#lastIndex, term });
    }
  }

  /** Drops `index` and all after it; it is beyond the base. */
  truncate(index: LogIndex): void {
    this.#lastIndex = index - 1;
    while (this.#runs.length > 0 && this.#runs[this.#runs.length - 1]!.index >= index) {
      this.#runs.pop();
    }
  }

  /** Drops all up to `index`, which becomes the base; it is in the log. */
  compact(index: LogIndex): void {
    const run = this.#runAt(index);
    const term = this.at(index)!;
    this.#base = { index, term };
    this.#runs.splice(0, Math.max(run, 0));
    const first = this.#runs[0];
    if (first !== undefined && first.index <= index) {
      if (index === this.#lastIndex || this.#runs[1]?.index === index + 1) {
        this.#runs.shift();
      } else {
        this.#runs[0] = { index: index + 1, term: first.term };
      }
    }
  }

  /** Drops everything; the log goes on after `base`. */
  reset(base: LogPosition): void {
    this.#base = base;
    this.#lastIndex = base.index;
    this.#runs = [];
  }

  /**
   * The largest position at or before `index` whose term is not above `term`; the base when there is none. This is
   * how both sides skip a whole term of conflicting entries at a time (§5.3). O(elections).
   */
  lastAtMost(index: LogIndex, term: Term): LogPosition {
    let at = Math.min(index, this.#lastIndex);
    if (at <= this.#base.index) {
      return this.#base;
    }
    for (let run = this.#runAt(at); run >= 0; run--) {
      const { index: start, term: runTerm } = this.#runs[run]!;
      if (runTerm <= term) {
        return { index: at, term: runTerm };
      }
      at = start - 1;
    }
    return this.#base;
  }

  /** The run that holds `index`, −1 for the base. */
  #runAt(index: LogIndex): number {
    let low = 0;
    let high = this.#runs.length;
    if (high > 0 && this.#runs[high - 1]!.index <= index) {
      return high - 1;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#runs[middle]!.index <= index) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - 1;
  }
}
