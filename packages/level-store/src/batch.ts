import type { Fragment } from "@mon/store";
import type { NativeBatch } from "./database.ts";
import type { FragmentKeys } from "./fragment-key.ts";
import { numberKey, space } from "./key.ts";
import { encodeManifest, type HostRange, type InstantRange, noInstants, widen } from "./manifest.ts";
import { sealed } from "./record.ts";

/** A host as the writer knows it: its keys, and what the present batch holds of it. */
export interface WriterHost {
  readonly keys: FragmentKeys;
  /** Whether its state goes beyond its record. */
  isDirty: boolean;
  /** The sequence of the batch that {@link range} belongs to. */
  sequence: number;
  range: HostRange;
}

/** Operations that become durable together, under one sequence number (R12). */
export class Batch {
  readonly sequence: number;
  /** Settles when the batch is on stable storage, or is known not to be. */
  readonly committed: Promise<void>;
  bytes = 0;
  readonly #native: NativeBatch;
  readonly #hosts: HostRange[] = [];
  #fragments = 0;
  #settle!: { resolve: () => void; reject: (reason: unknown) => void };

  constructor(sequence: number, native: NativeBatch) {
    this.sequence = sequence;
    this.#native = native;
    this.committed = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever added to the batch hears of its failure; a batch that nobody awaits must not end the process.
    this.committed.catch(() => {});
  }

  /** Writes a fragment under the key that the host's {@link FragmentKeys} made for it. */
  putFragment(host: WriterHost, key: Uint8Array, { timestampMs, bytes }: Fragment): void {
    this.#put(key, bytes);
    this.#fragments++;
    if (host.sequence !== this.sequence) {
      host.sequence = this.sequence;
      host.range = { hostId: host.keys.hostId, minMs: timestampMs, maxMs: timestampMs };
      this.#hosts.push(host.range);
    } else if (timestampMs > host.range.maxMs) host.range.maxMs = timestampMs;
    else if (timestampMs < host.range.minMs) host.range.minMs = timestampMs;
  }

  /** Writes a record of any other space. */
  put(key: Uint8Array, payload: Uint8Array): void {
    this.#put(key, sealed(key, payload));
  }

  delete(key: Uint8Array): void {
    this.#native.del(key);
    this.bytes += key.length;
  }

  #put(key: Uint8Array, value: Uint8Array): void {
    this.#native.put(key, value);
    this.bytes += key.length + value.length;
  }

  /** The instants of all its fragments. */
  range(): InstantRange {
    const range = noInstants();
    for (const host of this.#hosts) widen(range, host);
    return range;
  }

  /** Adds the sequence record and makes everything durable. Called once. */
  async commit(wallMs: number, baseline: number, recent: InstantRange): Promise<void> {
    const manifest = { wallMs, baseline, recent, fragments: this.#fragments, hosts: this.#hosts };
    this.put(numberKey(space.sequence, this.sequence), encodeManifest(manifest));
    await this.#native.write({ sync: true });
    this.#settle.resolve();
  }

  /** Tells those who wait that the batch may be lost. */
  fail(reason: unknown): void {
    this.#settle.reject(reason);
  }
}
