import type { NodeId } from "./entry.ts";

/**
 * One step of a {@link ConfChange}:
 *
 * - `addVoter`: the node votes from now on; a learner is promoted;
 * - `addLearner`: the node gets the log without a vote; a voter is demoted;
 * - `remove`: the node is no member any more.
 */
export interface ConfChangeStep {
  readonly kind: "addVoter" | "addLearner" | "remove";
  readonly id: NodeId;
}

/** A change of membership: its steps take effect together, however many voters they touch. A node is named once. */
export interface ConfChange {
  readonly steps: readonly ConfChangeStep[];
  /** See {@link Entry.timestampMs}. */
  readonly timestampMs: number;
}
