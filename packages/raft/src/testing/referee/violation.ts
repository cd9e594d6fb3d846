/** What must hold in every run. The first fifteen are checked after every step, the last when faults have ended. */
export type InvariantName =
  | "one leader a term"
  | "term, vote and commit never go back"
  | "one vote a term"
  | "log matching"
  | "leader completeness"
  | "state machine safety"
  | "leaders only append"
  | "commit by a quorum of the term"
  | "acknowledged is committed"
  | "reads are linearizable"
  | "each request once"
  | "one change of membership at a time"
  | "a snapshot is its log"
  | "sent is durable"
  | "bounds"
  | "no internal failure"
  | "liveness";

/** An invariant that did not hold. */
export class Violation extends Error {
  override readonly name: "Violation" = "Violation";
  readonly invariant: InvariantName;

  constructor(invariant: InvariantName, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.invariant = invariant;
  }
}

/** @throws {Violation} when it does not hold */
export function hold(condition: boolean, invariant: InvariantName, message: () => string): asserts condition {
  if (!condition) {
    throw new Violation(invariant, message());
  }
}

/** As {@link hold} where a closure for each check costs more than the check. */
export function violate(invariant: InvariantName, message: string): never {
  throw new Violation(invariant, message);
}
