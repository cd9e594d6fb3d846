import type { Application } from "../core/ready.ts";
import type { Engine } from "./engine.ts";
import type { Results, StateMachine } from "./state-machine.ts";

/** Told what the state machine did. */
export type OnApplied<Result> = (application: Application, results: Results<Result>) => void;

/** Gives the state machine what the core wants applied, one thing after the other. */
export class Applier<Result> {
  readonly #engine: Engine;
  readonly #machine: StateMachine<Result>;
  readonly #onApplied: OnApplied<Result>;
  /** One that waits until the state machine is free. */
  #waiting: Application | undefined;
  /** Whether one is under way: the state machine and the core's idea of it differ then. */
  #applying = false;

  constructor(engine: Engine, machine: StateMachine<Result>, onApplied: OnApplied<Result>) {
    this.#engine = engine;
    this.#machine = machine;
    this.#onApplied = onApplied;
  }

  /** Whether the state machine does nothing, has nothing to do, and is where the core thinks it is. */
  get idle(): boolean {
    return !this.#machine.busy && !this.#applying && this.#waiting === undefined;
  }

  /** Takes what the core wants done; there is never a second one before the first is. */
  take(application: Application): void {
    this.#waiting = application;
  }

  /** Begins what waits, if the state machine is free. */
  continue(): void {
    const application = this.#waiting;
    if (application === undefined || this.#machine.busy) {
      return;
    }
    this.#waiting = undefined;
    this.#applying = true;
    const engine = this.#engine;
    const { clock } = engine.deps;
    const startedAt = clock.now();
    engine.run(async () => {
      const results = await this.#machine.run(application);
      engine.metrics.applyMsMax = Math.max(engine.metrics.applyMsMax, clock.now() - startedAt);
      engine.input(() => {
        this.#applying = false;
        engine.raw.applied(application.index);
        this.#onApplied(application, results);
      });
    });
  }
}
