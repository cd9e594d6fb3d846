import { describe, expect, it } from "vitest";
import { type Candidate, victimOf } from "../../src/index.ts";

function broker(nodeId: string, more: Partial<Candidate> = {}): Candidate {
  const base = { nodeId, zone: "a", isHealthy: true, isLeader: false, isProtected: false };
  return { ...base, activeSinceMs: 0, agentConnections: 10, ...more };
}

describe("the broker to remove", () => {
  it.each([
    ["is unhealthy first", [broker("x", { activeSinceMs: 9 }), broker("y", { isHealthy: false })], "y"],
    [
      "is of the zone that has most",
      [broker("x", { zone: "b", activeSinceMs: 9 }), broker("y"), broker("z")],
      "y",
    ],
    ["is the newest", [broker("x"), broker("y", { activeSinceMs: 9 })], "y"],
    ["has the fewest connections", [broker("x"), broker("y", { agentConnections: 1 })], "y"],
    ["is the first by id when all are alike", [broker("y"), broker("x")], "x"],
    ["is never the leader", [broker("x", { isLeader: true, isHealthy: false }), broker("y")], "y"],
    [
      "is never one that is protected",
      [broker("x", { isProtected: true, activeSinceMs: 9 }), broker("y")],
      "y",
    ],
    [
      "is never the last of its zone",
      [broker("x", { zone: "b", isHealthy: false }), broker("y"), broker("z")],
      "y",
    ],
  ] as const)("%s", (_, brokers, expected) => {
    expect(victimOf(brokers)?.nodeId).toBe(expected);
  });

  it("is none when none may go", () => {
    expect(victimOf([broker("x", { isLeader: true })])).toBeUndefined();
    expect(victimOf([])).toBeUndefined();
  });
});
