import type { Entry, LogIndex } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { FSM, FsmSnapshot } from "../fsm.ts";
import { TraceHash } from "./trace-hash.ts";

/** Told what a state machine did. */
export interface FsmObserver {
  /**
   * A command was applied.
   *
   * @param chain - a fingerprint of all commands so far and what came of them
   */
  applied(entry: Entry, result: unknown, chain: string): void;
  /** The state of a snapshot was taken over. */
  restored(index: LogIndex, chain: string): void;
  /** Something is wrong whatever the others did. */
  broken(message: string): void;
}

/**
 * A state machine around another one that carries its history along as a fingerprint, through snapshots too. So
 * members that did not apply the same commands with the same results show at once, whatever their states look like.
 */
export class ObservedFsm<Result> implements FSM<Result> {
  readonly #fsm: FSM<Result>;
  readonly #observer: FsmObserver;
  /** The last command that was applied. */
  index: LogIndex = 0;
  chain = "";

  constructor(fsm: FSM<Result>, observer: FsmObserver) {
    this.#fsm = fsm;
    this.#observer = observer;
  }

  async apply(entries: readonly Entry[]): Promise<readonly Result[]> {
    const results = await this.#fsm.apply(entries);
    for (const [at, entry] of entries.entries()) {
      if (entry.index <= this.index) {
        this.#observer.broken(`expected an entry after ${this.index} to be applied, got ${entry.index}`);
      }
      const result = results[at];
      const hash = new TraceHash();
      hash.addText(this.chain);
      hash.add(entry.index);
      hash.addBytes(entry.data);
      hash.addText(JSON.stringify(result) ?? "");
      this.chain = hash.text;
      this.index = entry.index;
      this.#observer.applied(entry, result, this.chain);
    }
    return results;
  }

  async snapshot(): Promise<FsmSnapshot> {
    const { chain, index } = this;
    const inner = await this.#fsm.snapshot();
    const header = { index, chain, hash: this.#fsm.hash?.() ?? "" };
    return {
      async *chunks() {
        yield encoder.encode(`${JSON.stringify(header)}\n`);
        yield* inner.chunks();
      },
      release: () => inner.release?.(),
    };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const read: Uint8Array[] = [];
    for await (const chunk of chunks) {
      read.push(chunk);
    }
    const bytes = Buffer.concat(read);
    const end = bytes.indexOf(NEW_LINE);
    if (end < 0) {
      throw new RaftError("RAFT_SNAPSHOT_CORRUPT", "expected a first line, got the end");
    }
    const header = JSON.parse(bytes.toString("utf8", 0, end)) as {
      index: number;
      chain: string;
      hash: string;
    };
    await this.#fsm.restore(rest(bytes.subarray(end + 1)));
    this.index = header.index;
    this.chain = header.chain;
    this.#observer.restored(this.index, this.chain);
    const hash = this.#fsm.hash?.() ?? "";
    if (hash !== header.hash) {
      this.#observer.broken(`expected the restored state to be ${header.hash}, got ${hash}`);
    }
  }

  hash(): string {
    return `${this.chain} ${this.#fsm.hash?.() ?? ""}`;
  }
}

async function* rest(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

const NEW_LINE = 10;
const encoder = new TextEncoder();
