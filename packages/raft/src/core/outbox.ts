import type { NodeId, Term } from "../entry.ts";
import type { Message } from "../message.ts";

/**
 * Messages on their way out, held back until what they claim is durable (R29):
 *
 * - a message waits until its term, and the vote cast in it, are durable;
 * - an answer that vouches for entries or a vote waits for the write that holds them, and for that alone: a leader's
 *   entries leave while its own write runs.
 */
export class Outbox {
  /** May leave as soon as term and vote are durable. */
  #free: Message[] = [];
  /** Wait for the next write. */
  #claims: Message[] = [];
  /** Wait for the write under way. */
  #writing: Message[] = [];
  /** The durable ones. */
  #released: Message[] = [];

  /** Adds a message that claims nothing beyond its term. */
  send(message: Message): void {
    this.#free.push(message);
  }

  /** Adds a message that vouches for what is in memory now. */
  sendWhenDurable(message: Message): void {
    this.#claims.push(message);
  }

  /** Whether {@link take} would give something. */
  ready(termDurable: boolean, writeUnderWay: boolean, dirty: boolean): boolean {
    if (this.#released.length > 0 || (termDurable && this.#free.length > 0)) {
      return true;
    }
    return !writeUnderWay && !dirty && this.#claims.length + this.#free.length > 0;
  }

  /** Ties everything to the write that begins now: it covers all that is in memory. */
  beginWrite(termDurable: boolean): void {
    this.#writing = this.#claims;
    this.#claims = [];
    if (!termDurable) {
      this.#writing.push(...this.#free);
      this.#free = [];
    }
  }

  /**
   * Frees what waited for the write.
   *
   * @returns the messages this node sent to itself: its own vote
   */
  endWrite(self: NodeId): Message[] {
    const own: Message[] = [];
    for (const message of this.#writing) {
      (message.to === self ? own : this.#released).push(message);
    }
    this.#writing = [];
    return own;
  }

  /** Frees claims when there is nothing left to write: what they vouch for is durable already. */
  settle(): void {
    this.#released.push(...this.#claims);
    this.#claims = [];
  }

  /** Takes what may leave now. */
  take(termDurable: boolean): Message[] {
    const messages = this.#released;
    this.#released = [];
    if (termDurable) {
      messages.push(...this.#free);
      this.#free = [];
    }
    return messages;
  }

  /** Drops what nobody would heed any more when the term rises: requests and promises of terms before it. */
  raiseTerm(term: Term): void {
    const keep = (message: Message): boolean => message.term >= term || ANSWERS.has(message.type);
    this.#free = this.#free.filter(keep);
    this.#claims = this.#claims.filter(keep);
    this.#writing = this.#writing.filter(keep);
    this.#released = this.#released.filter(keep);
  }
}

/** Answers to a program on another node; they stay true in any term. */
const ANSWERS: ReadonlySet<Message["type"]> = new Set(["proposeResponse", "readIndexResponse"]);
