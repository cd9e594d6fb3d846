import type { ConfChange } from "../../conf-change.ts";
import { type ConfState, isJoint, isMember } from "../../conf-state.ts";
import { RaftError } from "../../errors.ts";

/**
 * The membership that begins a change.
 *
 * A change that leaves the voters alone takes effect at once. One that touches them, be it a single one, goes through
 * a joint membership (§6), which {@link leaveJoint} ends. Pure.
 *
 * @param conf - the membership in force, not joint
 * @throws {RaftError} RAFT_CHANGE_REFUSED when a node is named twice, when no voter would remain, or when nothing
 *   would change
 */
export function applyChange(conf: ConfState, change: ConfChange): ConfState {
  if (isJoint(conf)) {
    throw new RaftError("RAFT_CHANGE_IN_PROGRESS", "expected a membership that is not joint");
  }
  const voters = new Set(conf.voters);
  const learners = new Set(conf.learners);
  const named = new Set<string>();
  for (const { kind, id } of change.steps) {
    if (typeof id !== "string" || id.length === 0 || id.length > 128) {
      throw new RangeError(`expected a node id of 1 to 128 characters, got ${JSON.stringify(id)}`);
    }
    if (named.has(id)) {
      throw new RaftError("RAFT_CHANGE_REFUSED", `expected each node once, got ${id} twice`);
    }
    named.add(id);
    if (kind === "remove" && !isMember(conf, id)) {
      throw new RaftError("RAFT_CHANGE_REFUSED", `expected a member to remove, got ${id}`);
    }
    voters.delete(id);
    learners.delete(id);
    if (kind === "addVoter") {
      voters.add(id);
    } else if (kind === "addLearner") {
      learners.add(id);
    } else {
      kind satisfies "remove";
    }
  }
  if (voters.size === 0) {
    throw new RaftError("RAFT_CHANGE_REFUSED", "expected at least one voter to remain, got none");
  }
  const sameVoters = voters.size === conf.voters.length && conf.voters.every((id) => voters.has(id));
  if (sameVoters) {
    const sameLearners =
      learners.size === conf.learners.length && conf.learners.every((id) => learners.has(id));
    if (sameLearners) {
      throw new RaftError("RAFT_CHANGE_REFUSED", "expected a change, got the membership as it is");
    }
    return { voters: conf.voters, learners: sorted(learners), votersOutgoing: [], learnersNext: [] };
  }
  // A voter that is to be a learner keeps its vote in the outgoing half, and nobody is both.
  const learnersNext = conf.voters.filter((id) => learners.delete(id));
  return {
    voters: sorted(voters),
    learners: sorted(learners),
    votersOutgoing: conf.voters,
    learnersNext,
  };
}

/**
 * The membership after a joint one. Pure.
 *
 * @param conf - a joint membership
 */
export function leaveJoint(conf: ConfState): ConfState {
  return {
    voters: conf.voters,
    learners: sorted([...conf.learners, ...conf.learnersNext]),
    votersOutgoing: [],
    learnersNext: [],
  };
}

function sorted(ids: Iterable<string>): string[] {
  return [...ids].sort();
}
