import { applyCommand, type ClusterCommand, type ClusterState, emptyClusterState } from "@mon/cluster";
import type { SeededRandom, SimProcess, VirtualLoop } from "@mon/raft/testing";
import { ReplicationError } from "../../src/index.ts";

/** What Raft gives: one order of commands, told to each member sooner or later; proposals may fail, done or not. */
export class SimRaft {
  readonly states: ClusterState[] = [emptyClusterState];
  readonly #loop: VirtualLoop;
  readonly #random: SeededRandom;
  readonly #deliver: (index: number) => void;
  /** That a proposal is not answered, whether it took place or not. */
  loss = 0;
  /** Told of each command that was applied. */
  onApplied: (before: ClusterState, after: ClusterState, command: ClusterCommand) => void = () => {};

  constructor(loop: VirtualLoop, random: SeededRandom, deliver: (index: number) => void) {
    this.#loop = loop;
    this.#random = random;
    this.#deliver = deliver;
  }

  get state(): ClusterState {
    return this.states.at(-1)!;
  }

  get index(): number {
    return this.states.length - 1;
  }

  /** Applies at once. @throws {ClusterRefusal} */
  apply(command: ClusterCommand): void {
    const before = this.state;
    const after = applyCommand(before, command);
    this.states.push(after);
    this.onApplied(before, after, command);
    this.#deliver(this.index);
  }

  propose(from: SimProcess, command: ClusterCommand): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        reject(new ReplicationError("REPLICATION_NOT_COMMITTED", String(cause)));
      };
      if (this.#random.chance(this.loss)) {
        from.setTimeout(() => fail("no answer"), 400);
        if (this.#random.chance(0.5)) return;
      }
      this.#loop.schedule(this.#random.between(5, 30), () => {
        try {
          this.apply(command);
          from.setTimeout(resolve, 5);
        } catch (error) {
          from.setTimeout(() => fail(error), 5);
        }
      });
    });
  }
}
