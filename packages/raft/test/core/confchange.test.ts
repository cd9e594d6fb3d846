import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyChange, leaveJoint } from "../../src/core/confchange/changer.ts";
import {
  type ConfChangeStep,
  type ConfState,
  decodeConfState,
  emptyConfState,
  encodeConfState,
  isJoint,
  RaftError,
} from "../../src/index.ts";
import { check, ids } from "../arbitraries.ts";

const step: fc.Arbitrary<ConfChangeStep> = fc.record({
  kind: fc.constantFrom("addVoter", "addLearner", "remove"),
  id: fc.constantFrom(...ids),
});
const steps = fc.uniqueArray(step, { maxLength: 5, selector: ({ id }) => id });

/** What members a change should lead to: each step by itself, over plain sets. */
function naive(conf: ConfState, change: readonly ConfChangeStep[]): { voters: string[]; learners: string[] } {
  const roles = new Map<string, "voter" | "learner">();
  for (const id of conf.voters) {
    roles.set(id, "voter");
  }
  for (const id of conf.learners) {
    roles.set(id, "learner");
  }
  for (const { kind, id } of change) {
    if (kind === "remove") {
      roles.delete(id);
    } else {
      roles.set(id, kind === "addVoter" ? "voter" : "learner");
    }
  }
  const having = (role: string) =>
    [...roles]
      .filter((entry) => entry[1] === role)
      .map(([id]) => id)
      .sort();
  return { voters: having("voter"), learners: having("learner") };
}

function attempt(conf: ConfState, change: readonly ConfChangeStep[]): ConfState | undefined {
  try {
    return applyChange(conf, { steps: change, timestampMs: 0 });
  } catch (error) {
    expect((error as RaftError).code).toBe("RAFT_CHANGE_REFUSED");
    return undefined;
  }
}

const start: ConfState = { ...emptyConfState, voters: ["a", "b", "c"], learners: ["d"] };

describe("a change of membership", () => {
  it("made at once leads where its steps, made one at a time, lead", () => {
    check(
      fc.property(fc.array(steps, { maxLength: 6 }), (changes) => {
        let conf = start;
        for (const change of changes) {
          const together = attempt(conf, change);
          if (together === undefined) {
            continue;
          }
          let alone: ConfState | undefined = conf;
          // Additions first, so that no order of steps passes through a membership without voters.
          for (const one of [...change]
            .sort((x, y) => (x.kind < y.kind ? -1 : 1))
            .reverse()
            .sort((x) => (x.kind === "addVoter" ? -1 : 1))) {
            const next = attempt(alone, [one]);
            alone = next === undefined ? alone : isJoint(next) ? leaveJoint(next) : next;
          }
          const { voters, learners } = naive(conf, change);
          conf = isJoint(together) ? leaveJoint(together) : together;
          expect(conf).toEqual({ voters, learners, votersOutgoing: [], learnersNext: [] });
          expect(alone).toEqual(conf);
        }
      }),
      300,
    );
  });

  it("keeps its invariants while it is joint: nobody is voter and learner, all old voters keep their say", () => {
    check(
      fc.property(steps, (change) => {
        const next = attempt(start, change);
        fc.pre(next !== undefined && isJoint(next));
        const { voters, votersOutgoing, learners, learnersNext } = next!;
        expect(votersOutgoing).toEqual(start.voters);
        expect(learners.filter((id) => voters.includes(id) || votersOutgoing.includes(id))).toEqual([]);
        expect(learnersNext.every((id) => votersOutgoing.includes(id) && !voters.includes(id))).toBe(true);
      }),
      300,
    );
  });

  it("that leaves the voters alone takes effect at once; any other is joint, be it of a single voter (§6)", () => {
    expect(isJoint(attempt(start, [{ kind: "addLearner", id: "e" }])!)).toBe(false);
    expect(isJoint(attempt(start, [{ kind: "remove", id: "d" }])!)).toBe(false);
    expect(isJoint(attempt(start, [{ kind: "addVoter", id: "e" }])!)).toBe(true);
    expect(isJoint(attempt(start, [{ kind: "remove", id: "a" }])!)).toBe(true);
    expect(isJoint(attempt(start, [{ kind: "addVoter", id: "d" }])!)).toBe(true);
    expect(isJoint(attempt(start, [{ kind: "addLearner", id: "a" }])!)).toBe(true);
  });

  it.each<[string, ConfChangeStep[]]>([
    [
      "removes the last voter",
      [
        { kind: "remove", id: "a" },
        { kind: "remove", id: "b" },
        { kind: "remove", id: "c" },
      ],
    ],
    ["demotes the last voter", ["a", "b", "c"].map((id) => ({ kind: "addLearner", id }))],
    [
      "names a node twice",
      [
        { kind: "addVoter", id: "e" },
        { kind: "remove", id: "e" },
      ],
    ],
    ["removes who is no member", [{ kind: "remove", id: "z" }]],
    ["changes nothing", [{ kind: "addVoter", id: "a" }]],
    ["is empty", []],
  ])("is refused when it %s", (_, change) => {
    expect(attempt(start, change)).toBeUndefined();
  });

  it("is no change while another is under way", () => {
    const joint = attempt(start, [{ kind: "remove", id: "a" }])!;
    expect(() => applyChange(joint, { steps: [], timestampMs: 0 })).toThrow(RaftError);
  });

  it("survives its bytes, and other bytes are refused", () => {
    const joint = attempt(start, [{ kind: "addLearner", id: "a" }])!;
    expect(decodeConfState(encodeConfState(joint))).toEqual(joint);
    for (const bad of [
      "",
      "{",
      "null",
      "{}",
      '{"version":2}',
      '{"version":1,"voters":[1]}',
      '{"version":1,"voters":[""]}',
    ]) {
      expect(() => decodeConfState(new TextEncoder().encode(bad))).toThrow(
        expect.objectContaining({ code: "RAFT_MALFORMED" }),
      );
    }
  });
});
