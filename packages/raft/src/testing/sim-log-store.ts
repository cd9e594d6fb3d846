import type { Entry, LogIndex, LogPosition } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { LogBatch, LogState, LogStore } from "../log-store.ts";
import type { LogImage } from "../memory/log-image.ts";
import { frame, type SimDisk, unframe } from "./sim-disk.ts";

/** A {@link LogStore} on a {@link SimDisk}. */
export class SimLogStore implements LogStore {
  readonly #disk: SimDisk;
  readonly #image: LogImage;
  readonly #onAppend: (batch: LogBatch) => void;
  #failed = false;

  /**
   * @param image - what is durable; outlives the store
   * @param onAppend - told of each batch when it is given, before it is durable
   */
  constructor(disk: SimDisk, image: LogImage, onAppend: (batch: LogBatch) => void = () => {}) {
    this.#disk = disk;
    this.#image = image;
    this.#onAppend = onAppend;
  }

  async open(): Promise<LogState> {
    const tail = this.#disk.takeTail(LOG_FILE);
    if (tail !== undefined) {
      const batch = this.recover(tail);
      if (batch !== undefined) {
        this.#image.append(batch);
      }
    }
    const cut = this.#disk.takeTail(BASE_FILE);
    const base = cut === undefined ? undefined : unframe(cut);
    if (base !== undefined) {
      this.#image.compact(JSON.parse(decoder.decode(base)) as LogPosition);
    }
    return await this.#disk.read(() => this.#image.state());
  }

  /** Reads a batch that was being written when the machine stopped; undefined when it is not whole. */
  recover(tail: Uint8Array): LogBatch | undefined {
    const payload = unframe(tail);
    return payload === undefined ? undefined : decodeBatch(payload);
  }

  append(batch: LogBatch): Promise<void> {
    this.#assertSound();
    this.#onAppend(batch);
    return this.#write(
      LOG_FILE,
      () => encodeBatch(batch),
      () => this.#image.append(batch),
    );
  }

  entries(from: LogIndex, to: LogIndex, maxBytes: number): Promise<readonly Entry[]> {
    return this.#disk.read(() => this.#image.read(from, to, maxBytes));
  }

  async compact(base: LogPosition): Promise<void> {
    this.#assertSound();
    await this.#write(
      BASE_FILE,
      () => encoder.encode(JSON.stringify({ index: base.index, term: base.term })),
      () => this.#image.compact(base),
    );
  }

  async close(): Promise<void> {}

  async #write(file: string, encode: () => Uint8Array, sync: () => void): Promise<void> {
    try {
      await this.#disk.write(file, { encode: () => frame(encode()), sync });
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  #assertSound(): void {
    if (this.#failed) {
      throw new RaftError("RAFT_STORAGE_FAILED", "expected the log to be opened anew after a failed write");
    }
  }
}

/** A batch as bytes: a line for the hard state, then one for each entry. */
function encodeBatch({ hardState, reset, entries }: LogBatch): Uint8Array {
  const { term, votedFor, commit } = hardState;
  const head = { term, votedFor: votedFor ?? null, commit, reset: reset ?? null };
  const lines = entries.map(({ index, term, type, data, timestampMs }) =>
    JSON.stringify({ index, term, type, timestampMs, data: Buffer.from(data).toString("base64") }),
  );
  return encoder.encode([JSON.stringify(head), ...lines].join("\n"));
}

/** Reads what {@link encodeBatch} wrote. */
export function decodeBatch(payload: Uint8Array): LogBatch {
  const [head, ...lines] = decoder.decode(payload).split("\n");
  const { term, votedFor, commit, reset } = JSON.parse(head!) as {
    term: number;
    votedFor: string | null;
    commit: number;
    reset: LogPosition | null;
  };
  return {
    hardState: { term, votedFor: votedFor ?? undefined, commit },
    reset: reset ?? undefined,
    entries: lines.map((line) => {
      const { data, ...rest } = JSON.parse(line) as Omit<Entry, "data"> & { data: string };
      return { ...rest, data: new Uint8Array(Buffer.from(data, "base64")) };
    }),
  };
}

const LOG_FILE = "log";
const BASE_FILE = "base";
const encoder = new TextEncoder();
const decoder = new TextDecoder();
