import type { NodeId } from "./entry.ts";
import { RaftError } from "./errors.ts";

/**
 * A membership. While `votersOutgoing` is not empty it is *joint* (§6): elections and commits then need a majority of
 * `voters` and a majority of `votersOutgoing`.
 *
 * All lists are sorted and without duplicates, so equal memberships are equal as JSON.
 */
export interface ConfState {
  /** Those who elect and commit. Empty only in a server that does not know its cluster yet. */
  readonly voters: readonly NodeId[];
  /** Those who get the log without a say. Disjoint from `voters` and `votersOutgoing`. */
  readonly learners: readonly NodeId[];
  /** The voters before the change under way; empty when there is none. */
  readonly votersOutgoing: readonly NodeId[];
  /** Voters of `votersOutgoing` that become learners when the joint membership ends. */
  readonly learnersNext: readonly NodeId[];
}

/** The membership of a server that was not told of any. */
export const emptyConfState: ConfState = Object.freeze({
  voters: Object.freeze([]),
  learners: Object.freeze([]),
  votersOutgoing: Object.freeze([]),
  learnersNext: Object.freeze([]),
});

/** Whether a change of voters is under way. */
export function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0;
}

/** Whether `id` has a vote, in either half of a joint membership. */
export function isVoter(conf: ConfState, id: NodeId): boolean {
  return conf.voters.includes(id) || conf.votersOutgoing.includes(id);
}

/** Whether `id` takes part at all. */
export function isMember(conf: ConfState, id: NodeId): boolean {
  return isVoter(conf, id) || conf.learners.includes(id);
}

/** Every member once, sorted. */
export function membersOf(conf: ConfState): NodeId[] {
  return [...new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners])].sort();
}

/** Whether two memberships are the same. */
export function sameConf(a: ConfState, b: ConfState): boolean {
  return LISTS.every(
    (list) => a[list].length === b[list].length && a[list].every((id, i) => id === b[list][i]),
  );
}

/** The bytes of a `config` entry: JSON with a version, fields in fixed order. Equal memberships give equal bytes. */
export function encodeConfState(conf: ConfState): Uint8Array {
  const { voters, learners, votersOutgoing, learnersNext } = conf;
  return encoder.encode(JSON.stringify({ version: 1, voters, learners, votersOutgoing, learnersNext }));
}

/**
 * Reads what {@link encodeConfState} wrote.
 *
 * @throws {RaftError} RAFT_MALFORMED when the bytes are no membership of a version this release knows
 */
export function decodeConfState(bytes: Uint8Array): ConfState {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new RaftError("RAFT_MALFORMED", "expected a membership in JSON", { cause });
  }
  if (typeof value !== "object" || value === null || (value as { version?: unknown }).version !== 1) {
    throw new RaftError("RAFT_MALFORMED", "expected a membership of version 1");
  }
  const lists = value as Record<string, unknown>;
  const [voters, learners, votersOutgoing, learnersNext] = LISTS.map((name) => {
    const list = lists[name];
    if (!Array.isArray(list) || !list.every((id) => typeof id === "string" && id.length > 0)) {
      throw new RaftError("RAFT_MALFORMED", `expected ${name} to be a list of node ids`);
    }
    return [...new Set(list as string[])].sort();
  });
  return {
    voters: voters!,
    learners: learners!,
    votersOutgoing: votersOutgoing!,
    learnersNext: learnersNext!,
  };
}

const LISTS = ["voters", "learners", "votersOutgoing", "learnersNext"] as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
