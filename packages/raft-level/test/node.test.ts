import { join } from "node:path";
import { type Clock, type Entry, type FSM, MemoryNetwork, RaftNode } from "@mon/raft";
import { expect, it } from "vitest";
import { storageAt, temporaryDirectory } from "./directory.ts";

const clock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => ({ cancel: clearTimeout.bind(undefined, setTimeout(callback, ms)) }),
  setImmediate: (callback) => ({ cancel: clearImmediate.bind(undefined, setImmediate(callback)) }),
};

/** A list of the numbers that were proposed. */
class Numbers implements FSM<number> {
  list: number[] = [];

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

const voters = ["a", "b", "c"];

async function startMember(id: string, directory: string, network: MemoryNetwork): Promise<Member> {
  const fsm = new Numbers();
  const { log, stable, snapshots } = storageAt(join(directory, id), { writeBufferBytes: 65_536 });
  const times = { tickMs: 20, heartbeatMs: 20, electionTimeoutMs: 300 };
  const sizes = { snapshotEveryEntries: 60, trailingEntries: 20, hashEveryEntries: 0 };
  const node = new RaftNode<number>(
    { id, clusterId: "test", bootstrap: { voters }, ...times, ...sizes },
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
