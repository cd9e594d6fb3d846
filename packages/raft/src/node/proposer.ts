import type { Entry } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { ProposeOutcome } from "../message.ts";
import type { Engine } from "./engine.ts";
import { ticksOf } from "./options.ts";
import { type Applied, ProposalBook } from "./proposal-book.ts";

/** Brings the proposals of a turn into the log together, by the leader if that is another node. */
export class Proposer<Result> {
  readonly #engine: Engine;
  readonly #book: ProposalBook<Result>;

  constructor(engine: Engine) {
    this.#engine = engine;
    const { options } = engine;
    this.#book = new ProposalBook({ ...options, timeoutTicks: ticksOf(options.proposalTimeoutMs, options) });
  }

  /** @throws {RaftError} RAFT_PROPOSAL_TOO_LARGE or RAFT_OVERLOADED */
  propose(data: Uint8Array, signal: AbortSignal | undefined): Promise<Applied<Result>> {
    const { deps, options, ticks } = this.#engine;
    const { maxEntryBytes } = options;
    if (data.byteLength > maxEntryBytes) {
      throw new RaftError(
        "RAFT_PROPOSAL_TOO_LARGE",
        `expected a proposal of at most ${maxEntryBytes} bytes, got ${data.byteLength}`,
      );
    }
    return this.#book.add({ data, timestampMs: deps.clock.now() }, ticks, signal);
  }

  /** Hands what waits to the core. */
  offer(): void {
    if (!this.#book.queued) {
      return;
    }
    const tickets = this.#book.take();
    if (tickets.length === 0) {
      return;
    }
    const { options, raw, record } = this.#engine;
    const { leaderId } = raw;
    if (leaderId !== undefined && leaderId !== record.identity.nodeId && options.forwardProposals) {
      this.#forward(tickets);
      return;
    }
    try {
      this.#book.place(tickets, raw.propose(tickets.map(({ proposal }) => proposal)));
    } catch (error) {
      if (!(error instanceof RaftError) || error.code === "RAFT_INVARIANT") {
        throw error;
      }
      this.#book.refuse(tickets, error);
    }
  }

  /** Takes note of the leader's answer. */
  answered(requestId: number, outcome: ProposeOutcome): void {
    this.#book.answered(requestId, outcome);
  }

  /** Takes note of an applied entry and what came of it. */
  applied(entry: Entry, result: Result | undefined): void {
    this.#book.applied(entry, result);
  }

  /** Takes note that a snapshot skipped entries up to `index`. */
  skipped(index: number): void {
    this.#book.skipped(index);
  }

  /** Gives up what has waited too long. */
  expire(): void {
    this.#book.expire(this.#engine.ticks);
  }

  /** Ends everything. */
  end(cause: unknown): void {
    this.#book.end(cause);
  }

  /** Hands proposals to the leader, in messages of a size that it takes. */
  #forward(tickets: ReturnType<ProposalBook<Result>["take"]>): void {
    const { options, raw } = this.#engine;
    let from = 0;
    while (from < tickets.length) {
      let bytes = 0;
      let to = from;
      do {
        bytes += tickets[to]!.proposal.data.byteLength;
        to++;
      } while (
        to < tickets.length &&
        bytes + tickets[to]!.proposal.data.byteLength <= options.maxMessageBytes
      );
      const some = tickets.slice(from, to);
      const requestId = this.#engine.nextRequestId();
      raw.forwardProposals(
        requestId,
        some.map(({ proposal }) => proposal),
      );
      this.#book.forward(requestId, some);
      from = to;
    }
  }
}
