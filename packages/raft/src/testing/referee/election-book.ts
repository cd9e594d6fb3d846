import type { NodeId, Term } from "../../entry.ts";
import { hold } from "./violation.ts";

/** Who led and who voted for whom, in every term. */
export class ElectionBook {
  readonly #leaders = new Map<Term, NodeId>();
  readonly #votes = new Map<string, NodeId>();

  /** Terms that had a leader. */
  get count(): number {
    return this.#leaders.size;
  }

  leader(term: Term): NodeId | undefined {
    return this.#leaders.get(term);
  }

  /**
   * Takes note of a leader.
   *
   * @returns whether this is news
   * @throws {Violation} when another led the same term (§5.2)
   */
  led(term: Term, id: NodeId): boolean {
    const before = this.#leaders.get(term);
    hold(
      before === undefined || before === id,
      "one leader a term",
      () => `expected ${before} to be the only leader of term ${term}, got ${id}`,
    );
    this.#leaders.set(term, id);
    return before === undefined;
  }

  /**
   * Takes note of a vote that left its voter.
   *
   * @param voter - the voter with the life of its storage: a disk that was lost took the votes along
   * @throws {Violation} when it voted otherwise in this term, be it before a crash
   */
  voted(voter: string, term: Term, candidate: NodeId): void {
    const key = `${voter} ${term}`;
    const before = this.#votes.get(key);
    hold(
      before === undefined || before === candidate,
      "one vote a term",
      () => `expected ${voter} to vote once in term ${term}, got ${before} and ${candidate}`,
    );
    this.#votes.set(key, candidate);
  }
}
