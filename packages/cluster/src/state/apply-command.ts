import type { ClusterState } from "./cluster-state.ts";
import type { ClusterCommand } from "./command.ts";
import * as membership from "./membership.ts";
import { ClusterRefusal } from "./refusal.ts";
import * as ringChange from "./ring-change.ts";
import * as tokens from "./tokens.ts";

/** The state after a command. Pure. @throws {ClusterRefusal} when it is refused, and then nothing has changed */
export function applyCommand(state: ClusterState, command: ClusterCommand): ClusterState {
  if (command.kind !== "form" && state.clusterId === "") {
    throw new ClusterRefusal("CLUSTER_NOT_FORMED", "expected a cluster, got none: form one first");
  }
  switch (command.kind) {
    case "form":
      return membership.form(state, command);
    case "join":
      return membership.join(state, command);
    case "update":
      return membership.update(state, command.member);
    case "activate":
      return membership.activate(state, command);
    case "leave":
      return membership.leave(state, command);
    case "return":
      return membership.comeBack(state, command);
    case "markDown":
      return membership.markDown(state, command);
    case "markUp":
      return membership.markUp(state, command);
    case "remove":
      return membership.remove(state, command);
    case "setParameters":
      return setParameters(state, command.parameters, command.atMs);
    case "drained":
      return ringChange.drained(state, command);
    case "copied":
      return ringChange.copied(state, command);
    case "abort":
      return ringChange.abort(state, command);
    case "cleared":
      return ringChange.cleared(state, command);
    case "addJoinToken":
      return tokens.addJoinToken(state, command);
    case "addToken":
      return tokens.addToken(state, command);
    case "revokeToken":
      return tokens.revokeToken(state, command);
    default:
      return command satisfies never;
  }
}

function setParameters(
  state: ClusterState,
  parameters: ClusterState["parameters"],
  atMs: number,
): ClusterState {
  const { shardBucketMs, hash, seed } = state.parameters;
  const isMoving =
    parameters.hash !== hash || parameters.seed !== seed || parameters.shardBucketMs !== shardBucketMs;
  if (state.scope === "local" && isMoving) {
    const reason =
      "expected hash, seed and shardBucketMs to stay in local scope, where all data would have to move";
    throw new ClusterRefusal("CLUSTER_MALFORMED", reason);
  }
  return ringChange.wish(state, { kind: "parameters", parameters }, atMs);
}
