import { type ClusterState, membersMax } from "./cluster-state.ts";
import { type CommandOf, isCompatible } from "./command.ts";
import type { Member, MemberFacts, MemberState } from "./member.ts";
import { ClusterRefusal } from "./refusal.ts";
import { forget, wish } from "./ring-change.ts";

/** Makes a cluster of one. */
export function form(state: ClusterState, command: CommandOf<"form">): ClusterState {
  const { clusterId, scope, member, parameters, atMs } = command;
  if (state.clusterId !== "") {
    throw new ClusterRefusal(
      "CLUSTER_ALREADY_FORMED",
      `expected no cluster, got ${state.clusterId}: join it`,
    );
  }
  if (scope === "local" && parameters.shardBucketMs === 1) {
    throw new ClusterRefusal("CLUSTER_MALFORMED", "expected a shardBucketMs above 1 in local scope, got 1");
  }
  const first: Member = { ...member, state: "active", sinceMs: atMs };
  const formed = { ...state, clusterId, scope, parameters, members: new Map([[first.nodeId, first]]) };
  return wish(formed, { kind: "add", nodeId: first.nodeId }, atMs);
}

/** Adds a member without a share. The same member again changes nothing but what it says of itself. */
export function join(state: ClusterState, command: CommandOf<"join">): ClusterState {
  const { clusterId, member, joinTokenId, atMs } = command;
  if (clusterId !== state.clusterId) {
    throw new ClusterRefusal(
      "CLUSTER_MISMATCH",
      `expected a broker of ${state.clusterId}, got one of ${clusterId}`,
    );
  }
  const known = state.members.get(member.nodeId);
  if (known !== undefined && known.state !== "left") return update(state, member);
  assertCompatible(state, member);
  if (known === undefined && state.members.size >= membersMax) {
    throw new ClusterRefusal("CLUSTER_FULL", `expected at most ${membersMax} members`);
  }
  const joinTokens = new Map(state.joinTokens);
  if (joinTokenId !== undefined) {
    const token = joinTokens.get(joinTokenId);
    if (token === undefined || token.expiresAtMs <= atMs) {
      const reason = "expected a join token that was not used and has not expired";
      throw new ClusterRefusal("CLUSTER_TOKEN_INVALID", reason);
    }
    joinTokens.delete(joinTokenId);
  }
  const added: Member = { ...member, state: "joining", sinceMs: atMs };
  return { ...state, joinTokens, members: new Map(state.members).set(member.nodeId, added) };
}

/** Changes what a member says of itself. Its weight and zone count from the next change of its share on. */
export function update(state: ClusterState, facts: MemberFacts): ClusterState {
  const member = memberOf(state, facts.nodeId);
  if (member.incarnation !== facts.incarnation) {
    throw new ClusterRefusal(
      "CLUSTER_OTHER_INCARNATION",
      `expected the disk that ${facts.nodeId} joined with (${member.incarnation}), got another (${facts.incarnation}): ` +
        "give the node its old data directory, remove it from the cluster first, or join under another id",
    );
  }
  assertCompatible(state, facts);
  return withMember(state, { ...member, ...facts });
}

/** Gives a member a share of the ring. */
export function activate(state: ClusterState, { nodeId, atMs }: CommandOf<"activate">): ClusterState {
  const member = memberIn(state, nodeId, ["joining", "active"]);
  if (member.state === "joining") {
    return wish(withState(state, member, "active", atMs), { kind: "add", nodeId }, atMs);
  }
  // It has a share already: what is new is its weight or zone, if anything.
  return wish(state, { kind: "reweigh", nodeId }, atMs);
}

/** Takes a member's share. */
export function leave(state: ClusterState, { nodeId, atMs }: CommandOf<"leave">): ClusterState {
  const member = memberIn(state, nodeId, ["active", "joining", "leaving", "down"]);
  if (member.state === "leaving") return state;
  if (member.state === "joining") return withState(state, member, "left", atMs);
  assertNotLast(state, nodeId);
  return wish(withState(state, member, "leaving", atMs), { kind: "remove", nodeId }, atMs);
}

/** Calls off a `leave` that waits; one that has begun is aborted by its epoch. */
export function comeBack(state: ClusterState, { nodeId, atMs }: CommandOf<"return">): ClusterState {
  const member = memberIn(state, nodeId, ["leaving"]);
  const waits = (wanted: ClusterState["wishes"][number]): boolean =>
    wanted.kind === "remove" && wanted.nodeId === nodeId;
  if (!state.wishes.some(waits)) {
    const reason = `expected a leave that has not begun; abort the hand-over to keep ${nodeId}`;
    throw new ClusterRefusal("CLUSTER_WRONG_STATE", reason);
  }
  const wishes = state.wishes.filter((wanted) => !waits(wanted));
  return withState({ ...state, wishes }, member, "active", atMs);
}

/** Notes that a member does not answer. It keeps its share: others stand in for it while it is away. */
export function markDown(state: ClusterState, { nodeId, atMs }: CommandOf<"markDown">): ClusterState {
  const member = memberIn(state, nodeId, ["active", "down"]);
  return member.state === "down" ? state : withState(state, member, "down", atMs);
}

/** Notes that it does again. */
export function markUp(
  state: ClusterState,
  { nodeId, incarnation, atMs }: CommandOf<"markUp">,
): ClusterState {
  const member = memberIn(state, nodeId, ["active", "down"]);
  if (member.incarnation !== incarnation) update(state, { ...member, incarnation });
  return member.state === "active" ? state : withState(state, member, "active", atMs);
}

/** Forgets a member that has left, has not begun, or is down for good: what it alone held is lost to the cluster then. */
export function remove(state: ClusterState, { nodeId, atMs }: CommandOf<"remove">): ClusterState {
  const member = memberIn(state, nodeId, ["left", "joining", "down"]);
  if (member.state === "down") {
    assertNotLast(state, nodeId);
    // It stays down until it is out of the ring: nobody may wait for it to drain.
    return wish(forget(state, nodeId), { kind: "remove", nodeId }, atMs);
  }
  const members = new Map(state.members);
  members.delete(nodeId);
  return forget({ ...state, members }, nodeId);
}

function memberOf({ members }: ClusterState, nodeId: string): Member {
  const member = members.get(nodeId);
  if (member === undefined)
    throw new ClusterRefusal("CLUSTER_UNKNOWN_MEMBER", `expected a member, got ${nodeId}`);
  return member;
}

function memberIn(state: ClusterState, nodeId: string, states: readonly MemberState[]): Member {
  const member = memberOf(state, nodeId);
  if (states.includes(member.state)) return member;
  const reason = `expected ${nodeId} to be ${states.join(" or ")}, got ${member.state}`;
  throw new ClusterRefusal("CLUSTER_WRONG_STATE", reason);
}

function withMember(state: ClusterState, member: Member): ClusterState {
  return { ...state, members: new Map(state.members).set(member.nodeId, member) };
}

function withState(state: ClusterState, member: Member, next: MemberState, sinceMs: number): ClusterState {
  return withMember(state, { ...member, state: next, sinceMs });
}

function assertCompatible({ members }: ClusterState, { nodeId, version }: MemberFacts): void {
  for (const other of members.values()) {
    if (other.nodeId === nodeId || other.state === "left" || isCompatible(version, other.version)) continue;
    throw new ClusterRefusal(
      "CLUSTER_VERSION_MISMATCH",
      `expected a version at most one minor version from ${other.version} of ${other.nodeId}, got ${version}: ` +
        "upgrade one minor version at a time, all brokers each time",
    );
  }
}

/** At least one other is to keep a share. */
function assertNotLast({ members }: ClusterState, nodeId: string): void {
  for (const member of members.values()) {
    if (member.nodeId !== nodeId && member.state === "active") return;
  }
  throw new ClusterRefusal("CLUSTER_LAST_MEMBER", `expected another active member besides ${nodeId}`);
}
