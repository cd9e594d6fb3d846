import { describe, expect, it } from "vitest";
import { Cluster } from "./cluster.ts";

const three = ["a", "b", "c"];

describe("leadership transfer (thesis §3.10)", () => {
  it("makes the target leader at once, though voters hear from the old one (scenario 27)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.get("a").raw.transferLeadership("b");
    cluster.settle();
    expect(cluster.leader?.id).toBe("b");
    expect(cluster.get("a").status).toMatchObject({ role: "follower", leaderId: "b", term: 3 });
  });

  it("brings a target that lags up to date first (scenario 26)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.partition(["a", "c"]);
    cluster.propose("a", "x");
    cluster.settle();
    cluster.heal();
    cluster.get("a").raw.transferLeadership("b");
    cluster.tick(2);
    expect(cluster.leader?.id).toBe("b");
    expect(cluster.get("b").commands).toEqual(["x"]);
  });

  it.each([
    ["a learner", "l"],
    ["who is no member", "x"],
    ["the leader itself", "a"],
  ])("to %s is refused (scenario 26)", (_, target) => {
    const cluster = new Cluster(three, {}, ["l"]);
    cluster.elect("a");
    expect(() => cluster.get("a").raw.transferLeadership(target)).toThrow(
      expect.objectContaining({ code: "RAFT_TRANSFER_REFUSED" }),
    );
  });

  it("to a dead target ends after an election timeout; proposals are refused meanwhile and taken again (scenario 26)", () => {
    const cluster = new Cluster(three, { electionTicks: 10 });
    const a = cluster.elect("a");
    cluster.partition(["a", "c"]);
    a.raw.transferLeadership("b");
    expect(() => cluster.propose("a", "x")).toThrow(
      expect.objectContaining({ code: "RAFT_TRANSFER_IN_PROGRESS" }),
    );
    expect(() => a.raw.transferLeadership("c")).toThrow(
      expect.objectContaining({ code: "RAFT_TRANSFER_IN_PROGRESS" }),
    );
    cluster.tick(10, ["a"]);
    expect(a.status).toMatchObject({ role: "leader", transferTarget: undefined });
    cluster.propose("a", "x");
    cluster.settle();
    expect(a.commands).toEqual(["x"]);
  });

  it("whose order to stand is lost ends the same way", () => {
    const cluster = new Cluster(three, { electionTicks: 10 });
    const a = cluster.elect("a");
    cluster.passes = ({ type }) => type !== "timeoutNow";
    a.raw.transferLeadership("b");
    cluster.tick(10, ["a"]);
    expect(a.status).toMatchObject({ role: "leader", transferTarget: undefined });
  });

  it("can be asked for on a follower", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.get("b").raw.transferLeadership("c");
    cluster.settle();
    expect(cluster.leader?.id).toBe("c");
  });

  it("to a voter that is about to be removed is refused (scenario 26)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.passes = ({ type }) => type !== "append";
    cluster.change("a", ["remove", "b"]);
    expect(() => cluster.get("a").raw.transferLeadership("b")).toThrow(
      expect.objectContaining({ code: "RAFT_TRANSFER_REFUSED" }),
    );
  });

  it("an order to stand from an earlier term is not heeded", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.elect("b");
    cluster.get("c").raw.step({ type: "timeoutNow", from: "a", to: "c", term: 2 });
    cluster.settle();
    expect(cluster.leader?.id).toBe("b");
  });
});

it("a leader that resigns names the voter with the most of the log", () => {
  const cluster = new Cluster(three);
  const a = cluster.elect("a");
  cluster.tick(2);
  cluster.passes = ({ to }) => to !== "b";
  cluster.propose("a", "x");
  cluster.settle();
  cluster.heal();
  a.raw.resign();
  expect(a.status.role).toBe("follower");
  cluster.settle();
  expect(cluster.leader?.id).toBe("c");
});
