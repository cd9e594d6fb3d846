import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quorumIndex, quorumVote } from "../../src/core/quorum/joint.ts";
import { emptyConfState } from "../../src/index.ts";
import { check, idSet, ids } from "../arbitraries.ts";

/** The definition, word for word: an index is committed when more than half of the voters have it. */
function naiveMajority(voters: readonly string[], has: (id: string) => boolean): boolean {
  return voters.filter(has).length * 2 > voters.length || voters.length === 0;
}

function naiveIndex(
  voters: readonly string[],
  outgoing: readonly string[],
  acked: Map<string, number>,
): number {
  let best = 0;
  for (const index of acked.values()) {
    const has = (id: string) => (acked.get(id) ?? 0) >= index;
    if (naiveMajority(voters, has) && naiveMajority(outgoing, has)) {
      best = Math.max(best, index);
    }
  }
  return best;
}

const acks = fc
  .array(fc.nat(6), { minLength: ids.length, maxLength: ids.length })
  .map((indexes) => new Map(ids.map((id, at) => [id, indexes[at]!])));

describe("the quorum of a membership", () => {
  it("commits what a naive count over both halves commits (scenario 19, §6)", () => {
    check(
      fc.property(idSet, idSet, acks, (voters, votersOutgoing, acked) => {
        fc.pre(voters.length > 0);
        const conf = { ...emptyConfState, voters, votersOutgoing };
        expect(quorumIndex(conf, (id) => acked.get(id) ?? 0)).toBe(naiveIndex(voters, votersOutgoing, acked));
      }),
      1000,
    );
  });

  it("decides a vote as soon as, and no sooner than, no further answer can change it", () => {
    const answers = fc.array(fc.constantFrom(true, false, undefined), { minLength: 7, maxLength: 7 });
    check(
      fc.property(idSet, idSet, answers, (voters, votersOutgoing, given) => {
        fc.pre(voters.length > 0);
        const votes = new Map(ids.map((id, at) => [id, given[at]]));
        const wins = (missing: boolean) =>
          [voters, votersOutgoing].every((half) => naiveMajority(half, (id) => votes.get(id) ?? missing));
        const result = quorumVote({ ...emptyConfState, voters, votersOutgoing }, (id) => votes.get(id));
        expect(result).toBe(wins(false) ? "won" : wins(true) ? "pending" : "lost");
      }),
      1000,
    );
  });

  it("never counts a learner (scenario 19)", () => {
    const conf = { ...emptyConfState, voters: ["a", "b", "c"], learners: ["d", "e"] };
    expect(quorumIndex(conf, (id) => (id === "a" ? 0 : id < "d" ? 3 : 9))).toBe(3);
    expect(quorumIndex(conf, (id) => (id < "c" ? 1 : 9))).toBe(1);
  });

  it("commits and elects nothing when nobody has a vote", () => {
    expect(quorumIndex(emptyConfState, () => 9)).toBe(0);
    expect(quorumVote(emptyConfState, () => true)).toBe("lost");
  });
});
