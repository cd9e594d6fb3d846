import type { LogIndex } from "../entry.ts";
import { RaftError } from "../errors.ts";
import { Settler } from "./settler.ts";

interface Waiting {
  readonly run: () => void;
  readonly settler: Settler<unknown>;
  readonly deadline: number;
}

/** Reads that may run when `index` is applied. */
interface Confirmed {
  readonly index: LogIndex;
  readonly reads: Waiting[];
}

/**
 * The reads of this node. Those that come in one turn share a request; when its index is known, they wait until it is
 * applied. Asking again is always safe, so a lost request costs time and nothing else.
 */
export class ReadBook {
  readonly #maxReads: number;
  readonly #timeoutTicks: number;
  readonly #retryTicks: number;
  #queue: Waiting[] = [];
  readonly #asked = new Map<number, { readonly reads: Waiting[]; readonly askedAt: number }>();
  #confirmed: Confirmed[] = [];
  readonly #nextRequestId: () => number;
  #count = 0;

  /** @param nextRequestId - gives a name that no request of this node had, in an earlier run neither */
  constructor(maxReads: number, timeoutTicks: number, retryTicks: number, nextRequestId: () => number) {
    this.#nextRequestId = nextRequestId;
    this.#maxReads = maxReads;
    this.#timeoutTicks = timeoutTicks;
    this.#retryTicks = retryTicks;
  }

  /** Whether reads wait to be asked for. */
  get queued(): boolean {
    return this.#queue.length > 0;
  }

  /** Whether reads wait for the state machine only. */
  get confirmedWaiting(): boolean {
    return this.#confirmed.length > 0;
  }

  /** @throws {RaftError} RAFT_OVERLOADED when too many wait */
  add<Value>(query: () => Value, now: number, signal: AbortSignal | undefined): Promise<Value> {
    if (this.#count >= this.#maxReads) {
      throw new RaftError("RAFT_OVERLOADED", `expected fewer than ${this.#maxReads} reads to wait`);
    }
    const settler = new Settler<Value>(signal);
    const run = (): void => {
      try {
        settler.resolve(query());
      } catch (error) {
        settler.reject(error);
      }
    };
    this.#queue.push({ run, settler: settler as Settler<unknown>, deadline: now + this.#timeoutTicks });
    this.#count++;
    return settler.promise;
  }

  /**
   * Asks for all that wait.
   *
   * @param ask - sends the request; throws when there is nobody to ask, and then they go on waiting
   */
  ask(now: number, ask: (requestId: number) => void): void {
    const requestId = this.#nextRequestId();
    try {
      ask(requestId);
    } catch (error) {
      if (error instanceof RaftError && error.code === "RAFT_NOT_LEADER") {
        return;
      }
      for (const read of this.#queue) {
        this.#end(read, error);
      }
      this.#queue = [];
      return;
    }
    this.#asked.set(requestId, { reads: this.#queue, askedAt: now });
    this.#queue = [];
  }

  /** Puts back what was asked for: its answer may never come. */
  askAgain(): void {
    for (const { reads } of this.#asked.values()) {
      this.#queue.push(...reads);
    }
    this.#asked.clear();
  }

  /** Takes note of an answer. */
  confirmed(requestId: number, index: LogIndex): void {
    const asked = this.#asked.get(requestId);
    if (asked !== undefined) {
      this.#asked.delete(requestId);
      this.#confirmed.push({ index, reads: asked.reads });
    }
  }

  /** Runs the reads that may see a state machine which has applied `index`. */
  serve(index: LogIndex): void {
    if (this.#confirmed.length === 0) {
      return;
    }
    const waiting: Confirmed[] = [];
    for (const group of this.#confirmed) {
      if (group.index > index) {
        waiting.push(group);
        continue;
      }
      for (const read of group.reads) {
        this.#count--;
        if (!read.settler.settled) {
          read.run();
        }
      }
    }
    this.#confirmed = waiting;
  }

  /** Gives up what has waited too long, and asks again for what has waited long enough to doubt the answer. */
  expire(now: number): void {
    for (const [requestId, { reads, askedAt }] of this.#asked) {
      if (now - askedAt >= this.#retryTicks) {
        this.#asked.delete(requestId);
        this.#queue.push(...reads);
      }
    }
    const inTime = (read: Waiting): boolean => {
      if (read.deadline > now && !read.settler.settled) {
        return true;
      }
      this.#end(read, new RaftError("RAFT_TIMEOUT", "expected the read to be confirmed in time"));
      return false;
    };
    this.#queue = this.#queue.filter(inTime);
    this.#confirmed = this.#confirmed
      .map(({ index, reads }) => ({ index, reads: reads.filter(inTime) }))
      .filter(({ reads }) => reads.length > 0);
  }

  /** Ends everything. */
  end(cause: unknown): void {
    this.refuse(new RaftError("RAFT_STOPPED", "expected a running node", { cause }));
  }

  /** Turns all away who wait. */
  refuse(error: RaftError): void {
    this.askAgain();
    for (const read of [...this.#queue, ...this.#confirmed.flatMap(({ reads }) => reads)]) {
      this.#end(read, error);
    }
    this.#queue = [];
    this.#confirmed = [];
  }

  #end(read: Waiting, error: unknown): void {
    this.#count--;
    read.settler.reject(error);
  }
}
