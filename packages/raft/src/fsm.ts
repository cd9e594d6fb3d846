import type { Entry } from "./entry.ts";

/** A view of the state machine at one index, taken quickly, written slowly. */
export interface FsmSnapshot {
  /** The bytes, in chunks of any size. Runs while later entries are applied: they must not show in it. */
  chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Called once, when the snapshot is written or given up. */
  release?(): void;
}

/**
 * The state machine that the log drives. All members apply the same entries in the same order, so it must be a pure
 * function of them: no clock, no randomness, no order of a hash map.
 *
 * The node calls one method at a time, except that {@link FsmSnapshot.chunks} runs beside them.
 */
export interface FSM<Result = unknown> {
  /**
   * Applies committed commands in order. `entries` are all of type `command`; indexes may jump, over entries that are
   * not for the state machine.
   *
   * @returns one result for each entry, for whoever proposed it on this node. A failure stops the node: a command
   *   that is refused is a result, not an exception
   */
  apply(entries: readonly Entry[]): readonly Result[] | Promise<readonly Result[]>;

  /** Captures the state after the last `apply`. Should be quick: nothing is applied until it returns. */
  snapshot(): FsmSnapshot | Promise<FsmSnapshot>;

  /**
   * Replaces the state by that of a snapshot. The bytes end with an error when they turn out to be damaged: take the
   * new state over only when they ended well.
   */
  restore(chunks: AsyncIterable<Uint8Array>): Promise<void>;

  /**
   * A fingerprint of the whole state, equal on members that applied the same entries. When present, members compare
   * it at equal index; one that differs is named.
   */
  hash?(): string;
}
