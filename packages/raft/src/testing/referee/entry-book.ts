import { type ConfState, decodeConfState } from "../../conf-state.ts";
import type { Entry, LogIndex, Term } from "../../entry.ts";
import type { LogImage } from "../../memory/log-image.ts";
import { hold } from "./violation.ts";

/** What is known of the one entry that has an index and a term. */
export interface EntryFact {
  readonly entry: Entry;
  /** Term of the entry before it; undefined while nobody told. */
  prevTerm: Term | undefined;
  /** The membership it brings, if it does. */
  readonly conf: ConfState | undefined;
  /** Whether its membership was compared with the one before. */
  ruled: boolean;
}

/**
 * Every entry that any log ever held. Log matching (§5.3) holds exactly when index and term name one entry, and one
 * term before it: the rest follows by induction, so each entry is looked at once and no two logs are compared.
 */
export class EntryBook {
  readonly #facts: (EntryFact[] | undefined)[] = [];

  /** @throws {Violation} when another entry has this index and term */
  record(entry: Entry, prevTerm: Term | undefined): EntryFact {
    const facts = this.#facts[entry.index] ?? [];
    this.#facts[entry.index] = facts;
    for (const fact of facts) {
      if (fact.entry.term !== entry.term) {
        continue;
      }
      hold(
        fact.entry === entry || isSame(fact.entry, entry),
        "log matching",
        () => `expected one entry ${entry.index} of term ${entry.term}, got two`,
      );
      hold(
        prevTerm === undefined || fact.prevTerm === undefined || fact.prevTerm === prevTerm,
        "log matching",
        () => `expected term ${fact.prevTerm} before entry ${entry.index}/${entry.term}, got ${prevTerm}`,
      );
      fact.prevTerm ??= prevTerm;
      return fact;
    }
    const conf = entry.type === "config" ? decodeConfState(entry.data) : undefined;
    const fact: EntryFact = { entry, prevTerm, conf, ruled: false };
    facts.push(fact);
    return fact;
  }

  /** Every entry that any log ever held at `index`. */
  at(index: LogIndex): readonly EntryFact[] {
    return this.#facts[index] ?? [];
  }

  find(index: LogIndex, term: Term): EntryFact | undefined {
    return this.at(index).find(({ entry }) => entry.term === term);
  }
}

/** The term at `index` in a log, its base included; undefined outside. */
export function termIn({ base, entries }: LogImage, index: LogIndex): Term | undefined {
  return index === base.index ? base.term : entries[index - base.index - 1]?.term;
}

/** Whether two entries of one index and term are one. */
export function isSame(a: Entry, b: Entry): boolean {
  return a.type === b.type && a.timestampMs === b.timestampMs && Buffer.compare(a.data, b.data) === 0;
}
