import { crc32 } from "node:zlib";
import { RaftError } from "../errors.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimProcess, VirtualLoop } from "./virtual-loop.ts";

/**
 * How a disk behaves:
 *
 * - `fine`: a write takes a few milliseconds;
 * - `slow`: up to five seconds;
 * - `full`: a write fails, and a part of it may stay;
 * - `failing`: the sync fails, and what was written may be there or not;
 * - `hung`: a write ends only after the disk is no longer hung.
 */
export type SimDiskState = "fine" | "slow" | "full" | "failing" | "hung";

/** One write that is durable as a whole or not at all, as far as the reader can tell. */
export interface SimWrite {
  /** The bytes as they would be on the disk; asked for only when they do not get there whole. */
  readonly encode: () => Uint8Array;
  /** Makes it durable. */
  readonly sync: () => void;
}

interface Pending {
  readonly write: SimWrite;
  done: boolean;
}

/**
 * A disk that keeps what was synced and nothing else. When the power fails during a write, a random part of it is
 * found afterwards, perhaps with zeroes or a wrong bit in it, perhaps whole.
 *
 * At most one write is under way to each file.
 */
export class SimDisk {
  readonly #loop: VirtualLoop;
  readonly #random: SeededRandom;
  /** The process that uses the disk. */
  #user: SimProcess | undefined;
  readonly #pending = new Map<string, Pending>();
  readonly #tails = new Map<string, Uint8Array>();
  state: SimDiskState = "fine";
  /** Mean duration of a write on a fine disk. */
  latencyMsMean = 1;

  constructor(loop: VirtualLoop, random: SeededRandom) {
    this.#loop = loop;
    this.#random = random;
  }

  /** Gives the disk to a process; a crash ended the one before. */
  attach(user: SimProcess): void {
    this.#user = user;
  }

  /**
   * Writes to a file. Resolves when that is durable.
   *
   * @throws {RaftError} RAFT_STORAGE_FAILED
   */
  write(file: string, write: SimWrite): Promise<void> {
    const user = this.#user;
    return new Promise((resolve, reject) => {
      const pending: Pending = { write, done: false };
      this.#pending.set(file, pending);
      const finish = (): void => {
        if (pending.done) {
          return;
        }
        if (this.state === "hung") {
          this.#loop.schedule(HANG_CHECK_MS, finish);
          return;
        }
        pending.done = true;
        this.#pending.delete(file);
        if (this.state === "full" || this.state === "failing") {
          this.#tails.set(file, this.#damage(write.encode()));
          const cause = this.state === "full" ? "room on the disk" : "the sync to succeed";
          this.#loop.schedule(
            0,
            () => reject(new RaftError("RAFT_STORAGE_FAILED", `expected ${cause}`)),
            user,
          );
          return;
        }
        write.sync();
        this.#loop.schedule(0, resolve, user);
      };
      this.#loop.schedule(this.#latencyMs(), finish);
    });
  }

  /** Reads something; what counts is when the read ends. */
  read<Value>(look: () => Value): Promise<Value> {
    const user = this.#user;
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        if (this.state === "hung") {
          this.#loop.schedule(HANG_CHECK_MS, finish, user);
          return;
        }
        try {
          resolve(look());
        } catch (error) {
          reject(error);
        }
      };
      this.#loop.schedule(this.#random.exponential(this.latencyMsMean), finish, user);
    });
  }

  /** Cuts the power: writes under way end where they are. */
  crash(): void {
    for (const [file, pending] of this.#pending) {
      pending.done = true;
      this.#tails.set(file, this.#damage(pending.write.encode()));
    }
    this.#pending.clear();
  }

  /** Takes what a write that was cut short left in a file; undefined when there was none. */
  takeTail(file: string): Uint8Array | undefined {
    const tail = this.#tails.get(file);
    this.#tails.delete(file);
    return tail;
  }

  /** Forgets everything, as a new disk. */
  wipe(): void {
    this.crash();
    this.#tails.clear();
  }

  #latencyMs(): number {
    const random = this.#random;
    return this.state === "slow"
      ? random.between(50, 5000) * random.next()
      : random.exponential(this.latencyMsMean);
  }

  #damage(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    const kind = random.below(5);
    if (kind === 0) {
      return bytes;
    }
    if (kind === 1) {
      return bytes.slice(0, 0);
    }
    const damaged = bytes.slice();
    const at = random.below(bytes.length);
    switch (kind) {
      case 2:
        return damaged.subarray(0, at);
      case 3:
        damaged.fill(0, at);
        return damaged;
      default:
        damaged[at] = damaged[at]! ^ (1 << random.below(8));
        return damaged;
    }
  }
}

/** A record as it is on a disk: length, checksum, bytes. */
export function frame(payload: Uint8Array): Uint8Array {
  const framed = new Uint8Array(HEADER_BYTES + payload.byteLength);
  const view = new DataView(framed.buffer);
  view.setUint32(0, payload.byteLength);
  view.setUint32(4, crc32(payload));
  framed.set(payload, HEADER_BYTES);
  return framed;
}

/** The bytes of a record; undefined when it is not whole. */
export function unframe(framed: Uint8Array): Uint8Array | undefined {
  if (framed.byteLength < HEADER_BYTES) {
    return undefined;
  }
  const view = new DataView(framed.buffer, framed.byteOffset, framed.byteLength);
  const payload = framed.subarray(HEADER_BYTES);
  const whole = view.getUint32(0) === payload.byteLength && view.getUint32(4) === crc32(payload);
  return whole ? payload : undefined;
}

const HEADER_BYTES = 8;
const HANG_CHECK_MS = 100;
