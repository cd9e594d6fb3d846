import { blockMs, blockStart } from "@mon/store";
import { maxInstantMs } from "./key.ts";

const hostIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** @throws {RangeError} when no host can have that id */
export function assertHostId(hostId: string): void {
  if (hostIdPattern.test(hostId)) return;
  throw new RangeError(`expected a host id of 1 to 128 of A-Z a-z 0-9 . _ -, got ${JSON.stringify(hostId)}`);
}

/** Whether a host can have that id. */
export function isHostId(hostId: string): boolean {
  return hostIdPattern.test(hostId);
}

/** @throws {RangeError} when the timestamp is no integer that a `Date` can hold */
export function assertInstant(timestampMs: number): void {
  if (Number.isInteger(timestampMs) && timestampMs <= maxInstantMs && timestampMs >= -maxInstantMs) return;
  throw new RangeError(`expected a timestamp of integer milliseconds, got ${timestampMs}`);
}

/** Where the blocks of one host begin, without hashing its id each time. */
export class HostBlocks {
  readonly #offsetMs: number;

  constructor(hostId: string) {
    this.#offsetMs = (blockStart(hostId, 0) + blockMs) % blockMs;
  }

  /** The start of the block that holds an instant, as `blockStart` of `@mon/store` gives it. */
  startOf(timestampMs: number): number {
    const remainder = (timestampMs - this.#offsetMs) % blockMs;
    return timestampMs - (remainder < 0 ? remainder + blockMs : remainder);
  }
}

/** The last millisecond of a block. */
export function blockEnd(blockStartMs: number): number {
  return blockStartMs + blockMs - 1;
}
