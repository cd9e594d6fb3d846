import { describe, expect, it } from "vitest";
import type { Identity, Message, RaftNode, SnapshotMeta, TransportHandler } from "../../src/index.ts";
import { bytes, Trio } from "./trio.ts";

const coded = (code: string) => expect.objectContaining({ code });

/** A running cluster, and the door at which its leader takes what peers send. */
interface Doorway extends AsyncDisposable {
  readonly trio: Trio;
  readonly leader: RaftNode<number>;
  readonly follower: RaftNode<number>;
  readonly handler: TransportHandler;
  /** What a follower of the cluster says it is. */
  readonly peer: Identity;
  /** Codes that the leader told of. */
  readonly told: string[];
}

async function doorway(config: ConstructorParameters<typeof Trio>[0] = {}): Promise<Doorway> {
  const trio = new Trio(config);
  const handlers = new Map<string, TransportHandler>();
  const transport = trio.network.transport.bind(trio.network);
  trio.network.transport = (id) => {
    const inner = transport(id);
    return {
      ...inner,
      start: async (handler) => {
        handlers.set(id, handler);
        await inner.start(handler);
      },
    };
  };
  const leader = await trio.start();
  await trio.clock.advance(500);
  const follower = trio.get(trio.others(leader.id)[0]!);
  const told: string[] = [];
  leader.on("degraded", ({ error }) => told.push(error.code));
  const { identity } = trio.storages.get(follower.id)!.stable.state!;
  const handler = handlers.get(leader.id)!;
  return {
    trio,
    leader,
    follower,
    handler,
    peer: identity,
    told,
    [Symbol.asyncDispose]: () => trio.stop(),
  };
}

function vote(from: string, to: string, term: number): Message {
  return { type: "vote", from, to, term, lastIndex: 9, lastTerm: 9, transfer: true, newcomer: false };
}

describe("bad input to a node", () => {
  it("a message from another cluster is refused at the door", async () => {
    await using door = await doorway();
    const { handler, leader, peer, told } = door;
    expect(() => handler.receive({ ...peer, clusterId: "other" }, [])).toThrow(coded("RAFT_WRONG_CLUSTER"));
    expect(told).toEqual(["RAFT_WRONG_CLUSTER"]);
    expect(leader.status().role).toBe("leader");
  });

  it("a message from another incarnation of a member is refused at the door", async () => {
    await using door = await doorway();
    const { handler, peer, told } = door;
    const other = { ...peer, incarnation: peer.incarnation + 1 };
    expect(() => handler.receive(other, [])).toThrow(coded("RAFT_WRONG_INCARNATION"));
    expect(told).toEqual(["RAFT_WRONG_INCARNATION"]);
  });

  it("a message in somebody else's name is refused", async () => {
    await using door = await doorway();
    const { handler, leader, peer, told, trio } = door;
    const { term } = leader.status();
    handler.receive(peer, [vote("z", leader.id, term + 1)]);
    await trio.clock.settle();
    expect(told).toEqual(["RAFT_WRONG_NODE"]);
    expect(leader.status().term).toBe(term);
    expect(() => handler.receive({ ...peer, nodeId: leader.id }, [])).toThrow(coded("RAFT_WRONG_NODE"));
  });

  it("a proposal of a node that is no member is refused", async () => {
    await using door = await doorway();
    const { leader, trio } = door;
    const stranger = trio.make("z", { bootstrap: undefined });
    await stranger.start();
    await trio.run(leader.addLearner("z"));
    await trio.clock.until(() => stranger.status().leaderId === leader.id);
    // It does not hear of its removal.
    trio.network.passes = (_, to) => to !== "z";
    await trio.run(leader.remove("z"));
    trio.network.passes = (_, to, { type }) => to !== "z" || type === "proposeResponse";
    await expect(trio.run(stranger.propose(bytes("x")))).rejects.toThrow(coded("RAFT_NOT_MEMBER"));
  });

  it("a term far ahead from a stranger is refused", async () => {
    await using door = await doorway();
    const { handler, leader, peer, told, trio } = door;
    const { term } = leader.status();
    handler.receive({ ...peer, nodeId: "z" }, [vote("z", leader.id, term + 2 ** 30)]);
    await trio.clock.settle();
    expect(told).toEqual(["RAFT_TERM_FAR_AHEAD"]);
    expect(leader.status().term).toBe(term);
  });

  it("an index beyond 2^53 is refused", async () => {
    await using door = await doorway();
    const { handler, leader, peer, told, trio } = door;
    handler.receive(peer, [vote(peer.nodeId, leader.id, 2 ** 53)]);
    await trio.clock.settle();
    expect(told).toEqual(["RAFT_INDEX_OVERFLOW"]);
  });

  it("a snapshot with a wrong checksum is refused, and not stored", async () => {
    await using door = await doorway();
    const { follower, handler, leader, peer, trio } = door;
    const { conf, confIndex, term } = follower.status();
    const snapshot: SnapshotMeta = { index: 99, term, conf, confIndex, sizeBytes: 3, crc32: 7 };
    const message = {
      type: "snapshot",
      from: peer.nodeId,
      to: leader.id,
      term,
      session: 1,
      snapshot,
    } as const;
    async function* chunks(): AsyncIterable<Uint8Array> {
      yield bytes("abc");
    }
    await expect(handler.receiveSnapshot(peer, message, chunks())).rejects.toThrow(
      coded("RAFT_SNAPSHOT_CORRUPT"),
    );
    expect(await trio.storages.get(leader.id)!.snapshots.latest()).toBeUndefined();
  });

  it("a proposal over the limit is refused at once, on any member", async () => {
    await using door = await doorway({ maxEntryBytes: 10 });
    for (const node of [door.leader, door.follower]) {
      await expect(node.propose(new Uint8Array(11))).rejects.toThrow(coded("RAFT_PROPOSAL_TOO_LARGE"));
    }
  });

  it("a proposal on a follower that does not forward is refused, and names the leader", async () => {
    await using door = await doorway({ forwardProposals: false });
    const { follower, leader, trio } = door;
    await expect(trio.run(follower.propose(bytes("x")))).rejects.toThrow(
      expect.objectContaining({ code: "RAFT_NOT_LEADER", leaderId: leader.id }),
    );
  });

  it("a transfer to a dead member fails; to a learner or the leader itself it is refused", async () => {
    await using door = await doorway();
    const { follower, leader, trio } = door;
    await trio.make("l", { bootstrap: undefined }).start();
    await trio.run(leader.addLearner("l"));
    for (const target of ["l", leader.id]) {
      await expect(trio.run(leader.transferLeadership(target))).rejects.toThrow(
        coded("RAFT_TRANSFER_REFUSED"),
      );
    }
    await trio.run(follower.stop());
    await expect(trio.run(leader.transferLeadership(follower.id))).rejects.toThrow(
      coded("RAFT_TRANSFER_FAILED"),
    );
    expect(leader.status().role).toBe("leader");
  });

  it("the removal of the last voter is refused", async () => {
    await using trio = new Trio({}, ["a"]);
    const leader = await trio.start();
    await trio.run(leader.propose(bytes("x")));
    await expect(trio.run(leader.remove("a"))).rejects.toThrow(coded("RAFT_CHANGE_REFUSED"));
  });

  it("a second change of membership is refused while one is under way", async () => {
    await using door = await doorway();
    const { leader, trio } = door;
    const first = leader.addLearner("y");
    await expect(trio.run(leader.addLearner("z"))).rejects.toThrow(coded("RAFT_CHANGE_IN_PROGRESS"));
    await trio.run(first);
  });
});
