import type { Application } from "../core/ready.ts";
import type { Entry, LogIndex } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { FSM, FsmSnapshot } from "../fsm.ts";
import type { SnapshotStore } from "../snapshot-store.ts";

/** What an application brought: a result for each entry, undefined where the entry was no command. */
export type Results<Result> = readonly (Result | undefined)[];

/** Calls the state machine, one thing at a time, and names what it does wrong. */
export class StateMachine<Result> {
  readonly #fsm: FSM<Result>;
  readonly #snapshots: SnapshotStore;
  readonly #hashEveryEntries: number;
  readonly #onHash: (index: LogIndex, hash: string) => void;
  #busy = false;

  /** @param onHash - told the fingerprint at each multiple of `hashEveryEntries`; 0 for never */
  constructor(
    fsm: FSM<Result>,
    snapshots: SnapshotStore,
    hashEveryEntries: number,
    onHash: (index: LogIndex, hash: string) => void,
  ) {
    this.#fsm = fsm;
    this.#snapshots = snapshots;
    this.#hashEveryEntries = fsm.hash === undefined ? 0 : hashEveryEntries;
    this.#onHash = onHash;
  }

  /** Whether it works; nothing else may be asked of it then. */
  get busy(): boolean {
    return this.#busy;
  }

  /** @throws {RaftError} RAFT_FSM_FAILED when the state machine fails; snapshot errors as they are */
  async run(application: Application): Promise<Results<Result>> {
    return await this.#exclusively(async () => {
      if (application.snapshot !== undefined) {
        await this.#fsm.restore(this.#snapshots.open(application.snapshot));
        return [];
      }
      return await this.#apply(application.entries);
    });
  }

  /** Takes the state of a snapshot. */
  async restore(position: { readonly index: LogIndex; readonly term: number }): Promise<void> {
    await this.#exclusively(async () => {
      await this.#fsm.restore(this.#snapshots.open(position));
    });
  }

  /** Captures the present state. */
  async capture(): Promise<FsmSnapshot> {
    return await this.#exclusively(async () => await this.#fsm.snapshot());
  }

  /**
   * Applies entries, stopping where a fingerprint is due: members batch differently and must compare like with like.
   */
  async #apply(entries: readonly Entry[]): Promise<Results<Result>> {
    const every = this.#hashEveryEntries;
    if (every === 0) {
      return await this.#applySome(entries);
    }
    const results: (Result | undefined)[] = [];
    let rest = entries;
    while (rest.length > 0) {
      const untilDue = every - (rest[0]!.index % every || every) + 1;
      const some = rest.slice(0, untilDue);
      results.push(...(await this.#applySome(some)));
      rest = rest.slice(untilDue);
      const { index } = some[some.length - 1]!;
      if (index % every === 0) {
        this.#onHash(index, this.#fsm.hash!());
      }
    }
    return results;
  }

  async #applySome(entries: readonly Entry[]): Promise<Results<Result>> {
    const commands = entries.filter(({ type }) => type === "command");
    if (commands.length === 0) {
      return entries.map(() => undefined);
    }
    const results = await this.#fsm.apply(commands);
    if (results.length !== commands.length) {
      throw new RaftError("RAFT_FSM_FAILED", `expected ${commands.length} results, got ${results.length}`);
    }
    let next = 0;
    return entries.map(({ type }) => (type === "command" ? results[next++] : undefined));
  }

  async #exclusively<Value>(work: () => Promise<Value>): Promise<Value> {
    this.#busy = true;
    try {
      return await work();
    } catch (error) {
      if (error instanceof RaftError) {
        throw error;
      }
      throw new RaftError("RAFT_FSM_FAILED", "expected the state machine to succeed, got an exception", {
        cause: error,
      });
    } finally {
      this.#busy = false;
    }
  }
}
