import type { NativeBatch } from "./database.ts";
import { numberKey, space } from "./key.ts";
import { encodeManifest, type InstantRange, noInstants, widen } from "./manifest.ts";
import { sealed } from "./record.ts";

/** Operations on LevelDB that become durable together, under one sequence number (R12). */
export class Batch {
  readonly sequence: number;
  /** Settles when the batch is on stable storage, or is known not to be. */
  readonly committed: Promise<void>;
  /** The instants of the samples in it. */
  readonly instants: InstantRange = noInstants();
  bytes = 0;
  readonly #native: NativeBatch;
  readonly #settled = Promise.withResolvers<void>();

  constructor(sequence: number, native: NativeBatch) {
    this.sequence = sequence;
    this.#native = native;
    this.committed = this.#settled.promise;
    // Whoever added to the batch hears of its failure; a batch that nobody awaits must not end the process.
    this.committed.catch(() => {});
  }

  /** Writes a record, with its checksum. */
  put(key: Uint8Array, payload: Uint8Array): void {
    this.putSealed(key, sealed(key, payload));
  }

  /** Writes a record that has its checksum already. */
  putSealed(key: Uint8Array, value: Uint8Array): void {
    this.#native.put(key, value);
    this.bytes += key.length + value.length;
  }

  delete(key: Uint8Array): void {
    this.#native.del(key);
    this.bytes += key.length;
  }

  /** Takes note of when the samples are that are written. */
  touch(instants: Readonly<InstantRange>): void {
    widen(this.instants, instants);
  }

  /** Adds the sequence record and makes everything durable. Called once. */
  async commit(wallMs: number, baseline: number, recent: InstantRange): Promise<void> {
    const manifest = encodeManifest({ wallMs, baseline, own: this.instants, recent });
    this.put(numberKey(space.sequence, this.sequence), manifest);
    await this.#native.write({ sync: true });
    this.#settled.resolve();
  }

  /** Tells those who wait that the batch may be lost. */
  fail(reason: unknown): void {
    this.#settled.reject(reason);
  }
}
