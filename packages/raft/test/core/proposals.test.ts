import { expect, it } from "vitest";
import { bytes, Cluster } from "./cluster.ts";

const three = ["a", "b", "c"];
const proposal = (data: string) => ({ data: bytes(data), timestampMs: 5 });

it("proposals get contiguous positions, and keep data and time to the end", () => {
  const cluster = new Cluster(three);
  const a = cluster.elect("a");
  expect(a.raw.propose([proposal("x"), proposal("y")])).toEqual({ index: 3, term: 2 });
  cluster.settle();
  expect(cluster.get("c").disk.entries.slice(2)).toEqual([
    { index: 3, term: 2, type: "command", data: bytes("x"), timestampMs: 5 },
    { index: 4, term: 2, type: "command", data: bytes("y"), timestampMs: 5 },
  ]);
});

it("a follower refuses proposals and names the leader, and forwards them when asked to", () => {
  const cluster = new Cluster(three);
  cluster.elect("a");
  const b = cluster.get("b");
  expect(() => b.raw.propose([proposal("x")])).toThrow(
    expect.objectContaining({ code: "RAFT_NOT_LEADER", leaderId: "a" }),
  );
  b.raw.forwardProposals(4, [proposal("x")]);
  cluster.settle();
  expect(b.outcomes).toEqual([{ requestId: 4, outcome: { index: 3, term: 2 } }]);
  expect(b.commands).toEqual(["x"]);
});

it("a refusal finds its way back: not leader, over the limit, no member", () => {
  const cluster = new Cluster(three, { maxEntryBytes: 3 });
  cluster.elect("a");
  const b = cluster.get("b");
  b.raw.forwardProposals(1, [proposal("too long")]);
  b.raw.forwardConfChange(2, { steps: [{ kind: "remove", id: "z" }], timestampMs: 0 });
  cluster.settle();
  cluster.elect("c");
  b.raw.forwardProposals(3, [proposal("x")]);
  cluster.process();
  const late = cluster.network.find(({ type }) => type === "propose")!;
  cluster.network = [{ ...late, to: "a" }];
  cluster.settle();
  expect(b.outcomes).toEqual([
    { requestId: 1, outcome: { refused: "RAFT_PROPOSAL_TOO_LARGE" } },
    { requestId: 2, outcome: { refused: "RAFT_CHANGE_REFUSED" } },
    { requestId: 3, outcome: { refused: "RAFT_NOT_LEADER" } },
  ]);
  const x = cluster.addNode("x");
  cluster
    .get("c")
    .raw.step({ type: "propose", from: "x", to: "c", term: 0, requestId: 9, proposals: [proposal("x")] });
  cluster.settle();
  expect(x.outcomes).toEqual([{ requestId: 9, outcome: { refused: "RAFT_NOT_MEMBER" } }]);
});

it("nothing is forwarded while no leader is known", () => {
  const { raw } = new Cluster(three).get("a");
  expect(() => raw.forwardProposals(1, [proposal("x")])).toThrow(
    expect.objectContaining({ code: "RAFT_NOT_LEADER" }),
  );
});
