import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Member, planVoters, type VoterOptions, type VoterSituation, voterCount } from "../src/index.ts";

function member(nodeId: string, more: Partial<Member> = {}): Member {
  const addresses = { agentAddress: "127.0.0.1:7400", peerAddress: "127.0.0.1:7401" };
  const rest = {
    zone: "",
    weight: 1,
    version: "0.1.0",
    incarnation: nodeId,
    state: "active",
    sinceMs: 0,
  } as const;
  return { nodeId, ...addresses, ...rest, ...more };
}

function situation(members: readonly Member[], more: Partial<VoterSituation> = {}): VoterSituation {
  const all = new Set(members.filter(({ state }) => state !== "down").map(({ nodeId }) => nodeId));
  const base = { learners: [], silentSinceMs: new Map<string, number>(), nowMs: 1_000_000 };
  return { members, voters: ["a"], leaderId: "a", live: all, caughtUp: all, ...base, ...more };
}

const named = (ids: string): Member[] => [...ids].map((nodeId) => member(nodeId));

/** Carries out plans until there is none. */
function settle(start: VoterSituation, options: Partial<VoterOptions> = {}): VoterSituation {
  let now = start;
  for (let i = 0; i < 100; i++) {
    const plan = planVoters(now, options);
    if (plan === undefined) return now;
    const voters = new Set(now.voters);
    const learners = new Set(now.learners);
    for (const { kind, nodeId } of plan.steps) {
      voters.delete(nodeId);
      learners.delete(nodeId);
      if (kind === "addVoter") voters.add(nodeId);
      if (kind === "addLearner") learners.add(nodeId);
    }
    now = { ...now, voters: [...voters].sort(), learners: [...learners].sort() };
  }
  throw new Error("expected plans to come to an end");
}

describe("voters", () => {
  it.each([
    [0, 0],
    [1, 1],
    [2, 1],
    [3, 3],
    [4, 3],
    [5, 5],
    [6, 5],
    [7, 7],
    [100, 7],
  ])("of %i members are %i, when as many are allowed", (members, voters) =>
    expect(voterCount(members, 7)).toBe(voters),
  );

  it("of two members are one, the other learns", () => {
    expect(settle(situation(named("ab")))).toMatchObject({ voters: ["a"], learners: ["b"] });
  });

  it("become three in one change, when both learners are ready", () => {
    const two = situation(named("abc"), { learners: ["b", "c"], caughtUp: new Set(["a", "b"]) });
    expect(planVoters(two)).toBeUndefined();
    expect(planVoters({ ...two, caughtUp: new Set("abc") })).toEqual({
      steps: [
        { kind: "addVoter", nodeId: "b" },
        { kind: "addVoter", nodeId: "c" },
      ],
      reason: "3 voters for 3 members",
    });
  });

  it("are at most maxVoters", () => {
    expect(settle(situation(named("abcdefghi"))).voters).toHaveLength(5);
    expect(settle(situation(named("abcdefghi")), { maxVoters: 3 }).voters).toHaveLength(3);
    expect(() => planVoters(situation(named("a")), { maxVoters: 4 })).toThrow(
      "expected maxVoters of 1, 3, 5 or 7, got 4",
    );
  });

  it("are spread over zones", () => {
    const zones = { a: "x", b: "x", c: "x", d: "y", e: "z" };
    const members = Object.entries(zones).map(([nodeId, zone]) => member(nodeId, { zone }));
    expect(settle(situation(members), { maxVoters: 3 }).voters).toEqual(["a", "d", "e"]);
  });

  it("that are silent for 5 minutes make room for a learner (R35), not sooner", () => {
    const members = [...named("ab"), member("c", { state: "down" }), member("d")];
    const silentSinceMs = new Map([["c", 700_001]]);
    const now = situation(members, { voters: ["a", "b", "c"], learners: ["d"], silentSinceMs });
    expect(planVoters(now)).toBeUndefined();
    expect(planVoters({ ...now, nowMs: 1_000_001 })?.steps).toEqual([
      { kind: "addVoter", nodeId: "d" },
      { kind: "addLearner", nodeId: "c" },
    ]);
  });

  it("stay as they are while no majority of them answers", () => {
    const members = [
      member("a"),
      member("b", { state: "down" }),
      member("c", { state: "down" }),
      member("d"),
    ];
    const silentSinceMs = new Map([
      ["b", 0],
      ["c", 0],
    ]);
    const now = situation(members, { voters: ["a", "b", "c"], learners: ["d"], silentSinceMs });
    expect(planVoters({ ...now, nowMs: 9e9 })).toBeUndefined();
  });

  it("that left go, the leader excepted", () => {
    const left = [member("a", { state: "left" }), member("b"), member("c"), member("d", { state: "left" })];
    const plan = planVoters(
      situation(left, { voters: ["a", "b", "c"], learners: ["d"], live: new Set("abcd") }),
    );
    expect(plan).toEqual({ steps: [{ kind: "remove", nodeId: "d" }], reason: "d left" });
  });

  it("become fewer with the members, those that do not answer first", () => {
    const members = [...named("abd"), member("c", { state: "down" }), member("e", { state: "leaving" })];
    const now = situation(members, { voters: [..."abcde"], live: new Set("abde") });
    expect(planVoters(now)?.steps).toEqual([
      { kind: "addLearner", nodeId: "e" },
      { kind: "addLearner", nodeId: "c" },
    ]);
  });
});

it("always come to the number that is called for, without a step that would lose the quorum", () => {
  const ids = [..."abcdefghi"];
  const state = fc.constantFrom("active", "joining", "down", "leaving", "left") as fc.Arbitrary<
    Member["state"]
  >;
  const cluster = fc.record({
    states: fc.array(state, { minLength: 9, maxLength: 9 }),
    zones: fc.array(fc.constantFrom("x", "y", "z"), { minLength: 9, maxLength: 9 }),
    voters: fc.subarray(ids.slice(1), { maxLength: 6 }),
  });
  fc.assert(
    fc.property(cluster, ({ states, zones, voters: others }) => {
      const members = ids.map((nodeId, i) =>
        member(nodeId, { zone: zones[i]!, state: nodeId === "a" ? "active" : states[i]! }),
      );
      const voters = ["a", ...others].sort();
      const silentSinceMs = new Map(
        members.filter(({ state: s }) => s === "down").map(({ nodeId }) => [nodeId, 0]),
      );
      const start = situation(members, { voters, silentSinceMs });
      const live = voters.filter((nodeId) => start.live.has(nodeId)).length;
      const end = settle(start);
      if (live * 2 <= voters.length) {
        expect(end).toEqual(start);
        return;
      }
      const standing = members.filter(({ state: s }) => s !== "left" && s !== "leaving");
      const able = standing.filter(({ state: s }) => s !== "down").length;
      const wanted = voterCount(standing.length, 5);
      // Those who are down keep their vote when there is nobody for their place.
      if (able >= wanted) {
        expect(end.voters).toHaveLength(wanted);
        expect(end.voters.every((nodeId) => start.live.has(nodeId))).toBe(true);
      }
      expect(end.voters.filter((nodeId) => start.live.has(nodeId)).length * 2).toBeGreaterThan(
        end.voters.length,
      );
      const all = [...end.voters, ...end.learners].sort();
      expect(all).toEqual(expect.arrayContaining(standing.map(({ nodeId }) => nodeId)));
    }),
    { numRuns: 500 },
  );
});
