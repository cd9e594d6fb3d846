import type { LogLine } from "./server.ts";

/** What a broker packed. */
export interface Packing {
  /** Rounds that packed something. */
  readonly rounds: number;
  readonly blocks: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly seconds: number;
  /** Why it did not, in the broker's words; absent when it did. */
  readonly problem?: string;
}

/** How often a broker begins to pack, counted from when it serves, in milliseconds. It never packs twice at once. */
export const packEveryMs = 60_000;

/** What a broker logs of a round that packed something, and of one that failed. */
const packedMessage = "packed closed blocks";
const notPackedMessage = "could not pack closed blocks";

/**
 * Hears from a broker's log how packing goes. A round that packs something is logged as it ends; it began at the first
 * minute after the one before. Times in milliseconds, as `performance.now` gives them.
 */
export class PackingLog {
  #servingMs = Number.POSITIVE_INFINITY;
  /** When the round began that is under way, or when the next one does. */
  #beginsMs = Number.POSITIVE_INFINITY;
  #loadedMs = Number.POSITIVE_INFINITY;
  #sum: Packing = { rounds: 0, blocks: 0, bytesBefore: 0, bytesAfter: 0, seconds: 0 };
  readonly #packed = Promise.withResolvers<Packing>();
  #isPacked = false;

  /** The broker serves. */
  serving(nowMs: number): void {
    this.#servingMs = nowMs;
    this.#beginsMs = nowMs + packEveryMs;
  }

  /** All is loaded. @returns resolves with all rounds, when one that began after this ends, or one fails */
  loaded(nowMs: number): Promise<Packing> {
    this.#loadedMs = nowMs;
    return this.#packed.promise;
  }

  /** The first instant from one on at which the broker may begin to pack. */
  nextMs(fromMs: number): number {
    const passed = Math.max(1, Math.ceil((fromMs - this.#servingMs) / packEveryMs));
    return this.#servingMs + passed * packEveryMs;
  }

  /** Whether a round is under way, and that which packs the last of what was loaded has not ended. */
  isPacking(nowMs: number): boolean {
    return !this.#isPacked && nowMs >= this.#beginsMs;
  }

  take({ msg, blocks, bytesBefore, bytesAfter, err }: LogLine, nowMs: number): void {
    if (this.#isPacked || !(msg === packedMessage || msg === notPackedMessage)) return;
    const beganMs = this.#beginsMs;
    this.#beginsMs = this.nextMs(nowMs);
    this.#sum = {
      rounds: this.#sum.rounds + 1,
      blocks: this.#sum.blocks + Number(blocks ?? 0),
      bytesBefore: this.#sum.bytesBefore + Number(bytesBefore ?? 0),
      bytesAfter: this.#sum.bytesAfter + Number(bytesAfter ?? 0),
      seconds: this.#sum.seconds + Math.max(0, nowMs - beganMs) / 1_000,
      ...(msg === notPackedMessage && { problem: messageOf(err) }),
    };
    if (beganMs < this.#loadedMs && msg === packedMessage) return;
    this.#isPacked = true;
    this.#packed.resolve(this.#sum);
  }
}

function messageOf(error: unknown): string {
  const hasMessage = typeof error === "object" && error !== null && "message" in error;
  return hasMessage ? String(error.message) : notPackedMessage;
}
