import type { LogIndex, NodeId } from "../entry.ts";

/** A read that was asked for: by this node or, on behalf of its own readers, by another. */
export interface ReadRequest {
  readonly from: NodeId;
  readonly requestId: number;
}

/** A read that may be answered from a state machine that has applied `index`. */
export interface ConfirmedRead extends ReadRequest {
  readonly index: LogIndex;
}

interface WaitingRead extends ConfirmedRead {
  readonly sequence: number;
}

/**
 * Reads that wait for proof that the leader still led after they came (§8). Reads that come between two rounds of
 * heartbeats share a sequence number of the leader's own; a heartbeat carries the newest, and its answer confirms
 * that one and all before it, never a later one.
 */
export class ReadQueue {
  readonly #maxReads: number;
  /** Came before the leader committed in its term; it does not know what is committed yet. */
  #parked: ReadRequest[] = [];
  #waiting: WaitingRead[] = [];
  #sequence = 0;
  #sent = 0;

  constructor(maxReads: number) {
    this.#maxReads = maxReads;
  }

  /** The newest sequence number that went out; 0 for none. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Reads that wait. */
  get size(): number {
    return this.#parked.length + this.#waiting.length;
  }

  /** Whether no further read may be added. */
  get full(): boolean {
    return this.size >= this.#maxReads;
  }

  /** Whether a round of heartbeats is needed. */
  get due(): boolean {
    return this.#sent < this.#sequence;
  }

  /** Adds a read at the commit index of now. */
  add({ from, requestId }: ReadRequest, index: LogIndex): void {
    if (this.#sent === this.#sequence) {
      this.#sequence++;
    }
    this.#waiting.push({ from, requestId, index, sequence: this.#sequence });
  }

  /** Adds a read that waits for the leader's first commit. */
  park({ from, requestId }: ReadRequest): void {
    this.#parked.push({ from, requestId });
  }

  /** Adds the parked reads at the leader's first commit. */
  unpark(index: LogIndex): void {
    for (const read of this.#parked) {
      this.add(read, index);
    }
    this.#parked = [];
  }

  /** Takes note that heartbeats with {@link sequence} go out. */
  markSent(): void {
    this.#sent = this.#sequence;
  }

  /** Takes out the reads that a quorum has confirmed. */
  confirm(sequence: number): ConfirmedRead[] {
    const first = this.#waiting[0];
    if (first === undefined || first.sequence > sequence) {
      return [];
    }
    let count = 1;
    while (count < this.#waiting.length && this.#waiting[count]!.sequence <= sequence) {
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}
