import type { Entry, LogIndex, LogPosition, Proposal, Term } from "../entry.ts";
import { RaftError, type RaftErrorCode } from "../errors.ts";
import type { ProposeOutcome } from "../message.ts";
import { Settler } from "./settler.ts";

/** What became of a proposal. */
export interface Applied<Result> {
  readonly index: LogIndex;
  readonly term: Term;
  readonly result: Result;
}

interface Ticket<Result> {
  readonly proposal: Proposal;
  readonly settler: Settler<Applied<Result>>;
  readonly deadline: number;
}

interface Placed<Result> extends Ticket<Result> {
  readonly term: Term;
}

/** What bounds a {@link ProposalBook}. */
export interface ProposalBookLimits {
  readonly maxPendingProposals: number;
  readonly maxPendingBytes: number;
  /** Ticks until a proposal's outcome is given up as unknown. */
  readonly timeoutTicks: number;
}

/**
 * The proposals of this node from `propose` to their result. They wait in a queue for the next turn, then in the log
 * for their index to be applied. When it is, the entry there either has their term, and then it is theirs, or it has
 * another, and then they are lost for good; who leads meanwhile does not matter.
 */
export class ProposalBook<Result> {
  readonly #limits: ProposalBookLimits;
  #queue: Ticket<Result>[] = [];
  readonly #placed = new Map<LogIndex, Placed<Result>>();
  readonly #forwarded = new Map<number, readonly Ticket<Result>[]>();
  /** Results at indexes that a forwarded proposal may turn out to have; kept only while one is forwarded. */
  readonly #unclaimed = new Map<LogIndex, { readonly term: Term; readonly result: Result | undefined }>();
  #count = 0;
  #bytes = 0;

  constructor(limits: ProposalBookLimits) {
    this.#limits = limits;
  }

  /** Whether proposals wait to be handed to the core. */
  get queued(): boolean {
    return this.#queue.length > 0;
  }

  /** @throws {RaftError} RAFT_OVERLOADED when too much waits */
  add(proposal: Proposal, now: number, signal: AbortSignal | undefined): Promise<Applied<Result>> {
    const { maxPendingBytes, maxPendingProposals, timeoutTicks } = this.#limits;
    const size = proposal.data.byteLength;
    if (this.#count >= maxPendingProposals || (this.#bytes + size > maxPendingBytes && this.#count > 0)) {
      throw new RaftError(
        "RAFT_OVERLOADED",
        `expected fewer than ${maxPendingProposals} proposals and ${maxPendingBytes} bytes to wait`,
      );
    }
    const settler = new Settler<Applied<Result>>(signal);
    this.#queue.push({ proposal, settler, deadline: now + timeoutTicks });
    this.#count++;
    this.#bytes += size;
    return settler.promise;
  }

  /** Takes the proposals that wait for the core; those given up meanwhile are left out. */
  take(): Ticket<Result>[] {
    const taken = this.#queue;
    this.#queue = [];
    return taken.filter((ticket) => {
      if (ticket.settler.settled) {
        this.#close(ticket);
        return false;
      }
      return true;
    });
  }

  /** Takes note of where proposals were appended. */
  place(tickets: readonly Ticket<Result>[], { index, term }: LogPosition): void {
    tickets.forEach((ticket, at) => {
      const placed: Placed<Result> = { ...ticket, term };
      const other = this.#placed.get(index + at);
      if (other === undefined || other.term < term) {
        this.#placed.set(index + at, placed);
      }
      if (other !== undefined) {
        // The leader of the later term does not have the earlier one there, and so it was never committed.
        const lost = other.term < term ? other : placed;
        this.#fail(
          lost,
          "RAFT_PROPOSAL_LOST",
          `expected term ${lost.term} at entry ${index + at}, got a later one`,
        );
      }
    });
  }

  /** Takes note that proposals are on their way to the leader. */
  forward(requestId: number, tickets: readonly Ticket<Result>[]): void {
    this.#forwarded.set(requestId, tickets);
  }

  /** Takes note of the leader's answer. */
  answered(requestId: number, outcome: ProposeOutcome): void {
    const tickets = this.#forwarded.get(requestId);
    if (tickets === undefined) {
      return;
    }
    this.#forwarded.delete(requestId);
    if ("refused" in outcome) {
      this.refuse(
        tickets,
        new RaftError(outcome.refused, "expected the leader to take the proposal, got a refusal"),
      );
    } else {
      tickets.forEach((ticket, at) => {
        this.#claim(ticket, { index: outcome.index + at, term: outcome.term });
      });
    }
    if (this.#forwarded.size === 0) {
      this.#unclaimed.clear();
    }
  }

  /** Takes note of an applied entry and what came of it. */
  applied(entry: Entry, result: Result | undefined): void {
    const { index, term } = entry;
    const placed = this.#placed.get(index);
    if (placed !== undefined) {
      this.#placed.delete(index);
      this.#settle(placed, { index, term: placed.term }, term, result);
    } else if (this.#forwarded.size > 0) {
      this.#unclaimed.set(index, { term, result });
      if (this.#unclaimed.size > MAX_UNCLAIMED) {
        this.#unclaimed.delete(this.#unclaimed.keys().next().value!);
      }
    }
  }

  /** Takes note that a snapshot skipped entries up to `index`: what became of proposals there is not known here. */
  skipped(index: LogIndex): void {
    for (const [at, placed] of this.#placed) {
      if (at <= index) {
        this.#placed.delete(at);
        this.#fail(
          placed,
          "RAFT_OUTCOME_UNKNOWN",
          "expected to see the proposal applied, got a snapshot past it",
        );
      }
    }
  }

  /** Gives up what has waited too long. */
  expire(now: number): void {
    const late = (ticket: Ticket<Result>): boolean => ticket.deadline <= now;
    for (const [index, placed] of this.#placed) {
      // Older proposals have lower indexes, but for those overwritten; nearly always the first decides.
      if (!late(placed)) {
        break;
      }
      this.#placed.delete(index);
      this.#fail(placed, "RAFT_OUTCOME_UNKNOWN", "expected the proposal to be applied in time");
    }
    for (const [requestId, tickets] of this.#forwarded) {
      if (!tickets.some(late)) {
        break;
      }
      this.#forwarded.delete(requestId);
      for (const ticket of tickets) {
        this.#fail(ticket, "RAFT_OUTCOME_UNKNOWN", "expected the leader to answer in time");
      }
    }
  }

  /** Turns proposals away. */
  refuse(tickets: readonly Ticket<Result>[], error: unknown): void {
    for (const ticket of tickets) {
      this.#close(ticket);
      ticket.settler.reject(error);
    }
  }

  /** Ends everything: the queue was never appended, the rest may have been. */
  end(cause: unknown): void {
    for (const ticket of this.take()) {
      this.#fail(ticket, "RAFT_STOPPED", "expected a running node", cause);
    }
    for (const ticket of [...this.#placed.values(), ...[...this.#forwarded.values()].flat()]) {
      this.#fail(
        ticket,
        "RAFT_OUTCOME_UNKNOWN",
        "expected the node to run until the proposal was applied",
        cause,
      );
    }
    this.#placed.clear();
    this.#forwarded.clear();
    this.#unclaimed.clear();
  }

  #claim(ticket: Ticket<Result>, position: LogPosition): void {
    const seen = this.#unclaimed.get(position.index);
    if (seen === undefined) {
      this.place([ticket], position);
    } else {
      this.#settle(ticket, position, seen.term, seen.result);
    }
  }

  #settle(
    ticket: Ticket<Result>,
    { index, term }: LogPosition,
    found: Term,
    result: Result | undefined,
  ): void {
    if (found === term) {
      this.#close(ticket);
      ticket.settler.resolve({ index, term, result: result as Result });
    } else {
      this.#fail(ticket, "RAFT_PROPOSAL_LOST", `expected term ${term} at entry ${index}, got ${found}`);
    }
  }

  #fail(ticket: Ticket<Result>, code: RaftErrorCode, message: string, cause?: unknown): void {
    this.#close(ticket);
    ticket.settler.reject(new RaftError(code, message, cause === undefined ? {} : { cause }));
  }

  #close({ proposal }: Ticket<Result>): void {
    this.#count--;
    this.#bytes -= proposal.data.byteLength;
  }
}

/** A leader answers before it commits, so an answer is overtaken by few entries, if any. */
const MAX_UNCLAIMED = 4096;
