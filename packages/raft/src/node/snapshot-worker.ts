import type { LogIndex } from "../entry.ts";
import type { SnapshotMeta } from "../snapshot.ts";
import type { Applier } from "./applier.ts";
import type { Engine } from "./engine.ts";
import { SnapshotTaker } from "./snapshot-taker.ts";
import type { StateMachine } from "./state-machine.ts";

/** Takes snapshots when they are due, and lets go of the log and the snapshots that they replace. */
export class SnapshotWorker<Result> {
  readonly taker: SnapshotTaker;
  readonly #engine: Engine;
  readonly #machine: StateMachine<Result>;
  readonly #applier: Applier<Result>;
  #compacting = false;

  constructor(
    engine: Engine,
    machine: StateMachine<Result>,
    applier: Applier<Result>,
    latest: SnapshotMeta | undefined,
  ) {
    this.#engine = engine;
    this.#machine = machine;
    this.#applier = applier;
    const { deps, options, signal } = engine;
    this.taker = new SnapshotTaker(deps.snapshots, latest, options.snapshotEveryEntries, signal);
  }

  /** Takes a snapshot if one is wanted and the state machine is where the core thinks it is. */
  continue(): void {
    const engine = this.#engine;
    const { events, metrics, raw } = engine;
    if (!this.taker.wanted || !this.#applier.idle || raw.rebuildFrom !== undefined) {
      return;
    }
    const { applied, base } = raw.status();
    // Nothing to take yet, or a snapshot from the leader is about to be restored.
    if (applied === 0 || applied < base.index) {
      return;
    }
    const point = raw.snapshotPoint(applied);
    engine.run(async () => {
      let meta: SnapshotMeta | undefined;
      try {
        meta = await this.taker.take(point, () => this.#machine.capture().finally(() => engine.wake()));
      } catch (error) {
        metrics.snapshotsFailed++;
        engine.degrade(error);
        return;
      }
      if (meta !== undefined && !engine.stopped && raw.rebuildFrom === undefined) {
        metrics.snapshotsTaken++;
        events.emit("snapshotTaken", meta);
        this.#compact(meta);
      }
      engine.wake();
    });
  }

  /** Takes note that a snapshot from the leader took the place of the state machine's state. */
  installed(snapshot: SnapshotMeta): void {
    this.taker.installed(snapshot);
    this.#prune(snapshot.index);
  }

  #compact(meta: SnapshotMeta): void {
    const engine = this.#engine;
    const before = engine.raw.newestSnapshot;
    const base = engine.raw.snapshotSaved(meta);
    // One that comes during another is left to the next snapshot.
    if (base !== undefined && !this.#compacting) {
      this.#compacting = true;
      engine.run(() =>
        engine.deps.log.compact(base).finally(() => {
          this.#compacting = false;
        }),
      );
    }
    // The one before stands in for a damaged one, as long as the log goes on from it.
    const useful = before !== undefined && before.index >= engine.raw.status().base.index;
    this.#prune(useful ? before.index : meta.index);
  }

  #prune(index: LogIndex): void {
    const engine = this.#engine;
    engine.run(() => engine.deps.snapshots.prune(index).catch((error) => engine.degrade(error)));
  }
}
