import { type ConfState, isJoint } from "../conf-state.ts";
import type { LogIndex, LogPosition, Term } from "../entry.ts";
import { RaftError } from "../errors.ts";
import { Settler } from "./settler.ts";

interface Change {
  readonly settler: Settler<ConfState>;
  readonly deadline: number;
  /** Where the change is in the log; undefined while the leader has not answered. */
  position: LogPosition | undefined;
}

/** The changes of membership that this node asked for, from the call to the commit of the membership they end in. */
export class ChangeBook {
  readonly #timeoutTicks: number;
  readonly #forwarded = new Map<number, Change>();
  #placed: Change[] = [];

  constructor(timeoutTicks: number) {
    this.#timeoutTicks = timeoutTicks;
  }

  /** Takes note of a change that was appended here. */
  place(position: LogPosition, now: number, signal: AbortSignal | undefined): Promise<ConfState> {
    const change = this.#open(now, signal);
    change.position = position;
    this.#placed.push(change);
    return change.settler.promise;
  }

  /** Takes note of a change that is on its way to the leader. */
  forward(requestId: number, now: number, signal: AbortSignal | undefined): Promise<ConfState> {
    const change = this.#open(now, signal);
    this.#forwarded.set(requestId, change);
    return change.settler.promise;
  }

  /** Takes note of the leader's answer. */
  answered(requestId: number, outcome: LogPosition | { readonly refused: RaftError["code"] }): void {
    const change = this.#forwarded.get(requestId);
    if (change === undefined) {
      return;
    }
    this.#forwarded.delete(requestId);
    if ("refused" in outcome) {
      change.settler.reject(
        new RaftError(outcome.refused, "expected the leader to take the change, got a refusal"),
      );
    } else {
      change.position = outcome;
      this.#placed.push(change);
    }
  }

  /** Takes note that an entry was applied; `conf` is the membership as of it. */
  applied(index: LogIndex, term: Term, conf: ConfState): void {
    if (this.#placed.length === 0) {
      return;
    }
    this.#placed = this.#placed.filter((change) => !this.#advance(change, index, term, conf));
  }

  /** Takes note that a snapshot took the state machine to `index`. */
  skipped(index: LogIndex): void {
    this.#placed = this.#placed.filter((change) => {
      const past = change.position!.index <= index;
      if (past) {
        change.settler.reject(unknownOutcome());
      }
      return !past;
    });
  }

  /** Gives up what has waited too long. */
  expire(now: number): void {
    const inTime = (change: Change): boolean => {
      if (change.deadline <= now) {
        change.settler.reject(unknownOutcome());
      }
      return !change.settler.settled;
    };
    this.#placed = this.#placed.filter(inTime);
    for (const [requestId, change] of this.#forwarded) {
      if (!inTime(change)) {
        this.#forwarded.delete(requestId);
      }
    }
  }

  /** Ends everything. */
  end(cause: unknown): void {
    for (const { settler } of [...this.#placed, ...this.#forwarded.values()]) {
      settler.reject(unknownOutcome(cause));
    }
    this.#placed = [];
    this.#forwarded.clear();
  }

  #open(now: number, signal: AbortSignal | undefined): Change {
    const settler = new Settler<ConfState>(signal);
    return { settler, deadline: now + this.#timeoutTicks, position: undefined };
  }

  /** Whether the change came to its end. */
  #advance(change: Change, index: LogIndex, term: Term, conf: ConfState): boolean {
    const position = change.position!;
    if (index < position.index) {
      return false;
    }
    if (index === position.index && term !== position.term) {
      change.settler.reject(
        new RaftError("RAFT_PROPOSAL_LOST", `expected term ${position.term} at entry ${index}, got ${term}`),
      );
      return true;
    }
    // The entry that ends a joint membership comes from whoever leads then, so any is taken.
    if (isJoint(conf)) {
      return false;
    }
    change.settler.resolve(conf);
    return true;
  }
}

function unknownOutcome(cause?: unknown): RaftError {
  return new RaftError(
    "RAFT_OUTCOME_UNKNOWN",
    "expected to see the change of membership committed",
    cause === undefined ? {} : { cause },
  );
}
