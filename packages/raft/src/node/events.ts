import type { ConfState } from "../conf-state.ts";
import type { RoleName } from "../core/role.ts";
import type { LogIndex, NodeId, Term } from "../entry.ts";
import type { RaftError } from "../errors.ts";
import type { SnapshotMeta } from "../snapshot.ts";

/**
 * What a node tells about itself. Listeners run between two turns of work; what they throw is thrown on in a turn of
 * its own.
 */
export interface RaftNodeEvents {
  /** Another leader is known than before, or none. */
  leaderChanged: { readonly leaderId: NodeId | undefined; readonly term: Term };
  /** This node has another role than before. */
  roleChanged: { readonly role: RoleName; readonly term: Term };
  /** A membership was committed; joint ones included. */
  configChanged: { readonly conf: ConfState; readonly index: LogIndex };
  /** A snapshot of this node's state machine is durable. */
  snapshotTaken: SnapshotMeta;
  /** The state machine was replaced by a snapshot from the leader. */
  snapshotInstalled: SnapshotMeta;
  /** Something went wrong that the node lives with: a snapshot failed, a peer or a message was refused. */
  degraded: { readonly error: RaftError; readonly peer?: NodeId };
  /** A member's state machine differs from that of the others at the same index; `ids` are those in the minority. */
  diverged: { readonly index: LogIndex; readonly ids: readonly NodeId[] };
  /**
   * This node's state machine differs from that of a quorum at `index`, and is not believed any more: no reads, results
   * or snapshots come from it until it is {@link RaftNodeEvents.rebuilt}. The node goes on voting and storing the log.
   */
  fenced: { readonly index: LogIndex };
  /** A snapshot from the leader took the place of the state machine that differed; the fence is lifted. */
  rebuilt: SnapshotMeta;
  /** The node can no longer do its work and has stopped. */
  failed: { readonly error: RaftError };
}

/** The listeners of a node. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #onThrow: (error: unknown) => void;

  /** @param onThrow - what to do about a listener that throws; the others are called all the same */
  constructor(onThrow: (error: unknown) => void) {
    this.#onThrow = onThrow;
  }

  /** Adds a listener; the function that is returned takes it away again. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(event as never);
      } catch (error) {
        this.#onThrow(error);
      }
    }
  }
}
