import { describe, expect, it } from "vitest";
import { type ConfState, encodeConfState } from "../../src/index.ts";
import { Cluster, entry } from "./cluster.ts";

const three = ["a", "b", "c"];

function conf(voters: string[], rest: Partial<ConfState> = {}): ConfState {
  return { voters, learners: [], votersOutgoing: [], learnersNext: [], ...rest };
}

/** Lets a leader know who answers, which is who a resigning leader may name. */
function warm(cluster: Cluster): void {
  cluster.tick(2);
}

describe("a change of membership (§6)", () => {
  it("of voters goes through a joint membership and leaves it by itself", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.addNode("d");
    cluster.change("a", ["addVoter", "d"]);
    expect(cluster.get("a").status.conf).toEqual(conf(["a", "b", "c", "d"], { votersOutgoing: three }));
    cluster.tick(2);
    for (const { status } of cluster.nodes.values()) {
      expect(status.conf).toEqual(conf(["a", "b", "c", "d"]));
      expect(status.committedConf).toEqual(status.conf);
    }
  });

  it("is in force as soon as it is in the log: joint entries need both majorities", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    for (const id of ["d", "e"]) {
      cluster.addNode(id);
    }
    // b and c, which the change removes, are gone: the old majority is missing.
    cluster.partition(["a", "d", "e"]);
    cluster.change("a", ["addVoter", "d"], ["addVoter", "e"], ["remove", "b"], ["remove", "c"]);
    cluster.tick(3, ["a"]);
    expect(cluster.get("d").status.last.index).toBe(3);
    expect(cluster.get("a").status.committed).toBe(2);
    cluster.heal();
    cluster.tick(3, ["a"]);
    expect(cluster.get("a").status.conf).toEqual(conf(["a", "d", "e"]));
  });

  it("is refused while another is under way, and before the leader has committed in its term", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    const inProgress = expect.objectContaining({ code: "RAFT_CHANGE_IN_PROGRESS" });
    cluster.change("a", ["addLearner", "l"]);
    expect(() => cluster.change("a", ["addLearner", "m"])).toThrow(inProgress);
    cluster.settle();
    cluster.change("a", ["addVoter", "d"]);
    cluster.process();
    expect(() => cluster.change("a", ["addLearner", "m"])).toThrow(inProgress);
    cluster.settle();
    cluster.passes = ({ type }) => type !== "append";
    cluster.elect("b");
    expect(() => cluster.change("b", ["addLearner", "m"])).toThrow(inProgress);
  });

  it("by two leaders at once commits at most once: the later one commits in its term first (scenario 28)", () => {
    const four = ["a", "b", "c", "d"];
    const cluster = new Cluster(four, { checkQuorum: false });
    cluster.elect("a");
    cluster.settle();
    // a removes itself in favour of nobody: only a has it. b leads next and wants to remove c.
    cluster.partition(["a"], ["b", "c", "d"]);
    cluster.change("a", ["remove", "d"]);
    cluster.process();
    cluster.tick(60, ["b"]);
    expect(cluster.leader?.id).toBe("b");
    cluster.change("b", ["remove", "c"]);
    cluster.tick(3, ["b"]);
    expect(cluster.get("b").status.conf).toEqual(conf(["a", "b", "d"]));
    cluster.heal();
    cluster.tick(30);
    for (const id of ["a", "b", "d"]) {
      expect(cluster.get(id).status.committedConf).toEqual(conf(["a", "b", "d"]));
    }
  });

  it("whose leader dies while it is joint is finished by the next (scenario 29)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.addNode("d");
    // The joint membership is committed, the one that ends it is not even sent.
    cluster.change("a", ["addVoter", "d"]);
    const joint = cluster.get("a").status.confIndex;
    cluster.passes = (message) =>
      message.type !== "append" || message.entries.every(({ index }) => index <= joint);
    cluster.tick(1, ["a"]);
    expect(cluster.get("b").status.conf.votersOutgoing).toEqual(three);
    cluster.passes = ({ from, to }) => from !== "a" && to !== "a";
    cluster.tick(60, ["b", "c", "d"]);
    for (const id of ["b", "c", "d"]) {
      expect(cluster.get(id).status.conf).toEqual(conf(["a", "b", "c", "d"]));
    }
  });

  it("that reached a minority only is kept or lost with its entry, and never half (scenarios 29, 33)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.partition(["a"], ["b", "c"]);
    cluster.change("a", ["addVoter", "d"]);
    cluster.process();
    expect(cluster.get("a").status.conf.voters).toContain("d");
    cluster.tick(60, ["b", "c"]);
    cluster.heal();
    cluster.tick(3);
    for (const id of three) {
      expect(cluster.get(id).status.conf).toEqual(conf(three));
    }
    cluster.elect("a");
    expect(cluster.get("a").status.progress.map(({ id }) => id)).toEqual(["b", "c"]);
  });

  it("that removes the leader: it leads until the end, does not count itself, names a successor and steps down (scenario 30, thesis §4.2.2)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    warm(cluster);
    cluster.change("a", ["remove", "a"]);
    cluster.settle();
    expect(cluster.get("a").status.role).toBe("follower");
    expect(["b", "c"]).toContain(cluster.leader?.id);
    expect(cluster.leader!.status.term).toBe(3);
    expect(cluster.leader!.status.conf).toEqual(conf(["b", "c"]));
    // What remains needs both, and the old leader is none of them.
    cluster.propose(cluster.leader!.id, "x");
    cluster.settle();
    expect(cluster.get("a").commands).toEqual([]);
    expect(cluster.get("b").commands).toEqual(["x"]);
  });

  it("that demotes the leader ends the same way", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    warm(cluster);
    cluster.change("a", ["addLearner", "a"]);
    cluster.tick(3);
    expect(cluster.leader!.status.conf).toEqual(conf(["b", "c"], { learners: ["a"] }));
    cluster.propose(cluster.leader!.id, "x");
    cluster.settle();
    expect(cluster.get("a").commands).toEqual(["x"]);
  });

  it("that removes the leader, which restarts with its end on its own disk only, is finished by it (scenario 30)", () => {
    const cluster = new Cluster(["a", "b"], { checkQuorum: false });
    cluster.elect("a");
    // b has the joint membership, and a alone the end of it. b cannot win, as a's log is longer; a is no voter of
    // its newest membership.
    cluster.change("a", ["remove", "a"]);
    const joint = cluster.get("a").status.confIndex;
    cluster.passes = (message) =>
      message.type !== "append" || message.entries.every(({ index }) => index <= joint);
    cluster.settle();
    expect(cluster.get("a").status.conf).toEqual(conf(["b"]));
    expect(cluster.get("b").status.conf.votersOutgoing).toEqual(["a", "b"]);
    cluster.restart("a");
    cluster.restart("b");
    cluster.network = [];
    cluster.heal();
    cluster.tick(100);
    expect(cluster.leader?.id).toBe("b");
    expect(cluster.get("b").status.committedConf).toEqual(conf(["b"]));
  });

  it("a follower that is removed learns it, and does not disturb (scenario 31)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.change("a", ["remove", "c"]);
    cluster.settle();
    expect(cluster.get("c").status.committedConf).toEqual(conf(["a", "b"]));
    cluster.tick(100);
    expect(cluster.get("c").status).toMatchObject({ role: "follower", leaderId: undefined });
    expect(cluster.leader?.status).toMatchObject({ id: "a", term: 2 });
  });

  it("a follower that was removed while it was away asks in vain (scenario 31, thesis §4.2.3)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.partition(["a", "b"]);
    cluster.change("a", ["remove", "c"]);
    cluster.tick(30, ["a", "b"]);
    cluster.heal();
    cluster.tick(100);
    expect(cluster.get("c").status).toMatchObject({ role: "preCandidate", term: 2 });
    expect(cluster.leader?.status).toMatchObject({ id: "a", term: 2 });
  });

  it("a voter that takes itself for a learner votes all the same (scenario 32)", () => {
    const cluster = new Cluster(["a", "b"], { checkQuorum: false }, ["l"]);
    cluster.elect("a");
    // The promotion reaches b and not l.
    cluster.passes = ({ to, type }) => to !== "l" || type !== "append";
    cluster.change("a", ["addVoter", "l"]);
    cluster.settle();
    expect(cluster.get("l").status.conf.learners).toEqual(["l"]);
    cluster.partition(["b", "l"]);
    cluster.tick(100, ["b", "l"]);
    expect(cluster.leader?.id).toBe("b");
    expect(cluster.get("l").status.conf.voters).toEqual(["a", "b", "l"]);
  });

  it("a voter that is demoted keeps its vote until the joint membership ends (scenario 32)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.partition(["a", "c"]);
    cluster.change("a", ["addLearner", "c"]);
    cluster.settle();
    // a and c commit it by the old majority, but a alone is none of the new one.
    expect(cluster.get("a").status).toMatchObject({ committed: 2, conf: { learnersNext: ["c"] } });
    cluster.heal();
    cluster.tick(2);
    expect(cluster.get("c").status.conf).toEqual(conf(["a", "b"], { learners: ["c"] }));
  });

  it("a learner gets the log and decides nothing (thesis §4.2.1)", () => {
    const cluster = new Cluster(["a", "b"], {}, ["l", "m"]);
    cluster.elect("a");
    cluster.partition(["a", "l", "m"]);
    cluster.propose("a", "x");
    cluster.settle();
    expect(cluster.get("a").status.committed).toBe(2);
    expect(cluster.get("l").status.last.index).toBe(3);
  });

  it("a node that is removed and added again in one term gets a new session: answers to the old one do nothing (scenario 34)", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    const late: Parameters<typeof a.raw.step>[0][] = [];
    cluster.passes = (message) => {
      const held = message.type === "appendResponse" && message.from === "c";
      if (held) {
        late.push(message);
      }
      return !held;
    };
    cluster.propose("a", "x", "y");
    cluster.settle();
    expect(late.length).toBeGreaterThan(0);
    cluster.heal();
    cluster.change("a", ["remove", "c"]);
    cluster.settle();
    // c comes back with nothing of what it acknowledged.
    cluster.addNode("c");
    cluster.passes = ({ to }) => to !== "c";
    cluster.change("a", ["addVoter", "c"]);
    cluster.settle();
    const before = a.status.progress.find(({ id }) => id === "c")!;
    expect(before.match).toBe(0);
    for (const message of late) {
      a.raw.step(message);
    }
    expect(a.status.progress.find(({ id }) => id === "c")).toEqual(before);
    cluster.heal();
    cluster.tick(3);
    expect(cluster.get("c").commands).toEqual(["x", "y"]);
  });

  it("a membership that no release wrote stops the node instead of being guessed", () => {
    const cluster = new Cluster(three);
    const { raw } = cluster.get("b");
    const broken = { ...entry(2, 2, "{}"), type: "config" as const };
    const message = {
      type: "append",
      from: "a",
      to: "b",
      term: 2,
      session: 1,
      prevIndex: 1,
      prevTerm: 1,
      commit: 0,
    } as const;
    expect(() => raw.step({ ...message, entries: [broken] })).toThrow(
      expect.objectContaining({ code: "RAFT_MALFORMED" }),
    );
    expect(() =>
      raw.step({ ...message, entries: [{ ...broken, data: encodeConfState(conf(["a"])) }] }),
    ).not.toThrow();
  });
});

it("a majority of the new membership elects though nobody in it knows that it is committed (etcd #12359)", () => {
  const cluster = new Cluster(three);
  cluster.elect("a");
  cluster.addNode("d");
  cluster.addNode("e");
  cluster.change("a", ["addLearner", "d"], ["addLearner", "e"]);
  cluster.tick(3, ["a"]);
  cluster.change("a", ["addVoter", "d"], ["addVoter", "e"]);
  // Every entry gets through, and no word of what is committed after the joint membership.
  const joint = cluster.get("a").status.confIndex;
  cluster.passes = (message) =>
    message.type !== "append" || message.commit < joint || message.entries.length > 0;
  cluster.settle();
  expect(cluster.get("a").status.committedConf).toEqual(conf(["a", "b", "c", "d", "e"]));
  for (const id of ["c", "d", "e"]) {
    expect(cluster.get(id).status).toMatchObject({
      last: { index: joint + 1 },
      conf: conf(["a", "b", "c", "d", "e"]),
    });
    expect(cluster.get(id).status.committed).toBeLessThan(joint + 1);
  }
  cluster.partition(["c", "d", "e"]);
  cluster.tick(60, ["c", "d", "e"]);
  expect(["c", "d", "e"]).toContain(cluster.leader?.id);
});

it("a change after which most voters may have no log is refused: they would elect nobody if the leader died", () => {
  const cluster = new Cluster(["a", "b", "c"]);
  const a = cluster.elect("a");
  cluster.addNode("d");
  cluster.partition(["a", "b", "c"]);
  cluster.change("a", ["addVoter", "d"]);
  cluster.settle();
  expect(a.status.conf).toMatchObject({ voters: ["a", "b", "c", "d"], votersOutgoing: [] });
  const shrink = (): void => cluster.change("a", ["remove", "b"], ["remove", "c"]);
  expect(shrink).toThrow(expect.objectContaining({ code: "RAFT_CHANGE_REFUSED" }));
  cluster.heal();
  cluster.tick(3);
  shrink();
  cluster.settle();
  expect(a.status.conf.voters).toEqual(["a", "d"]);
});
