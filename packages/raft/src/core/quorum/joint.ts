import type { ConfState } from "../../conf-state.ts";
import type { LogIndex, NodeId } from "../../entry.ts";
import { majorityIndex, majorityVote, type VoteResult } from "./majority.ts";

/**
 * The largest index that both halves of a membership have acknowledged by majority (§6); 0 when nobody has a vote.
 */
export function quorumIndex(conf: ConfState, acked: (id: NodeId) => LogIndex): LogIndex {
  if (conf.voters.length === 0) {
    return 0;
  }
  return Math.min(majorityIndex(conf.voters, acked), majorityIndex(conf.votersOutgoing, acked));
}

/** What a vote has come to: both halves must win, and one that lost decides (§6). Nobody wins without voters. */
export function quorumVote(conf: ConfState, vote: (id: NodeId) => boolean | undefined): VoteResult {
  if (conf.voters.length === 0) {
    return "lost";
  }
  const incoming = majorityVote(conf.voters, vote);
  const outgoing = majorityVote(conf.votersOutgoing, vote);
  if (incoming === outgoing) {
    return incoming;
  }
  return incoming === "lost" || outgoing === "lost" ? "lost" : "pending";
}
