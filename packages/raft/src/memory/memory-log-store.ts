import type { Entry, LogIndex, LogPosition } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { LogBatch, LogState, LogStore } from "../log-store.ts";
import { LogImage } from "./log-image.ts";

/** A {@link LogStore} in memory. What was appended outlives `close`, so the same contents can be opened again. */
export class MemoryLogStore implements LogStore {
  /** The contents; for tests to look at, or to hand to the store of a restarted node. */
  readonly image: LogImage;
  #open = false;

  constructor(image: LogImage = new LogImage()) {
    this.image = image;
  }

  async open(): Promise<LogState> {
    this.#open = true;
    return this.image.state();
  }

  async append(batch: LogBatch): Promise<void> {
    this.#assertOpen();
    this.image.append(batch);
  }

  async entries(from: LogIndex, to: LogIndex, maxBytes: number): Promise<readonly Entry[]> {
    this.#assertOpen();
    return this.image.read(from, to, maxBytes);
  }

  async compact(base: LogPosition): Promise<void> {
    this.#assertOpen();
    this.image.compact(base);
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  #assertOpen(): void {
    if (!this.#open) {
      throw new RaftError("RAFT_STOPPED", "expected an open log");
    }
  }
}
