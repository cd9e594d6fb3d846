import { isJoint, membersOf } from "../conf-state.ts";
import type { NodeId, Term } from "../entry.ts";
import type { VoteMessage, VoteResponse } from "../message.ts";
import { quorumVote } from "./quorum/joint.ts";
import type { Raft } from "./raft.ts";

/** Why a server stands: to see if it would win, because of a timeout, or because the leader told it to. */
export type CampaignKind = "preVote" | "vote" | "transfer";

/** Asks every voter of the newest membership. The server may stand and does not lead. */
export function campaign(raft: Raft, kind: CampaignKind): void {
  if (kind === "preVote") {
    raft.becomePreCandidate();
  } else {
    raft.becomeCandidate();
  }
  const term = kind === "preVote" ? raft.term + 1 : raft.term;
  const { index: lastIndex, term: lastTerm } = raft.log.last;
  const { conf } = raft.log.conf;
  for (const to of membersOf(conf)) {
    if (to !== raft.id && !conf.learners.includes(to)) {
      raft.outbox.send({
        type: kind === "preVote" ? "preVote" : "vote",
        from: raft.id,
        to,
        term,
        lastIndex,
        lastTerm,
        transfer: kind === "transfer",
        newcomer: isJoint(conf) && !conf.votersOutgoing.includes(to),
      });
    }
  }
  if (kind === "preVote") {
    // Promises nothing, so it counts at once.
    record(raft, raft.id, true);
  } else {
    // Counts when it is durable, or a crash could let this server vote again in the term.
    raft.outbox.sendWhenDurable(response(raft, "voteResponse", raft.id, term, true));
  }
}

/**
 * Answers a candidate (§5.2, §5.4.1). Everybody answers, learners too: a membership that makes them voters may not
 * have reached them, and a candidate counts only the voters of its own.
 *
 * Whoever knows of no membership has an empty log. Either it is new, or it is an old voter whose disk was lost, with
 * votes given and entries acknowledged; it cannot tell. So it votes only for who is adding it, where the old half of the
 * joint membership decides without it, and otherwise waits for a leader that was elected without it: that one has
 * every committed entry, since a majority without it shares a member with any majority.
 */
export function handleVote(raft: Raft, message: VoteMessage): void {
  const { type, from, term } = message;
  const known = raft.log.conf.conf.voters.length > 0 || message.newcomer;
  const free =
    raft.votedFor === from ||
    (raft.votedFor === undefined && raft.leaderId === undefined) ||
    (type === "preVote" && term > raft.term);
  const granted = known && free && raft.log.isUpToDate({ index: message.lastIndex, term: message.lastTerm });
  if (type === "preVote") {
    // The answer to a pre-vote names the term that was asked about when granted, else this server's own, so that a
    // candidate that is behind learns it.
    raft.outbox.sendWhenDurable(response(raft, "preVoteResponse", from, granted ? term : raft.term, granted));
    return;
  }
  if (granted) {
    raft.votedFor = from;
    raft.electionElapsed = 0;
  }
  raft.outbox.sendWhenDurable(response(raft, "voteResponse", from, raft.term, granted));
}

/** Counts an answer. */
export function handleVoteResponse(raft: Raft, message: VoteResponse): void {
  const asked = raft.role.kind === "preCandidate" ? "preVoteResponse" : "voteResponse";
  if (message.type !== asked) {
    return;
  }
  // A granted pre-vote of an older round speaks of another term than the one to be stood for.
  if (message.type === "preVoteResponse" && message.granted && message.term !== raft.term + 1) {
    return;
  }
  record(raft, message.from, message.granted);
}

function record(raft: Raft, id: NodeId, granted: boolean): void {
  const { role } = raft;
  if (role.kind !== "candidate" && role.kind !== "preCandidate") {
    return;
  }
  if (!role.votes.has(id)) {
    role.votes.set(id, granted);
  }
  switch (quorumVote(raft.log.conf.conf, (voter) => role.votes.get(voter))) {
    case "won":
      if (role.kind === "preCandidate") {
        campaign(raft, "vote");
      } else {
        raft.becomeLeader();
      }
      return;
    case "lost":
      raft.becomeFollower(raft.term, undefined);
      return;
    default:
  }
}

function response(
  raft: Raft,
  type: VoteResponse["type"],
  to: NodeId,
  term: Term,
  granted: boolean,
): VoteResponse {
  return { type, from: raft.id, to, term, granted };
}
