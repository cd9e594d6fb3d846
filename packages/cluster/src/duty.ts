import type { PeerHealth } from "./failure-detector.ts";
import type { ClusterState } from "./state/cluster-state.ts";
import type { ClusterCommand } from "./state/command.ts";
import type { Member } from "./state/member.ts";

/** What a leader knows when it looks after the members. */
export interface DutySituation {
  readonly state: ClusterState;
  /** The leader itself. */
  readonly leaderId: string;
  /** How it judges a member; undefined for a stranger. */
  readonly healthOf: (nodeId: string) => PeerHealth | undefined;
  /** The incarnation of a member that answers now; undefined for one that does not. */
  readonly answeringAs: (nodeId: string) => string | undefined;
  /** Members whose log is close enough to the leader's for them to get a share. */
  readonly caughtUp: ReadonlySet<string>;
  /**
   * Whether members may get a share. In local scope that takes brokers that hand data over; without them a share would
   * hide what others hold.
   */
  readonly mayActivate: boolean;
  /** The wall clock, for the command. */
  readonly nowMs: number;
}

/**
 * What a leader has to propose next about the members: that one is down, that one is back, that one gets its share; in
 * this order, and one at a time. Goes by what is, not by what has changed, so that a new leader goes on where the last one
 * stopped. O(members).
 */
export function nextDuty(situation: DutySituation): ClusterCommand | undefined {
  const members = [...situation.state.members.values()];
  for (const way of [fall, rise, share]) {
    for (const member of members) {
      const command = way(member, situation);
      if (command !== undefined) return command;
    }
  }
  return undefined;
}

type Way = (member: Member, situation: DutySituation) => ClusterCommand | undefined;

const fall: Way = ({ nodeId, state }, { leaderId, healthOf, nowMs: atMs }) => {
  if (state !== "active" || nodeId === leaderId || healthOf(nodeId) !== "down") return undefined;
  return { kind: "markDown", nodeId, atMs };
};

const rise: Way = ({ nodeId, state, incarnation }, { leaderId, answeringAs, nowMs: atMs }) => {
  if (state !== "down") return undefined;
  const isBack = nodeId === leaderId || answeringAs(nodeId) === incarnation;
  return isBack ? { kind: "markUp", nodeId, incarnation, atMs } : undefined;
};

const share: Way = ({ nodeId, state, incarnation }, situation) => {
  const { answeringAs, caughtUp, leaderId, mayActivate, nowMs: atMs } = situation;
  if (state !== "joining" || !mayActivate) return undefined;
  const isReady = nodeId === leaderId || (answeringAs(nodeId) === incarnation && caughtUp.has(nodeId));
  return isReady ? { kind: "activate", nodeId, atMs } : undefined;
};
