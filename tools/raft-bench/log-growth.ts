/**
 * What an entry costs and how long a restart takes, by the number of entries in the log of `@mon/raft-level`: one member, so
 * that it is the disk that is measured. Prints a line of JSON for each figure.
 *
 *     node --conditions=@mon/source tools/raft-bench/log-growth.ts --directory DIR [--entries 1000000]
 */
import path from "node:path";
import { parseArgs } from "node:util";
import { type Clock, type Entry, type FSM, MemoryNetwork, RaftNode } from "@mon/raft";
import { LevelStorage } from "@mon/raft-level";

const dataBytes = 256;
const proposers = 1_024;
/** Keys of the state machine: its snapshot has so many values. */
const keyCount = 10_000;

const { values } = parseArgs({
  options: { directory: { type: "string" }, entries: { type: "string", default: "1000000" } },
});
if (values.directory === undefined) throw new TypeError("expected --directory");
const directory = path.join(values.directory, "log");
const most = Number(values.entries);

const clock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => ({ cancel: clearTimeout.bind(undefined, setTimeout(callback, ms)) }),
  setImmediate: (callback) => ({ cancel: clearImmediate.bind(undefined, setImmediate(callback)) }),
};

/** Values by number, the first two bytes of each. */
class Values implements FSM<number> {
  readonly #values = new Map<number, Uint8Array>();

  apply(entries: readonly Entry[]): number[] {
    return entries.map(({ data }) => this.#set(data));
  }

  snapshot(): { chunks: () => Iterable<Uint8Array> } {
    const all = [...this.#values.values()];
    return { chunks: () => all };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const bytes = Buffer.concat(parts);
    this.#values.clear();
    for (let at = 0; at < bytes.length; at += dataBytes) this.#set(bytes.subarray(at, at + dataBytes));
  }

  /** @returns how many there are */
  #set(data: Uint8Array): number {
    // What a member that starts proposes, to see whether it can, has none.
    if (data.length === dataBytes) this.#values.set(data[0]! + data[1]! * 256, data);
    return this.#values.size;
  }
}

function open(): RaftNode<number> {
  const { log, snapshots, stable } = new LevelStorage({ directory });
  return new RaftNode<number>(
    { id: "a", clusterId: "bench", bootstrap: { voters: ["a"] }, snapshotEveryEntries: 0 },
    {
      ...{ log, snapshots, stable, clock },
      fsm: new Values(),
      transport: new MemoryNetwork(clock).transport("a"),
      random: { next: Math.random },
    },
  );
}

/** Starts a member; `readyMs` is when everything committed before is applied, and what is new can be. */
async function restart(): Promise<{ node: RaftNode<number>; openMs: number; readyMs: number }> {
  const node = open();
  const elected = new Promise<void>((resolve) => {
    node.on("roleChanged", ({ role }) => {
      if (role === "leader") resolve();
    });
  });
  const beganMs = performance.now();
  await node.start();
  const openMs = performance.now() - beganMs;
  await elected;
  await node.propose(new Uint8Array());
  return { node, openMs, readyMs: performance.now() - beganMs };
}

async function fill(node: RaftNode<number>, from: number, to: number): Promise<void> {
  let next = from;
  const proposer = async (): Promise<void> => {
    while (next < to) {
      const data = new Uint8Array(dataBytes);
      const key = next++ % keyCount;
      data[0] = key & 255;
      data[1] = (key >> 8) & 255;
      await node.propose(data);
    }
  };
  await Promise.all(Array.from({ length: proposers }, proposer));
}

let { node } = await restart();
let filled = 0;
for (let entries = 1_000; entries <= most; entries *= 10) {
  // The last half of the stage, and all of the first, half of which would be too few.
  const from = entries === 1_000 ? 0 : entries / 2;
  await fill(node, filled, from);
  const cpu = process.cpuUsage();
  const beganMs = performance.now();
  await fill(node, from, entries);
  const { user, system } = process.cpuUsage(cpu);
  filled = entries;
  print("growth", {
    entries,
    cpuUs: (user + system) / (entries - from),
    perSecond: (1_000 * (entries - from)) / (performance.now() - beganMs),
  });
}
await node.stop();

let restarted = await restart();
({ node } = restarted);
print("restart", { entries: filled, snapshot: false, openMs: restarted.openMs, readyMs: restarted.readyMs });
await node.snapshot();
await node.stop();

restarted = await restart();
({ node } = restarted);
print("restart", { entries: filled, snapshot: true, openMs: restarted.openMs, readyMs: restarted.readyMs });
await node.stop();

function print(kind: string, figures: object): void {
  console.log(JSON.stringify({ kind, ...figures }));
}
