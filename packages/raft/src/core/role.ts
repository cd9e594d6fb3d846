import type { NodeId } from "../entry.ts";
import type { Leader } from "./leader.ts";

/** Waits for a leader, or follows one. */
export interface Follower {
  readonly kind: "follower";
}

/** Asks for votes: in earnest as `candidate`, to see whether it would win as `preCandidate`. */
export interface Candidate {
  readonly kind: "candidate" | "preCandidate";
  readonly votes: Map<NodeId, boolean>;
}

/** What a server is (Figure 4). Being a learner is no role: it is a follower that its membership gives no vote. */
export type Role = Follower | Candidate | Leader;

/** The names of the roles. */
export type RoleName = Role["kind"];
