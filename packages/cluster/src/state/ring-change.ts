import type { RingParameters } from "@mon/hashring";
import {
  type ClusterState,
  type PastRing,
  type RingChange,
  type RingState,
  type RingWish,
  wishesMax,
} from "./cluster-state.ts";
import type { CommandOf } from "./command.ts";
import type { Member } from "./member.ts";
import { ClusterRefusal } from "./refusal.ts";

/** Members from which on data has the copies that are wanted, in local scope. */
const replicatedFrom = 3;

/**
 * Wants something of the ring: at once in shared scope, where a ring moves no data; by a hand-over in local scope, one
 * after another.
 */
export function wish(state: ClusterState, wanted: RingWish, atMs: number): ClusterState {
  if (state.change === undefined) return begin(state, wanted, atMs);
  if (state.wishes.length >= wishesMax) {
    throw new ClusterRefusal("CLUSTER_FULL", `expected at most ${wishesMax} changes of the ring to wait`);
  }
  return { ...state, wishes: [...state.wishes, wanted] };
}

function begin(state: ClusterState, wanted: RingWish, atMs: number): ClusterState {
  const parameters = wanted.kind === "parameters" ? wanted.parameters : state.parameters;
  const ring = ringAfter(state, wanted, parameters);
  const next = { ...state, parameters };
  const oldIds = state.ring.members.map(({ id }) => id);
  if (isSameRing(ring, state.ring)) return fulfil(next, wanted, atMs);
  if (state.scope === "shared" || oldIds.length === 0) return fulfil({ ...next, ring }, wanted, atMs);
  const change: RingChange = {
    ring,
    wish: wanted,
    sinceMs: atMs,
    undrained: oldIds.filter((id) => isThere(state.members.get(id))),
    uncopied: ring.members.map(({ id }) => id),
    copied: new Map(),
  };
  return { ...next, change };
}

/** Those who are down cannot confirm anything, and are not waited for: what they have is copied from others. */
function isThere(member: Member | undefined): boolean {
  return member !== undefined && member.state !== "down";
}

function ringAfter(state: ClusterState, wanted: RingWish, parameters: RingParameters): RingState {
  const members = new Map(state.ring.members.map((member) => [member.id, member]));
  if (wanted.kind === "remove") members.delete(wanted.nodeId);
  else if (wanted.kind !== "parameters") {
    const { nodeId: id, weight, zone } = state.members.get(wanted.nodeId)!;
    members.set(id, { id, weight, zone });
  }
  const sorted = [...members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const isAlone = state.scope === "local" && sorted.length < replicatedFrom;
  const replicationFactor = isAlone ? 1 : parameters.replicationFactor;
  return { epoch: state.ring.epoch + 1, members: sorted, parameters: { ...parameters, replicationFactor } };
}

function isSameRing(a: RingState, b: RingState): boolean {
  return JSON.stringify([a.members, a.parameters]) === JSON.stringify([b.members, b.parameters]);
}

/** The ring is as it was wanted: says so of the member, and begins what is wanted next. */
function fulfil(state: ClusterState, wanted: RingWish, atMs: number): ClusterState {
  const members = new Map(state.members);
  const member = wanted.kind === "remove" ? members.get(wanted.nodeId) : undefined;
  if (member !== undefined) members.set(member.nodeId, { ...member, state: "left", sinceMs: atMs });
  const [next, ...wishes] = state.wishes;
  const after: ClusterState = { ...state, members, wishes, change: undefined };
  return next === undefined ? after : begin(after, next, atMs);
}

/** A source has finished what was under way under the old ring. */
export function drained(state: ClusterState, { epoch, nodeId }: CommandOf<"drained">): ClusterState {
  const change = pending(state, epoch);
  return { ...state, change: { ...change, undrained: change.undrained.filter((id) => id !== nodeId) } };
}

/** A target has all that is its own; the last of them brings the ring into force. */
export function copied(state: ClusterState, command: CommandOf<"copied">): ClusterState {
  const { epoch, nodeId, partitions, bytes, atMs } = command;
  const change = pending(state, epoch);
  if (change.undrained.length > 0) {
    const who = change.undrained.join(", ");
    throw new ClusterRefusal(
      "CLUSTER_WRONG_STATE",
      `expected all sources to have drained, but ${who} has not`,
    );
  }
  const uncopied = change.uncopied.filter((id) => id !== nodeId);
  const progress = new Map(change.copied).set(nodeId, { partitions, bytes });
  if (uncopied.length > 0) return { ...state, change: { ...change, uncopied, copied: progress } };
  const old: PastRing = { ring: state.ring, uncleared: state.ring.members.map(({ id }) => id) };
  return fulfil({ ...state, ring: change.ring, past: [...state.past, old] }, change.wish, atMs);
}

/**
 * Gives a hand-over up. The old ring gets a new epoch: what was written under the pending one lies with its owners, who
 * have to surrender it, so that ring is past too.
 */
export function abort(state: ClusterState, { epoch, atMs }: CommandOf<"abort">): ClusterState {
  const change = pending(state, epoch);
  const members = new Map(state.members);
  const who = "nodeId" in change.wish ? members.get(change.wish.nodeId) : undefined;
  if (who !== undefined && change.wish.kind === "add")
    members.set(who.nodeId, { ...who, state: "joining", sinceMs: atMs });
  if (who !== undefined && change.wish.kind === "remove" && who.state === "leaving") {
    members.set(who.nodeId, { ...who, state: "active", sinceMs: atMs });
  }
  const parameters = change.wish.kind === "parameters" ? wantedBefore(state) : state.parameters;
  const uncleared = change.ring.members.map(({ id }) => id);
  const after: ClusterState = {
    ...state,
    members,
    parameters,
    ring: { ...state.ring, epoch: epoch + 1 },
    past: [...state.past, { ring: change.ring, uncleared }],
    change: undefined,
  };
  const [next, ...wishes] = after.wishes;
  return next === undefined ? after : begin({ ...after, wishes }, next, atMs);
}

/** The parameters of the ring in force, but for a replication factor that is 1 for want of members. */
function wantedBefore({ ring, parameters }: ClusterState): RingParameters {
  const isAlone = ring.members.length < replicatedFrom;
  return isAlone ? { ...ring.parameters, replicationFactor: parameters.replicationFactor } : ring.parameters;
}

/** A member holds nothing any more that was its own under a past ring only. */
export function cleared(state: ClusterState, { epoch, nodeId }: CommandOf<"cleared">): ClusterState {
  const past = state.past
    .map((old) =>
      old.ring.epoch === epoch ? { ...old, uncleared: old.uncleared.filter((id) => id !== nodeId) } : old,
    )
    .filter(({ uncleared }) => uncleared.length > 0);
  return { ...state, past };
}

/** Takes a member out of all that waits for it: it is gone for good. */
export function forget(state: ClusterState, nodeId: string): ClusterState {
  const without = (ids: readonly string[]): string[] => ids.filter((id) => id !== nodeId);
  const past = state.past
    .map((old) => ({ ...old, uncleared: without(old.uncleared) }))
    .filter(({ uncleared }) => uncleared.length > 0);
  const wishes = state.wishes.filter((wanted) => wanted.kind === "parameters" || wanted.nodeId !== nodeId);
  const { change } = state;
  return {
    ...state,
    past,
    wishes,
    change: change && { ...change, undrained: without(change.undrained) },
  };
}

function pending(state: ClusterState, epoch: number): RingChange {
  const { change } = state;
  if (change?.ring.epoch === epoch) return change;
  const there = change === undefined ? "none is pending" : `${change.ring.epoch} is pending`;
  throw new ClusterRefusal("CLUSTER_WRONG_EPOCH", `expected the pending epoch, got ${epoch}; ${there}`);
}
