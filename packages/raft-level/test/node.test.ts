import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, type Entry, type FSM, MemoryNetwork, RaftNode } from "@mon/raft";
import { expect, it } from "vitest";
import { filesOf, flip, storageAt, temporaryDirectory } from "./directory.ts";

const clock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => ({ cancel: clearTimeout.bind(undefined, setTimeout(callback, ms)) }),
  setImmediate: (callback) => ({ cancel: clearImmediate.bind(undefined, setImmediate(callback)) }),
};

/** A list of the numbers that were proposed. */
class Numbers implements FSM<number> {
  list: number[] = [];

  hash(): string {
    return this.list.join();
  }

  apply(entries: readonly Entry[]): number[] {
    return entries.map(({ data }) => this.list.push(Number(Buffer.from(data).toString())));
  }

  snapshot(): { chunks: () => Uint8Array[] } {
    const image = Buffer.from(JSON.stringify(this.list));
    return { chunks: () => [image] };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const pieces: Uint8Array[] = [];
    for await (const piece of chunks) pieces.push(piece);
    this.list = JSON.parse(Buffer.concat(pieces).toString()) as number[];
  }
}

interface Member {
  readonly fsm: Numbers;
  readonly node: RaftNode<number>;
}

interface Sizes {
  readonly snapshotEveryEntries: number;
  readonly trailingEntries: number;
  readonly hashEveryEntries?: number;
}

const voters = ["a", "b", "c"];

async function startMember(
  id: string,
  directory: string,
  network: MemoryNetwork,
  sizes: Sizes = { snapshotEveryEntries: 60, trailingEntries: 20 },
  members: readonly string[] = voters,
): Promise<Member> {
  const fsm = new Numbers();
  const { log, stable, snapshots } = storageAt(join(directory, id), { writeBufferBytes: 65_536 });
  const times = { tickMs: 20, heartbeatMs: 20, electionTimeoutMs: 300 };
  const node = new RaftNode<number>(
    { id, clusterId: "test", bootstrap: { voters: members }, ...times, hashEveryEntries: 0, ...sizes },
    { fsm, log, stable, snapshots, transport: network.transport(id), clock, random: { next: Math.random } },
  );
  await node.start();
  return { fsm, node };
}

it("carries a cluster through snapshots, a member that missed many, and a restart of everybody", async () => {
  const directory = await temporaryDirectory();
  const expected: number[] = [];
  for (let round = 0; round < 2; round++) {
    const network = new MemoryNetwork(clock);
    const members = await Promise.all(voters.map((id) => startMember(id, directory, network)));
    const [a, b, c] = members as [Member, Member, Member];
    expect(await a.node.read(() => [...a.fsm.list])).toEqual(expected);
    // The third misses what comes now, and gets a snapshot for it.
    await c.node.stop();
    // If it led, the others have to elect first.
    for (const { node } of [a, b]) await node.read(() => undefined);
    for (let i = 0; i < 150; i += 10) {
      const numbers = Array.from({ length: 10 }, (_, k) => round * 1_000 + i + k);
      const proposer = i % 20 === 0 ? a : b;
      for (const n of numbers) {
        await proposer.node.propose(Buffer.from(String(n)));
        expected.push(n);
      }
    }
    const back = await startMember("c", directory, network);
    expect(await back.node.read(() => [...back.fsm.list])).toEqual(expected);
    expect(back.node.metrics.snapshotsInstalled).toBe(1);
    for (const { node } of [a, b, back]) await node.stop();
  }
}, 60_000);

/** Fills a lone member's storage with two snapshots, at least, and stops it. */
async function filled(directory: string, sizes: Sizes): Promise<number[]> {
  const { fsm, node } = await startMember("a", directory, new MemoryNetwork(clock), sizes, ["a"]);
  await node.read(() => undefined);
  for (let n = 0; n < 100; n++) await node.propose(Buffer.from(String(n)));
  await node.stop();
  return fsm.list;
}

it("starts from the snapshot before when the newest is damaged, and the log has the rest", async () => {
  const directory = await temporaryDirectory();
  const sizes = { snapshotEveryEntries: 30, trailingEntries: 30 };
  const expected = await filled(directory, sizes);
  const files = await filesOf(directory, /\.snapshot$/);
  expect(files).toHaveLength(2);
  await flip(files[1]!, (await stat(files[1]!)).size >> 1);
  const { fsm, node } = await startMember("a", directory, new MemoryNetwork(clock), sizes, ["a"]);
  expect(await node.read(() => [...fsm.list])).toEqual(expected);
  expect(await filesOf(directory, /\.damaged$/)).toEqual([`${files[1]}.damaged`]);
  await node.stop();
});

it("refuses to start when the newest is damaged or gone, and the log does not reach back to another", async () => {
  const sizes = { snapshotEveryEntries: 30, trailingEntries: 0 };
  for (const code of ["RAFT_SNAPSHOT_CORRUPT", "RAFT_SNAPSHOT_MISSING"]) {
    const directory = await temporaryDirectory();
    await filled(directory, sizes);
    // With nothing of the log before it, the one before would be of no use and is not kept.
    const [only, ...rest] = await filesOf(directory, /\.snapshot$/);
    expect(rest).toEqual([]);
    await (code === "RAFT_SNAPSHOT_MISSING" ? rename(only!, `${only}.away`) : flip(only!, 99));
    const start = startMember("a", directory, new MemoryNetwork(clock), sizes, ["a"]);
    await expect(start).rejects.toMatchObject({ code });
  }
});

it("rebuilds a member whose state differs, over a restart, and keeps the log it vouched for", async () => {
  const directory = await temporaryDirectory();
  const network = new MemoryNetwork(clock);
  const sizes = { snapshotEveryEntries: 25, trailingEntries: 100, hashEveryEntries: 10 };
  const start = (id: string): Promise<Member> => startMember(id, directory, network, sizes);
  const members = await Promise.all(voters.map(start));
  const [a] = members as [Member];
  const propose = async (member: Member, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await member.node.propose(Buffer.from("7"));
  };
  await a.node.read(() => undefined);
  await propose(a, 5);
  const { leaderId } = a.node.status();
  const strange = members.find(({ node }) => node.id !== leaderId)!;
  const sound = members.filter((member) => member !== strange);
  // It cannot ask for a snapshot yet.
  network.passes = (_, __, { type }) => type !== "snapshotRequest";
  const fenced = new Promise((resolve) => strange.node.on("fenced", resolve));
  strange.fsm.list[0] = 8;
  await propose(sound[0]!, 40);
  await fenced;
  const { base, term } = strange.node.status();
  await strange.node.stop();
  const back = await start(strange.node.id);
  await expect(back.node.read(() => 0)).rejects.toMatchObject({ code: "RAFT_FENCED" });
  expect(back.node.status()).toMatchObject({ base, term });
  const rebuilt = new Promise((resolve) => back.node.on("rebuilt", resolve));
  network.passes = () => true;
  await rebuilt;
  await propose(sound[1]!, 5);
  const list = await back.node.read(() => [...back.fsm.list]);
  expect(list).toEqual(Array.from({ length: 50 }, () => 7));
  expect(back.node.status().base).toEqual(base);
  for (const { node } of [...sound, back]) await node.stop();
}, 30_000);
