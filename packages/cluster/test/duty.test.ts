import { describe, expect, it } from "vitest";
import {
  applyCommand,
  type ClusterCommand,
  type ClusterState,
  type DutySituation,
  emptyClusterState,
  nextDuty,
} from "../src/index.ts";

function facts(nodeId: string) {
  const addresses = { agentAddress: `${nodeId}:7400`, peerAddress: `${nodeId}:7401` };
  return { nodeId, incarnation: `${nodeId}1`, ...addresses, zone: "", weight: 1, version: "0.1.0" };
}

const parameters = {
  vnodes: 150,
  hash: "crc32-fmix32",
  seed: 0,
  shardBucketMs: 3_600_000,
  replicationFactor: 2,
};

/** A cluster that a formed and b joined. */
function cluster(...more: ClusterCommand[]): ClusterState {
  const commands: ClusterCommand[] = [
    { kind: "form", clusterId: "c1", scope: "shared", member: facts("a"), parameters, atMs: 1 },
    { kind: "join", clusterId: "c1", member: facts("b"), atMs: 2 },
    ...more,
  ];
  return commands.reduce(applyCommand, emptyClusterState);
}

const activate: ClusterCommand = { kind: "activate", nodeId: "b", atMs: 3 };
const markDown: ClusterCommand = { kind: "markDown", nodeId: "b", atMs: 4 };

/** What a sees when b is well. */
function seen(state: ClusterState, change: Partial<DutySituation> = {}): DutySituation {
  return {
    state,
    leaderId: "a",
    healthOf: (nodeId) => (nodeId === "a" ? undefined : "alive"),
    answeringAs: (nodeId) => (nodeId === "a" ? undefined : `${nodeId}1`),
    caughtUp: new Set(["b"]),
    mayActivate: true,
    nowMs: 9,
    ...change,
  };
}

describe("a leader", () => {
  it("has nothing to do where all is as it is known", () => {
    expect(nextDuty(seen(cluster(activate)))).toBeUndefined();
  });

  it("gives a newcomer its share when it answers and has caught up, not before", () => {
    expect(nextDuty(seen(cluster()))).toEqual({ kind: "activate", nodeId: "b", atMs: 9 });
    for (const change of [
      { caughtUp: new Set<string>() },
      { answeringAs: () => undefined },
      { answeringAs: () => "b2" },
      { mayActivate: false },
    ]) {
      expect(nextDuty(seen(cluster(), change))).toBeUndefined();
    }
  });

  it("says that a member is down, but not one that is only suspect", () => {
    const down = seen(cluster(activate), { healthOf: () => "down", answeringAs: () => undefined });
    expect(nextDuty(down)).toEqual({ kind: "markDown", nodeId: "b", atMs: 9 });
    expect(nextDuty({ ...down, healthOf: () => "suspect" })).toBeUndefined();
    expect(nextDuty({ ...down, state: cluster(activate, markDown) })).toBeUndefined();
  });

  it("says that one is back when it answers as who it was", () => {
    const state = cluster(activate, markDown);
    expect(nextDuty(seen(state))).toEqual({ kind: "markUp", nodeId: "b", incarnation: "b1", atMs: 9 });
    expect(nextDuty(seen(state, { answeringAs: () => "b2" }))).toBeUndefined();
  });

  it("is itself not down, whatever the leader before it said", () => {
    const state = cluster(activate, markDown);
    const led = seen(state, { leaderId: "b", healthOf: () => undefined, answeringAs: () => undefined });
    expect(nextDuty(led)).toMatchObject({ kind: "markUp", nodeId: "b" });
  });
});
