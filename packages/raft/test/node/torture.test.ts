import { expect, it } from "vitest";
import { MemoryLogStore, MemoryStableStore, RaftError } from "../../src/index.ts";
import { seeded } from "../core/cluster.ts";
import { bytes, Trio } from "./trio.ts";

/** What a program was told about one proposal. */
type Outcome = "applied" | "lost" | "refused" | "unknown";

const OUTCOMES: Readonly<Record<string, Outcome>> = {
  RAFT_PROPOSAL_LOST: "lost",
  RAFT_OUTCOME_UNKNOWN: "unknown",
  RAFT_NOT_LEADER: "refused",
  RAFT_NOT_MEMBER: "refused",
  RAFT_OVERLOADED: "refused",
  RAFT_TRANSFER_IN_PROGRESS: "refused",
  RAFT_STOPPED: "refused",
};

/** One run: programs propose and read on every member while links are cut and members are killed and come back. */
async function run(seed: number): Promise<void> {
  const random = seeded(seed);
  const below = (n: number): number => Math.floor(random.next() * n);
  const trio = new Trio(
    {
      snapshotEveryEntries: below(2) * 15,
      trailingEntries: below(10),
      hashEveryEntries: 4,
      proposalTimeoutMs: 3000,
      readTimeoutMs: 3000,
    },
    ["a", "b", "c"].concat(below(2) === 0 ? ["d", "e"] : []),
  );
  const slowness = below(3) * 60;
  trio.wrapLog = (_, log) => ({
    open: () => log.open(),
    append: async (batch) => {
      await new Promise<void>((resolve) => trio.clock.setTimeout(resolve, below(slowness + 1)));
      await log.append(batch);
    },
    entries: (...args) => log.entries(...args),
    compact: (base) => log.compact(base),
    close: () => log.close(),
  });
  const diverged: unknown[] = [];
  trio.prepare = (machine) => {
    machine.hash = () => machine.list.join();
  };
  const begin = async (id: string): Promise<void> => {
    const node = trio.make(id);
    node.on("diverged", (event) => diverged.push(event));
    await trio.run(node.start());
  };
  for (const id of trio.ids) {
    await begin(id);
  }
  await trio.elected();

  const outcomes = new Map<string, Outcome>();
  const pending = new Set<Promise<unknown>>();
  const watch = (promise: Promise<unknown>): void => {
    const done = promise.finally(() => pending.delete(done));
    pending.add(done);
  };
  let applied = 0;
  const propose = (id: string, command: string): void => {
    watch(
      trio
        .get(id)
        .propose(bytes(command))
        .then(
          () => {
            outcomes.set(command, "applied");
            applied++;
          },
          (error: RaftError) => {
            expect(error).toBeInstanceOf(RaftError);
            expect(OUTCOMES, error.code).toHaveProperty(error.code);
            outcomes.set(command, OUTCOMES[error.code]!);
          },
        ),
    );
  };
  const read = (id: string): void => {
    const before = applied;
    const machine = trio.machines.get(id)!;
    watch(
      trio
        .get(id)
        .read(() => machine.list.length)
        .then(
          // Everything acknowledged before the read began must show in it.
          (length) => expect(length).toBeGreaterThanOrEqual(before),
          (error: RaftError) => expect(["RAFT_TIMEOUT", "RAFT_STOPPED"]).toContain(error.code),
        ),
    );
  };
  const kill = async (id: string): Promise<void> => {
    const storage = trio.storages.get(id)!;
    // What was durable at this moment; what is written later goes to the dead.
    const survives = {
      ...storage,
      log: new MemoryLogStore(storage.log.image.clone()),
      stable: new MemoryStableStore(storage.stable.state),
    };
    const passes = trio.network.passes;
    trio.network.passes = () => false;
    await trio.run(trio.get(id).stop());
    trio.network.passes = passes;
    trio.storages.set(id, survives);
    await begin(id);
  };

  for (let step = 0; step < 150; step++) {
    const id = trio.ids[below(trio.ids.length)]!;
    switch (below(12)) {
      case 0: {
        const group = trio.ids.filter(() => below(2) === 0);
        trio.network.passes = (from, to) => group.includes(from) === group.includes(to);
        break;
      }
      case 1:
      case 2:
        trio.network.passes = () => true;
        break;
      case 3:
        if (below(3) === 0) {
          await kill(id);
        }
        break;
      case 4:
        trio
          .get(id)
          .transferLeadership(trio.ids[below(trio.ids.length)]!)
          .catch(() => undefined);
        break;
      case 5:
      case 6:
        read(id);
        break;
      default:
        propose(id, `${step}`);
    }
    await trio.clock.advance(below(250));
  }

  trio.network.passes = () => true;
  // Long enough for transfers under way to end.
  await trio.clock.advance(3000);
  await trio.run(Promise.all(pending));
  const leader = await trio.elected();
  await trio.run(leader.propose(bytes("last")));
  await trio.clock.advance(3000);
  const { list } = trio.machines.get(leader.id)!;
  for (const id of trio.ids) {
    expect(trio.list(id), id).toEqual(list);
  }
  const times = (command: string): number => list.filter((each) => each === command).length;
  for (const [command, outcome] of outcomes) {
    if (outcome === "applied") {
      expect(times(command), command).toBe(1);
    } else if (outcome === "unknown") {
      expect(times(command), command).toBeLessThanOrEqual(1);
    } else {
      expect(times(command), `${command} ${outcome}`).toBe(0);
    }
  }
  expect(diverged).toEqual([]);
  await trio.stop();
}

const { SEED, MON_TEST } = process.env;
const seeds =
  SEED === undefined ? Array.from({ length: MON_TEST === "full" ? 1000 : 12 }, (_, i) => i) : [Number(SEED)];

it("tells programs the truth about every proposal and read, whatever breaks meanwhile", {
  timeout: 600_000,
}, async () => {
  for (const seed of seeds) {
    try {
      await run(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: repeat with SEED=${seed}`, { cause: error });
    }
  }
});
