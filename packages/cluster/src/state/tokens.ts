import { assertHostPattern } from "../access/host-pattern.ts";
import { type ClusterState, type JoinToken, tokensMax } from "./cluster-state.ts";
import type { CommandOf } from "./command.ts";
import { ClusterRefusal } from "./refusal.ts";

/** Lets one more broker join; those whose time is over are forgotten. */
export function addJoinToken(state: ClusterState, command: CommandOf<"addJoinToken">): ClusterState {
  const { id, secretHash, expiresAtMs, atMs } = command;
  const joinTokens = new Map<string, JoinToken>();
  for (const [known, token] of state.joinTokens) if (token.expiresAtMs > atMs) joinTokens.set(known, token);
  assertRoom(joinTokens.size);
  return { ...state, joinTokens: joinTokens.set(id, { secretHash, expiresAtMs }) };
}

/** Lets somebody in. */
export function addToken(state: ClusterState, command: CommandOf<"addToken">): ClusterState {
  const { id, secretHash, role, hostPattern, expiresAtMs } = command;
  try {
    assertHostPattern(hostPattern);
  } catch (error) {
    throw new ClusterRefusal("CLUSTER_MALFORMED", (error as RangeError).message);
  }
  assertRoom(state.tokens.size);
  const token = { secretHash, role, hostPattern, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
  return { ...state, tokens: new Map(state.tokens).set(id, token) };
}

/** Lets somebody in no longer, a broker that has not joined yet included. */
export function revokeToken(state: ClusterState, { id }: CommandOf<"revokeToken">): ClusterState {
  const tokens = new Map(state.tokens);
  const joinTokens = new Map(state.joinTokens);
  const isKnown = [tokens.delete(id), joinTokens.delete(id)].includes(true);
  if (!isKnown) throw new ClusterRefusal("CLUSTER_TOKEN_INVALID", `expected the id of a token, got ${id}`);
  return { ...state, tokens, joinTokens };
}

function assertRoom(tokens: number): void {
  if (tokens < tokensMax) return;
  throw new ClusterRefusal("CLUSTER_FULL", `expected at most ${tokensMax} tokens: revoke some first`);
}
