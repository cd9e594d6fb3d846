import { describe, expect, it } from "vitest";
import { bootstrapBatch, RawNode, type VoteMessage } from "../../src/index.ts";
import { LogImage } from "../../src/testing.ts";
import { Cluster, entry, seeded } from "./cluster.ts";

const three = ["a", "b", "c"];

function requestVote(
  from: string,
  to: string,
  term: number,
  lastIndex: number,
  lastTerm: number,
): VoteMessage {
  return { type: "vote", from, to, term, lastIndex, lastTerm, transfer: false, newcomer: false };
}

/** The answers that a node has sent, in order. */
function votesIn(cluster: Cluster): [string, number, boolean][] {
  return cluster.network.flatMap((message) =>
    message.type === "voteResponse" ? [[message.to, message.term, message.granted]] : [],
  );
}

describe("election", () => {
  it("servers start as followers (§5.2)", () => {
    for (const { status } of new Cluster(three).nodes.values()) {
      expect(status.role).toBe("follower");
      expect(status.leaderId).toBeUndefined();
    }
  });

  it("a follower that hears nothing for an election timeout becomes candidate: next term, own vote, asks everybody (§5.2)", () => {
    const cluster = new Cluster(three, { preVote: false });
    const { raw, disk } = cluster.get("a");
    for (let tick = 0; tick < 20; tick++) {
      raw.tick();
    }
    cluster.process();
    expect(raw.status()).toMatchObject({ role: "candidate", term: 2, votedFor: "a" });
    expect(disk.hardState).toMatchObject({ term: 2, votedFor: "a" });
    expect(cluster.network.map(({ type, to, term }) => [type, to, term])).toEqual([
      ["vote", "b", 2],
      ["vote", "c", 2],
    ]);
  });

  it("a candidate with a majority of votes becomes leader and says so at once (§5.2)", () => {
    const cluster = new Cluster(three, { preVote: false });
    cluster.get("a").raw.campaign();
    cluster.process();
    cluster.deliver();
    cluster.process();
    cluster.deliverOne(cluster.network.shift()!);
    cluster.process();
    expect(cluster.get("a").status.role).toBe("leader");
    expect(cluster.network.filter(({ type, from }) => type === "append" && from === "a").length).toBe(2);
  });

  it("a candidate that hears from a leader of its term follows it (§5.2)", () => {
    const cluster = new Cluster(three, { preVote: false });
    cluster.partition(["a", "b"], ["c"]);
    cluster.get("c").raw.campaign();
    cluster.elect("a");
    expect(cluster.get("c").status).toMatchObject({ role: "candidate", term: 2 });
    cluster.heal();
    cluster.tick(1);
    expect(cluster.get("c").status).toMatchObject({ role: "follower", term: 2, leaderId: "a" });
  });

  it("a server that sees a later term joins it; a leader or candidate becomes follower (§5.1)", () => {
    const cluster = new Cluster(three, { checkQuorum: false });
    const a = cluster.elect("a");
    a.raw.step({ type: "heartbeatResponse", from: "b", to: "a", term: 9, session: 1, readSequence: 0 });
    expect(a.status).toMatchObject({ role: "follower", term: 9, votedFor: undefined });
  });

  it("a message of an earlier term is not heeded (§5.1)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.elect("b");
    const before = cluster.get("c").status;
    const message = { type: "append", from: "a", to: "c", term: 2, session: 1 } as const;
    cluster.get("c").raw.step({ ...message, prevIndex: 2, prevTerm: 2, entries: [entry(3, 2)], commit: 3 });
    cluster.settle();
    expect(cluster.get("c").status).toEqual(before);
  });

  it("a split vote ends: terms pass without a leader until timeouts differ (§5.2)", () => {
    const cluster = new Cluster(["a", "b"], { preVote: false });
    cluster.get("a").raw.campaign();
    cluster.get("b").raw.campaign();
    cluster.settle();
    expect(cluster.leader).toBeUndefined();
    cluster.tick(60);
    expect(cluster.leader).toBeDefined();
  });

  it("a voter grants one vote a term, and repeats it to the same candidate (scenario 3, §5.2)", () => {
    const cluster = new Cluster(three);
    const { raw } = cluster.get("a");
    raw.step(requestVote("b", "a", 5, 1, 1));
    raw.step(requestVote("c", "a", 5, 1, 1));
    raw.step(requestVote("b", "a", 5, 1, 1));
    cluster.process();
    expect(votesIn(cluster)).toEqual([
      ["b", 5, true],
      ["c", 5, false],
      ["b", 5, true],
    ]);
  });

  it.each([
    // last index and term of the voter, of the candidate, and whether it is granted
    [2, 1, 2, 1, true],
    [2, 1, 3, 1, true],
    [2, 1, 1, 2, true],
    [1, 2, 1, 1, false],
    [1, 2, 2, 1, false],
    [2, 1, 1, 1, false],
    [3, 3, 9, 2, false],
    [9, 2, 3, 3, true],
  ])(
    "a voter at %i/%i answers a candidate at %i/%i with %s (scenario 3, §5.4.1)",
    (index, term, lastIndex, lastTerm, granted) => {
      const disk = new LogImage();
      const [founding] = bootstrapBatch(three).entries;
      const entries = Array.from({ length: index }, (_, i) =>
        i === 0 ? { ...founding!, term } : entry(i + 1, term),
      );
      disk.append({ hardState: { term, votedFor: undefined, commit: 0 }, reset: undefined, entries });
      const cluster = new Cluster(three);
      cluster.get("a").disk = disk;
      cluster.restart("a").raw.step(requestVote("b", "a", 9, lastIndex, lastTerm));
      cluster.process();
      expect(votesIn(cluster)).toEqual([["b", 9, granted]]);
    },
  );

  it("a vote survives a restart: another candidate of the term is refused (scenario 4, §5.2)", () => {
    const cluster = new Cluster(three);
    cluster.get("a").raw.step(requestVote("b", "a", 5, 1, 1));
    cluster.process();
    cluster.restart("a").raw.step(requestVote("c", "a", 5, 1, 1));
    cluster.process();
    expect(votesIn(cluster)).toEqual([
      ["b", 5, true],
      ["c", 5, false],
    ]);
  });

  it("election timeouts spread over the whole range and do not run in lock-step (scenario 5, §9.3)", () => {
    const counts = new Array<number>(20).fill(0);
    let together = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const first = [seed * 2, seed * 2 + 1].map((each) => {
        const cluster = new Cluster(["a", "b"], { random: seeded(each), electionTicks: 10, preVote: false });
        let ticks = 0;
        for (; cluster.get("a").status.role === "follower"; ticks++) {
          cluster.get("a").raw.tick();
        }
        return ticks;
      });
      counts[first[0]!]!++;
      together += first[0] === first[1] ? 1 : 0;
    }
    expect(counts.slice(0, 10)).toEqual(new Array(10).fill(0));
    expect(Math.min(...counts.slice(10))).toBeGreaterThan(60);
    expect(together).toBeLessThan(150);
  });

  it("only a voter stands for election", () => {
    const cluster = new Cluster(["a"], {}, ["l"]);
    cluster.addNode("x");
    for (const id of ["l", "x"]) {
      for (let tick = 0; tick < 50; tick++) {
        cluster.get(id).raw.tick();
      }
      cluster.get(id).raw.campaign();
      expect(cluster.get(id).status.role).toBe("follower");
    }
  });

  it("a single voter elects itself", () => {
    const cluster = new Cluster(["a"]);
    cluster.tick(20);
    expect(cluster.get("a").status).toMatchObject({ role: "leader", term: 2, committed: 2 });
  });

  it("an own vote counts only when it is durable, and not in a later term (scenario 12)", () => {
    const cluster = new Cluster(["a"], { preVote: false });
    const a = cluster.get("a");
    a.slowDisk = true;
    a.raw.campaign();
    cluster.process();
    expect(a.status.role).toBe("candidate");
    a.raw.campaign();
    cluster.process();
    a.finishWrite();
    expect(a.status).toMatchObject({ role: "candidate", term: 3 });
    cluster.process();
    a.finishWrite();
    expect(a.status).toMatchObject({ role: "leader", term: 3 });
  });

  it("a request for votes leaves only when the own vote is durable (R29)", () => {
    const cluster = new Cluster(three, { preVote: false });
    const a = cluster.get("a");
    a.slowDisk = true;
    a.raw.campaign();
    cluster.process();
    expect(cluster.network).toEqual([]);
    a.finishWrite();
    cluster.process();
    expect(cluster.network.length).toBe(2);
  });
});

describe("pre-vote", () => {
  it("a node that was cut off comes back without raising the term, and the leader stays (scenario 6, thesis §9.6)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.partition(["a", "b"], ["c"]);
    cluster.tick(100);
    expect(cluster.get("c").status).toMatchObject({ role: "preCandidate", term: 2 });
    cluster.heal();
    cluster.tick(2);
    expect(cluster.leader?.id).toBe("a");
    expect(cluster.get("a").status.term).toBe(2);
    expect(cluster.get("c").status).toMatchObject({ role: "follower", leaderId: "a" });
  });

  it("a node whose log is behind gets no pre-votes (scenario 6)", () => {
    const cluster = new Cluster(three, { checkQuorum: false });
    cluster.elect("a");
    cluster.partition(["a", "b"]);
    cluster.propose("a", "x");
    cluster.settle();
    cluster.partition(["b", "c"]);
    cluster.get("c").raw.campaign();
    cluster.settle();
    expect(cluster.get("c").status).toMatchObject({ role: "preCandidate", term: 2 });
    expect(cluster.get("b").status.term).toBe(2);
  });

  it("a candidate that lags in terms learns them from the refusal, and then wins (scenario 7)", () => {
    const cluster = new Cluster(three, { checkQuorum: false });
    cluster.elect("a");
    cluster.partition(["b", "c"]);
    // b reached term 9 by elections that failed; only it and c, which is in term 2, are alive.
    cluster.get("b").raw.step(requestVote("a", "b", 9, 0, 0));
    cluster.settle();
    cluster.get("c").raw.campaign();
    cluster.settle();
    cluster.tick(60, ["b", "c"]);
    expect(cluster.leader?.status.term).toBeGreaterThanOrEqual(10);
  });

  it("a cluster of which only a part asks first still elects, whoever is down (scenario 8)", () => {
    for (const down of three) {
      const cluster = new Cluster(three);
      cluster.addNode("c", undefined, { preVote: false });
      cluster.get("c").disk = cluster.get("a").disk.clone();
      cluster.restart("c");
      cluster.tick(60);
      expect(cluster.leader).toBeDefined();
      cluster.partition(three.filter((id) => id !== down));
      cluster.tick(100);
      const alive = three.filter((id) => id !== down).map((id) => cluster.get(id).status);
      expect(alive.filter(({ role }) => role === "leader").length).toBe(1);
      cluster.heal();
      cluster.tick(60);
      expect(new Set([...cluster.nodes.values()].map(({ status }) => status.leaderId)).size).toBe(1);
    }
  });

  it("promises nothing: neither side writes anything", () => {
    const cluster = new Cluster(three);
    const before = [...cluster.nodes.values()].map(({ disk }) => disk.hardState);
    cluster.get("a").raw.campaign();
    cluster.process();
    cluster.deliver();
    cluster.process();
    expect([...cluster.nodes.values()].map(({ disk }) => disk.hardState)).toEqual(before);
  });
});

describe("check-quorum", () => {
  it("a leader that is cut off steps down within two election timeouts (scenario 9, thesis §6.2)", () => {
    const cluster = new Cluster(three, { electionTicks: 10 });
    cluster.elect("a");
    cluster.partition(["b", "c"]);
    cluster.tick(20, ["a"]);
    expect(cluster.get("a").status.role).not.toBe("leader");
  });

  it("a candidate stuck in a later term is freed: the leader learns that term and a new election joins both (scenario 9)", () => {
    const cluster = new Cluster(three, { preVote: false });
    cluster.elect("a");
    cluster.partition(["a", "b"], ["c"]);
    cluster.tick(40);
    const stuck = cluster.get("c").status.term;
    expect(stuck).toBeGreaterThan(2);
    cluster.heal();
    cluster.tick(60);
    expect(cluster.leader!.status.term).toBeGreaterThan(stuck);
    expect(new Set([...cluster.nodes.values()].map(({ status }) => status.leaderId)).size).toBe(1);
  });

  it("a voter that hears from a leader ignores candidates, except one sent by that leader (scenario 10, §6)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    const { raw } = cluster.get("b");
    raw.step(requestVote("c", "b", 9, 99, 9));
    cluster.process();
    expect(raw.status()).toMatchObject({ term: 2, leaderId: "a" });
    expect(votesIn(cluster)).toEqual([]);
    raw.step({ ...requestVote("c", "b", 9, 99, 9), transfer: true });
    cluster.process();
    expect(votesIn(cluster)).toEqual([["c", 9, true]]);
  });

  it("a leader that is heard but hears nobody gives way to one that works (scenario 11)", () => {
    const cluster = new Cluster(three, { electionTicks: 10 });
    cluster.elect("a");
    cluster.passes = ({ to }) => to !== "a";
    cluster.tick(80);
    const leaders = [...cluster.nodes.values()].filter(({ status }) => status.role === "leader");
    expect(leaders.length).toBe(1);
    expect(leaders[0]!.id).not.toBe("a");
    cluster.propose(leaders[0]!.id, "x");
    cluster.settle();
    expect(leaders[0]!.commands).toEqual(["x"]);
  });
});

it("RawNode does not start from a log that ends before its commit index, or whose compacted part has no snapshot", () => {
  const start = (state: Partial<ReturnType<LogImage["state"]>>) =>
    new RawNode({ id: "a", random: seeded(1) }, { log: { ...new LogImage().state(), ...state }, applied: 0 });
  expect(() => start({ hardState: { term: 1, votedFor: undefined, commit: 1 } })).toThrow(
    expect.objectContaining({ code: "RAFT_LOG_CORRUPT" }),
  );
  expect(() => start({ base: { index: 5, term: 1 }, lastIndex: 5 })).toThrow(
    expect.objectContaining({ code: "RAFT_SNAPSHOT_MISSING" }),
  );
});

describe("a node that knows of no membership, which may be an old voter whose disk was lost", () => {
  it("gives no vote, and so cannot help to forget what it acknowledged: B and the wiped X do not elect", () => {
    const cluster = new Cluster(["a", "b", "x"]);
    // b never met the x that was.
    cluster.partition(["a", "x"]);
    const a = cluster.elect("a");
    cluster.propose("a", "acknowledged");
    cluster.settle();
    expect(a.commands).toEqual(["acknowledged"]);
    cluster.nodes.delete("x");
    cluster.addNode("x");
    cluster.partition(["b", "x"]);
    cluster.tick(200, ["b", "x"]);
    expect(cluster.get("b").status.role).not.toBe("leader");
    // With a, which has the entry, there is a leader again, and from then on x may vote.
    cluster.restart("a");
    cluster.heal();
    cluster.tick(200);
    expect(cluster.leader!.commands).toEqual(["acknowledged"]);
    expect(cluster.get("x").commands).toEqual(["acknowledged"]);
    cluster.nodes.delete("a");
    cluster.tick(200);
    expect(cluster.leader!.commands).toEqual(["acknowledged"]);
  });

  it("votes for who is adding it: a lone voter that stopped with the addition in its log only goes on", () => {
    const cluster = new Cluster(["a"]);
    cluster.elect("a");
    cluster.addNode("x");
    cluster.partition(["a"], ["x"]);
    cluster.change("a", ["addVoter", "x"]);
    cluster.settle();
    cluster.restart("a");
    cluster.heal();
    cluster.tick(100);
    expect(cluster.leader!.status.conf).toMatchObject({ voters: ["a", "x"], votersOutgoing: [] });
  });
});

it("a candidate of an earlier term learns the term from the refusal (Figure 2)", () => {
  const cluster = new Cluster(three, { preVote: false, checkQuorum: false });
  const { raw } = cluster.get("a");
  raw.step(requestVote("b", "a", 9, 99, 9));
  cluster.settle();
  cluster.get("c").raw.campaign();
  expect(cluster.get("c").status.term).toBeLessThan(9);
  cluster.settle();
  expect(cluster.get("c").status.term).toBe(9);
});
