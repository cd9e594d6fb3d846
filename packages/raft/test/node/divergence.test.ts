import { describe, expect, it } from "vitest";
import type { RaftNode, RaftNodeConfig, SnapshotMeta } from "../../src/index.ts";
import { seeded } from "../core/cluster.ts";
import { bytes, Trio } from "./trio.ts";

const coded = (code: string) => expect.objectContaining({ code });

/** A cluster that compares its state machines every ten entries. */
function comparing(config: Partial<RaftNodeConfig> = {}, ids?: readonly string[]): Trio {
  const trio = new Trio({ hashEveryEntries: 10, snapshotEveryEntries: 0, ...config }, ids);
  trio.prepare = (machine) => {
    machine.hash = () => machine.list.join();
  };
  return trio;
}

/** Changes what a member's state machine holds, as a bug or a bad bit of memory does. */
function corrupt(trio: Trio, id: string): void {
  trio.list(id)[0] = "what nobody proposed";
}

async function propose(trio: Trio, node: RaftNode<number>, count: number): Promise<void> {
  const { length } = trio.list(node.id);
  for (let at = 0; at < count; at++) {
    await trio.run(node.propose(bytes(`${length + at}`)));
  }
}

function isFenced(node: RaftNode<number>): boolean {
  return node.status().rebuildFrom !== undefined;
}

function whatever(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${at}`);
}

describe("a state machine that differs from a quorum", () => {
  it("is fenced, replaced by a snapshot of the leader, and believed again", async () => {
    await using trio = comparing();
    const leader = await trio.start();
    await propose(trio, leader, 5);
    const [strange] = trio.others(leader.id);
    const node = trio.get(strange!);
    const events: string[] = [];
    node.on("fenced", ({ index }) => events.push(`fenced at ${index}`));
    node.on("rebuilt", ({ index }: SnapshotMeta) => events.push(`rebuilt at ${index}`));
    corrupt(trio, strange!);
    await propose(trio, leader, 10);
    await trio.clock.until(() => node.metrics.rebuilds === 1);
    expect(events).toEqual(["fenced at 10", expect.stringMatching(/^rebuilt at 1\d$/)]);
    await propose(trio, leader, 10);
    await trio.clock.advance(100);
    expect(trio.list(strange!)).toEqual(whatever(25));
    expect(isFenced(node)).toBe(false);
    expect(await trio.run(node.read(() => trio.list(strange!).length))).toBe(25);
    expect(trio.storages.get(strange!)!.stable.state).not.toHaveProperty("fenced");
  });

  it("answers no read and no proposal, lets no snapshot be taken, and says why", async () => {
    await using trio = comparing();
    const leader = await trio.start();
    await propose(trio, leader, 5);
    const [strange] = trio.others(leader.id);
    const node = trio.get(strange!);
    const waiting: Promise<unknown>[] = [];
    // No snapshot comes through, so the fence stays.
    trio.network.passes = (_, __, { type }) => type !== "snapshotRequest";
    node.on("fenced", () => {
      const read = node.read(() => trio.list(strange!));
      read.catch(() => undefined);
      waiting.push(read);
    });
    corrupt(trio, strange!);
    await propose(trio, leader, 10);
    await trio.clock.until(() => isFenced(node));
    const calls = [node.read(() => 0), node.propose(bytes("x")), node.snapshot(), ...waiting];
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: coded("RAFT_FENCED") });
    }
    expect(trio.list(strange!).length).toBeLessThan(15);
  });

  it("keeps its log, its vote and its acknowledgements, so the cluster bears another failure meanwhile", async () => {
    await using trio = comparing();
    const leader = await trio.start();
    await propose(trio, leader, 5);
    const [strange, other] = trio.others(leader.id);
    trio.network.passes = (_, __, { type }) => type !== "snapshotRequest";
    corrupt(trio, strange!);
    await propose(trio, leader, 10);
    await trio.clock.until(() => isFenced(trio.get(strange!)));
    const before = trio.get(strange!).status();
    await trio.run(trio.get(other!).stop());
    await propose(trio, leader, 3);
    const after = trio.get(strange!).status();
    expect(after).toMatchObject({ term: before.term, votedFor: before.votedFor, base: before.base });
    expect(after.stable).toBe(leader.status().last.index);
    expect(after.applied).toBe(before.applied);
  });

  it("is still fenced after a restart, whatever snapshot it took before", async () => {
    await using trio = comparing({ snapshotEveryEntries: 4, trailingEntries: 100 });
    const leader = await trio.start();
    await propose(trio, leader, 5);
    const [strange] = trio.others(leader.id);
    trio.network.passes = (_, __, { type }) => type !== "snapshotRequest";
    corrupt(trio, strange!);
    await propose(trio, leader, 10);
    await trio.clock.until(() => isFenced(trio.get(strange!)));
    await trio.clock.advance(100);
    await trio.run(trio.get(strange!).stop());
    expect(trio.storages.get(strange!)!.stable.state).toMatchObject({ fenced: true });
    const again = trio.make(strange!);
    await again.start();
    expect(trio.list(strange!)[0]).toBe("what nobody proposed");
    await expect(again.read(() => 0)).rejects.toThrow(coded("RAFT_FENCED"));
    trio.network.passes = () => true;
    await trio.clock.until(() => again.metrics.rebuilds === 1);
    await propose(trio, leader, 5);
    await trio.clock.advance(100);
    expect(trio.list(strange!)).toEqual(whatever(20));
    expect(trio.storages.get(strange!)!.stable.state).not.toHaveProperty("fenced");
  });

  it("that leads hands over, and is rebuilt from its successor", async () => {
    await using trio = comparing();
    const leader = await trio.start();
    await propose(trio, leader, 5);
    corrupt(trio, leader.id);
    const [other] = trio.others(leader.id);
    await propose(trio, trio.get(other!), 10);
    await trio.clock.until(() => leader.metrics.rebuilds === 1);
    const next = await trio.elected();
    expect(next.id).not.toBe(leader.id);
    await propose(trio, next, 5);
    await trio.clock.advance(100);
    expect(trio.list(leader.id)).toEqual(whatever(20));
  });

  it("is only named where no quorum can say which of two is right", async () => {
    await using trio = comparing({}, ["a", "b"]);
    const leader = await trio.start();
    await propose(trio, leader, 5);
    const [strange] = trio.others(leader.id);
    const named: unknown[] = [];
    leader.on("diverged", (event) => named.push(event));
    corrupt(trio, strange!);
    await propose(trio, leader, 10);
    await trio.clock.advance(3000);
    expect(named).toEqual([{ index: 10, ids: [strange] }]);
    expect(isFenced(trio.get(strange!))).toBe(false);
  });

  it("ends as equal as all others, from many seeds of losses, restarts and changes of leader", {
    timeout: 60_000,
  }, async () => {
    let fenced = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const random = seeded(seed);
      const below = (n: number): number => Math.floor(random.next() * n);
      await using trio = comparing(
        { hashEveryEntries: 4, snapshotEveryEntries: below(2) * 7, trailingEntries: below(12) },
        ["a", "b", "c"].concat(below(2) === 0 ? ["d", "e"] : []),
      );
      await trio.start();
      await propose(trio, trio.get("a"), 3);
      trio.network.passes = () => below(10) > 0;
      for (let round = 0; round < 30; round++) {
        const id = trio.ids[below(trio.ids.length)]!;
        const node = trio.get(id);
        switch (below(6)) {
          case 0:
            // One at a time, so that a quorum stays right; and no leader, which might give its state to others first.
            if (
              trio.ids.every((each) => !isFenced(trio.get(each))) &&
              node.status().role === "follower" &&
              trio.list(id).length > 0
            ) {
              corrupt(trio, id);
              for (let at = 0; at < 50 && !isFenced(node); at++) {
                const sound = trio.get(trio.ids.find((each) => each !== id)!);
                sound.propose(bytes(`${seed}/${round}/${at}`)).catch(() => undefined);
                await trio.clock.advance(300);
              }
              expect(isFenced(node) || node.metrics.rebuilds > 0, `seed ${seed}`).toBe(true);
              fenced++;
            }
            break;
          case 1:
            await trio.run(node.stop());
            await trio.clock.advance(below(2000));
            await trio.make(id).start();
            break;
          case 2:
            node.transferLeadership(id).catch(() => undefined);
            break;
          default:
            node.propose(bytes(`${seed}/${round}`)).catch(() => undefined);
        }
        await trio.clock.advance(below(1500));
      }
      trio.network.passes = () => true;
      await trio.elected();
      for (let at = 0; at < 12; at++) {
        const free = trio.ids.map((id) => trio.get(id)).find((node) => !isFenced(node))!;
        await trio.run(free.propose(bytes(`end ${at}`))).catch(() => undefined);
        await trio.clock.advance(500);
      }
      await trio.clock.until(() => trio.ids.every((id) => !isFenced(trio.get(id))));
      await trio.clock.advance(3000);
      const [first, ...rest] = trio.ids.map((id) => trio.list(id));
      expect(first, `seed ${seed}`).not.toContain("what nobody proposed");
      for (const list of rest) {
        expect(list, `seed ${seed}`).toEqual(first);
      }
    }
    expect(fenced).toBeGreaterThan(8);
  });
});
