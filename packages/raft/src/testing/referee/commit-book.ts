import type { ConfState } from "../../conf-state.ts";
import type { LogIndex, Term } from "../../entry.ts";
import type { EntryBook } from "./entry-book.ts";
import { hold } from "./violation.ts";

/**
 * What is committed: what a leader rightly took for committed, and all before it. Never changes once it is here.
 */
export class CommitBook {
  readonly #entries: EntryBook;
  /** By index. */
  readonly #terms: Term[] = [0];
  readonly #confs: { readonly index: LogIndex; readonly conf: ConfState }[] = [];
  /** The last index that the leader of each term committed; ascending by term, but for late news. */
  readonly #byLeader = new Map<Term, LogIndex>();

  constructor(entries: EntryBook) {
    this.#entries = entries;
  }

  /** The last index that is committed. */
  get last(): LogIndex {
    return this.#terms.length - 1;
  }

  /** The membership that was committed last. */
  get conf(): ConfState | undefined {
    return this.#confs.at(-1)?.conf;
  }

  /** The term of the committed entry at `index`; undefined when none is committed there. */
  term(index: LogIndex): Term | undefined {
    return this.#terms[index];
  }

  /** The membership as of a committed index. */
  confAt(index: LogIndex): { readonly index: LogIndex; readonly conf: ConfState } | undefined {
    return this.#confs.findLast((each) => each.index <= index);
  }

  /** The last index that leaders of terms before `term` committed. O(terms). */
  lastBefore(term: Term): LogIndex {
    let last = 0;
    for (const [each, index] of this.#byLeader) {
      if (each < term && index > last) {
        last = index;
      }
    }
    return last;
  }

  /** Whether the leader of a term is known to have committed an entry of its own. */
  hasCommitted(term: Term): boolean {
    return this.#byLeader.has(term);
  }

  /**
   * Takes note that a leader committed everything up to its entry at `index`.
   *
   * @param term - the term of that entry, and of its leader
   */
  commit(index: LogIndex, term: Term): void {
    const chain: Term[] = [];
    let at = index;
    let entryTerm: Term | undefined = term;
    for (; at > this.last; at--) {
      hold(entryTerm !== undefined, "log matching", () => `expected to know the entry before ${at + 1}`);
      chain.push(entryTerm);
      entryTerm = this.#entries.find(at, entryTerm)?.prevTerm;
    }
    hold(
      entryTerm === undefined || this.#terms[at] === entryTerm,
      "state machine safety",
      () => `expected committed entry ${at} to stay of term ${this.#terms[at]}, got ${entryTerm}`,
    );
    for (const each of chain.reverse()) {
      const next = this.#terms.push(each) - 1;
      const conf = this.#entries.find(next, each)?.conf;
      if (conf !== undefined) {
        this.#confs.push({ index: next, conf });
      }
    }
    this.#byLeader.set(term, Math.max(index, this.#byLeader.get(term) ?? 0));
  }
}
