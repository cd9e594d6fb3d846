import type { RaftNode } from "@mon/raft";
import type { WriteOutcome } from "./key-value-machine.ts";

/** Who wrote, and is told what became of it. */
export interface Writer {
  written(number: number, outcome: WriteOutcome): void;
  /** @param error - as `propose` rejects */
  failed(number: number, error: unknown): void;
}

interface Write {
  readonly writer: Writer;
  readonly number: number;
  /** A field of a message `Requests`. */
  readonly field: Uint8Array;
}

/** Well below the node's `maxEntryBytes`; a single larger write goes alone, and the node judges it. */
const maxBatchBytes = 256 * 1024;

/**
 * Gathers the writes of one turn of the event loop, of all callers, and proposes them as one entry: what an entry costs is
 * paid once for all of them. How many wait is bounded by the windows of the connections they came by.
 */
export class WriteBatcher {
  readonly #nodeOf: () => RaftNode<readonly WriteOutcome[]>;
  readonly #answersEarly: boolean;
  #writes: Write[] = [];
  #bytes = 0;
  #scheduled = false;

  /**
   * @param nodeOf - throws when there is no node at the moment
   * @param answersEarly - a planted mistake: writes are answered when they are proposed
   */
  constructor(nodeOf: () => RaftNode<readonly WriteOutcome[]>, answersEarly = false) {
    this.#nodeOf = nodeOf;
    this.#answersEarly = answersEarly;
  }

  add(writer: Writer, number: number, field: Uint8Array): void {
    if (this.#bytes + field.length > maxBatchBytes && this.#writes.length > 0) this.#flush();
    this.#writes.push({ writer, number, field });
    this.#bytes += field.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const writes = this.#writes;
    if (writes.length === 0) return;
    const data = Buffer.concat(
      writes.map(({ field }) => field),
      this.#bytes,
    );
    this.#writes = [];
    this.#bytes = 0;
    void this.#propose(writes, data);
  }

  async #propose(writes: readonly Write[], data: Uint8Array): Promise<void> {
    try {
      const proposed = this.#nodeOf().propose(data);
      if (this.#answersEarly) {
        for (const { number, writer } of writes) writer.written(number, { revision: 0, refused: false });
      }
      const { result } = await proposed;
      if (this.#answersEarly) return;
      for (let at = 0; at < writes.length; at++) {
        const { number, writer } = writes[at]!;
        writer.written(number, result[at]!);
      }
    } catch (error) {
      if (this.#answersEarly) return;
      for (const { number, writer } of writes) writer.failed(number, error);
    }
  }
}
