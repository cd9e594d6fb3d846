import type { NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import { Settler } from "./settler.ts";

interface Transfer {
  readonly target: NodeId;
  readonly settler: Settler<void>;
  readonly deadline: number;
}

/** The transfers of leadership that this node asked for, until their target leads. */
export class TransferBook {
  readonly #timeoutTicks: number;
  #transfers: Transfer[] = [];

  constructor(timeoutTicks: number) {
    this.#timeoutTicks = timeoutTicks;
  }

  add(target: NodeId, now: number, signal: AbortSignal | undefined): Promise<void> {
    const settler = new Settler<void>(signal);
    this.#transfers.push({ target, settler, deadline: now + this.#timeoutTicks });
    return settler.promise;
  }

  /** Takes note of who leads. */
  elected(leaderId: NodeId | undefined): void {
    for (const { target, settler } of this.#transfers) {
      if (target === leaderId) {
        settler.resolve();
      }
    }
  }

  /** Gives up what has waited too long. */
  expire(now: number): void {
    this.#transfers = this.#transfers.filter(({ settler, deadline, target }) => {
      if (deadline <= now) {
        settler.reject(new RaftError("RAFT_TRANSFER_FAILED", `expected ${target} to be elected in time`));
      }
      return !settler.settled;
    });
  }

  /** Ends everything. */
  end(cause: unknown): void {
    for (const { settler } of this.#transfers) {
      settler.reject(new RaftError("RAFT_STOPPED", "expected a running node", { cause }));
    }
    this.#transfers = [];
  }
}
