import { type ConfState, emptyConfState, encodeConfState } from "../conf-state.ts";
import type { NodeId } from "../entry.ts";
import type { LogBatch } from "../log-store.ts";
import { applyChange } from "./confchange/changer.ts";

/**
 * The first append to the empty logs of a new cluster: one committed entry that names its members. It must be the
 * same on each of them, and on nobody else: whoever joins later starts with an empty log and gets this entry from
 * the leader.
 *
 * @throws {RaftError} RAFT_CHANGE_REFUSED when there is no voter or a node is named twice
 */
export function bootstrapBatch(voters: readonly NodeId[], learners: readonly NodeId[] = []): LogBatch {
  const conf: ConfState = {
    ...applyChange(emptyConfState, {
      steps: [
        ...voters.map((id) => ({ kind: "addVoter" as const, id })),
        ...learners.map((id) => ({ kind: "addLearner" as const, id })),
      ],
      timestampMs: 0,
    }),
    votersOutgoing: [],
    learnersNext: [],
  };
  const entry = { index: 1, term: 1, type: "config", data: encodeConfState(conf), timestampMs: 0 } as const;
  return {
    hardState: { term: 1, votedFor: undefined, commit: 1 },
    reset: undefined,
    entries: [entry],
  };
}
