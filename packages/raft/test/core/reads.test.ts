import { describe, expect, it } from "vitest";
import { Cluster } from "./cluster.ts";

const three = ["a", "b", "c"];

describe("ReadIndex (§8, thesis §6.4)", () => {
  it("answers with the commit index once a quorum has confirmed the leader", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    a.raw.readIndex(7);
    cluster.process();
    expect(a.readStates).toEqual([]);
    cluster.settle();
    expect(a.readStates).toEqual([{ requestId: 7, index: 2 }]);
  });

  it("is asked from a follower by way of the leader", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.get("b").raw.readIndex(9);
    cluster.settle();
    expect(cluster.get("b").readStates).toEqual([{ requestId: 9, index: 2 }]);
  });

  it("is answered at once where there is a single voter", () => {
    const cluster = new Cluster(["a"], {}, ["l"]);
    const a = cluster.elect("a");
    cluster.partition(["a"]);
    a.raw.readIndex(1);
    cluster.settle();
    expect(a.readStates).toEqual([{ requestId: 1, index: 2 }]);
  });

  it("waits on a new leader until it has committed in its term, or it would miss what the last one committed (scenario 22)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.propose("a", "x");
    cluster.settle();
    cluster.passes = ({ type, from }) => !(type === "append" && from === "b");
    const b = cluster.elect("b");
    b.raw.readIndex(1);
    cluster.tick(2, ["b"]);
    expect(b.readStates).toEqual([]);
    cluster.heal();
    cluster.tick(2, ["b"]);
    expect(b.readStates).toEqual([{ requestId: 1, index: 4 }]);
  });

  it("is never answered by a leader that was replaced (scenario 23)", () => {
    const cluster = new Cluster(three, { checkQuorum: false });
    const a = cluster.elect("a");
    cluster.partition(["b", "c"]);
    cluster.tick(60, ["b", "c"]);
    cluster.propose(cluster.leader!.id, "new");
    cluster.settle();
    expect(a.status.role).toBe("leader");
    a.raw.readIndex(1);
    cluster.tick(5);
    cluster.heal();
    cluster.tick(5);
    expect(a.readStates).toEqual([]);
    expect(a.status.role).toBe("follower");
  });

  it("late and doubled answers to earlier heartbeats confirm no later read (scenario 24)", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    a.raw.readIndex(1);
    cluster.process();
    cluster.deliver();
    cluster.process();
    const answers = cluster.network.filter(({ type }) => type === "heartbeatResponse");
    expect(answers.length).toBe(2);
    cluster.network = [];
    // The answers are late: the next read begins before they come, and they come twice.
    a.raw.readIndex(2);
    cluster.process();
    for (const answer of [...answers, ...answers]) {
      a.raw.step(answer);
    }
    cluster.process();
    expect(a.readStates.map(({ requestId }) => requestId)).toEqual([1]);
    cluster.settle();
    expect(a.readStates.map(({ requestId }) => requestId)).toEqual([1, 2]);
  });

  it("does not take the word of a learner", () => {
    const cluster = new Cluster(three, {}, ["l"]);
    const a = cluster.elect("a");
    cluster.partition(["a", "l"]);
    a.raw.readIndex(1);
    cluster.settle();
    expect(a.readStates).toEqual([]);
  });

  it("needs both majorities of a joint membership (§6)", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    cluster.passes = ({ type }) => type !== "append";
    cluster.change("a", ["addVoter", "d"], ["addVoter", "e"], ["remove", "b"], ["remove", "c"]);
    cluster.addNode("d");
    cluster.addNode("e");
    a.raw.readIndex(1);
    const heartbeats = (...ids: string[]) => {
      cluster.passes = ({ type, from, to }) => type !== "append" && (ids.includes(to) || ids.includes(from));
    };
    heartbeats("d", "e");
    cluster.settle();
    expect(a.readStates).toEqual([]);
    heartbeats("b", "d", "e");
    cluster.tick(1, ["a"]);
    expect(a.readStates.length).toBe(1);
  });

  it("shares one round of heartbeats between reads that come together", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    for (let id = 0; id < 100; id++) {
      a.raw.readIndex(id);
    }
    cluster.process();
    expect(cluster.network.filter(({ type }) => type === "heartbeat").length).toBe(2);
    cluster.settle();
    expect(a.readStates.length).toBe(100);
  });

  it("is refused without a leader, and when too many wait", () => {
    const cluster = new Cluster(three, { maxPendingReads: 2 });
    expect(() => cluster.get("a").raw.readIndex(1)).toThrow(
      expect.objectContaining({ code: "RAFT_NOT_LEADER" }),
    );
    const a = cluster.elect("a");
    a.raw.readIndex(1);
    a.raw.readIndex(2);
    expect(() => a.raw.readIndex(3)).toThrow(expect.objectContaining({ code: "RAFT_OVERLOADED" }));
  });
});
