import type { Message } from "@mon/raft";

/** How much an outbox holds. */
export interface OutboxLimits {
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
}

interface Queued {
  readonly message: Message;
  readonly bytes: number;
}

/**
 * Messages that wait for one peer, bounded by count and bytes.
 *
 * A heartbeat says all that an earlier one said, so only the newest of each kind waits. When there is no room, the appends
 * with entries go first, all of them: those behind a lost one would be rejected, and the leader sends anew from where the
 * follower is. Then the oldest go.
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  #queued: Queued[] = [];
  #bytes = 0;

  constructor(limits: OutboxLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#queued.length;
  }

  /** What the messages take on the wire at most. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Queues a message.
   *
   * @param bytes - what it takes on the wire, at most `maxQueuedBytes`
   * @returns how many others were lost to make room for it
   */
  push(message: Message, bytes: number): number {
    if (message.type === "heartbeat" || message.type === "heartbeatResponse") {
      this.#keep(({ message: { type } }) => type !== message.type);
    }
    const lost = this.#makeRoom(bytes);
    this.#queued.push({ message, bytes });
    this.#bytes += bytes;
    return lost;
  }

  /** Takes messages from the front, at least one and then as many as fit; undefined when nothing waits. */
  take(bytesMax: number): Message[] | undefined {
    if (this.#queued.length === 0) return undefined;
    let bytes = 0;
    const end = this.#queued.findIndex((queued, index) => {
      bytes += queued.bytes;
      return index > 0 && bytes > bytesMax;
    });
    const taken = this.#queued.splice(0, end === -1 ? this.#queued.length : end);
    for (const queued of taken) this.#bytes -= queued.bytes;
    return taken.map(({ message }) => message);
  }

  /** Drops everything. @returns how many messages that was */
  clear(): number {
    return this.#keep(() => false);
  }

  #makeRoom(bytes: number): number {
    if (this.#hasRoom(bytes)) return 0;
    let lost = this.#keep(({ message }) => message.type !== "append" || message.entries.length === 0);
    while (!this.#hasRoom(bytes)) {
      // There is room when nothing waits, so something does.
      this.#bytes -= this.#queued.shift()!.bytes;
      lost++;
    }
    return lost;
  }

  #hasRoom(bytes: number): boolean {
    const { maxQueuedMessages, maxQueuedBytes } = this.#limits;
    return this.#queued.length < maxQueuedMessages && this.#bytes + bytes <= maxQueuedBytes;
  }

  /** @returns how many are not kept */
  #keep(predicate: (queued: Queued) => boolean): number {
    const before = this.#queued.length;
    this.#queued = this.#queued.filter(predicate);
    this.#bytes = this.#queued.reduce((sum, { bytes }) => sum + bytes, 0);
    return before - this.#queued.length;
  }
}
