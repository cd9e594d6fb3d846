import type { LogIndex } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { FsmSnapshot } from "../fsm.ts";
import type { SnapshotMeta, SnapshotPoint } from "../snapshot.ts";
import type { SnapshotStore } from "../snapshot-store.ts";
import { Settler } from "./settler.ts";

/** Takes snapshots of this node's state machine, one at a time, for all who asked meanwhile. */
export class SnapshotTaker {
  readonly #snapshots: SnapshotStore;
  readonly #everyEntries: number;
  readonly #signal: AbortSignal;
  #latest: SnapshotMeta | undefined;
  #waiters: Settler<SnapshotMeta>[] = [];
  #busy = false;
  /** Why what is being written is to be dropped. */
  #abandoned: RaftError | undefined;

  /**
   * @param everyEntries - entries applied after a snapshot until the next is due; 0 for never
   * @param signal - ends the writing
   */
  constructor(
    snapshots: SnapshotStore,
    latest: SnapshotMeta | undefined,
    everyEntries: number,
    signal: AbortSignal,
  ) {
    this.#snapshots = snapshots;
    this.#latest = latest;
    this.#everyEntries = everyEntries;
    this.#signal = signal;
  }

  /** Whether somebody waits and none is being taken. */
  get wanted(): boolean {
    return this.#waiters.length > 0 && !this.#busy;
  }

  /** Whether one is being taken. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Asks for a snapshot. */
  request(): Promise<SnapshotMeta> {
    const settler = new Settler<SnapshotMeta>();
    this.#waiters.push(settler);
    return settler.promise;
  }

  /** Takes note that a snapshot from the leader took the place of this node's state. */
  installed(meta: SnapshotMeta): void {
    this.#latest = meta;
  }

  /** Asks for a snapshot when enough was applied since the last. */
  applied(index: LogIndex): void {
    const since = index - (this.#latest?.index ?? 0);
    if (this.#everyEntries > 0 && since >= this.#everyEntries && !this.#busy && this.#waiters.length === 0) {
      this.request().catch(() => {
        // Told by whoever runs `take`; the next entries ask again.
      });
    }
  }

  /**
   * Takes a snapshot for all who wait.
   *
   * @param point - where the state machine is
   * @param capture - captures its state; called before anything is waited for, so that nothing is applied in between
   * @returns the new snapshot; undefined when the last one is still up to date
   */
  async take(point: SnapshotPoint, capture: () => Promise<FsmSnapshot>): Promise<SnapshotMeta | undefined> {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#busy = true;
    this.#abandoned = undefined;
    try {
      const before = this.#latest;
      const meta =
        before !== undefined && before.index >= point.index
          ? before
          : await this.#write(point, await capture());
      for (const waiter of waiters) {
        waiter.resolve(meta);
      }
      return meta === before ? undefined : meta;
    } catch (error) {
      for (const waiter of waiters) {
        waiter.reject(error);
      }
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  /** Ends everything. */
  end(cause: unknown): void {
    this.#refuse(new RaftError("RAFT_STOPPED", "expected a running node", { cause }));
  }

  /** Turns all away who wait, and drops what is being written; later ones are served again. */
  abandon(error: RaftError): void {
    this.#refuse(error);
    this.#abandoned = error;
  }

  #refuse(error: RaftError): void {
    for (const waiter of this.#waiters) {
      waiter.reject(error);
    }
    this.#waiters = [];
  }

  async #write(point: SnapshotPoint, capture: FsmSnapshot): Promise<SnapshotMeta> {
    try {
      const sink = await this.#snapshots.create(point);
      try {
        for await (const chunk of capture.chunks()) {
          this.#signal.throwIfAborted();
          await sink.write(chunk);
        }
        if (this.#abandoned !== undefined) {
          throw this.#abandoned;
        }
        const meta = await sink.commit();
        if (meta.index > (this.#latest?.index ?? 0)) {
          this.#latest = meta;
        }
        return meta;
      } catch (error) {
        await sink.abort();
        throw error;
      }
    } finally {
      capture.release?.();
    }
  }
}
