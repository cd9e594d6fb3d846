import { describe, expect, it } from "vitest";
import { MemoryStableStore, type StableState } from "../../src/index.ts";
import { bytes, Trio } from "./trio.ts";

/** Stops a member and takes its disk away. */
async function wipe(trio: Trio, id: string): Promise<void> {
  await trio.run(trio.get(id).stop());
  trio.storages.delete(id);
}

describe("a disk that was lost under an id that members know", () => {
  it("is noticed after a restart of everybody, and counts for nothing until the id was removed", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    await trio.run(leader.propose(bytes("x")));
    await trio.clock.advance(500);
    for (const id of trio.ids) await trio.run(trio.get(id).stop());
    trio.storages.delete("c");
    const refused: string[] = [];
    for (const id of ["a", "b"]) {
      trio.make(id).on("degraded", ({ error, peer }) => refused.push(`${error.code} ${peer}`));
      await trio.get(id).start();
    }
    // It even says that it founds the cluster.
    await trio.make("c").start();
    const next = await trio.elected();
    await trio.run(next.propose(bytes("y")));
    await trio.clock.advance(5000);
    expect(new Set(refused)).toEqual(new Set(["RAFT_WRONG_INCARNATION c"]));
    // One of two is gone now: nobody counts the third for it.
    const other = next.id === "a" ? "b" : "a";
    await trio.run(trio.get(other).stop());
    await trio.clock.advance(10_000);
    expect(next.status().role).not.toBe("leader");
  });

  it("does not help to elect one that never met it before it was lost", async () => {
    await using trio = new Trio();
    for (const id of trio.ids) await trio.make(id).start();
    trio.network.passes = (from, to) => from !== "b" && to !== "b";
    await trio.clock.until(() => ["a", "c"].some((id) => trio.get(id).status().role === "leader"));
    await trio.run(trio.get("a").propose(bytes("acknowledged")));
    await wipe(trio, "c");
    await trio.run(trio.get("a").stop());
    trio.network.passes = () => true;
    const { stable } = trio.storages.get("b")!;
    expect(stable.state!.peers).not.toHaveProperty("c");
    await trio.make("c", { bootstrap: undefined }).start();
    await trio.clock.advance(60_000);
    expect(stable.state!.peers).toHaveProperty("c");
    expect(trio.get("b").status().role).not.toBe("leader");
    // With a there is a leader that has every committed entry.
    await trio.make("a").start();
    await trio.clock.until(() => trio.list("b").length === 1);
    expect(trio.list("b")).toEqual(["acknowledged"]);
  });

  it("cannot hide in a crash: nobody is heard before it is durable who it was", async () => {
    await using trio = new Trio({}, ["a", "b"]);
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    /** Saves who this node is at once, and whom it met only when told to. */
    class SlowStore extends MemoryStableStore {
      override async save(state: StableState): Promise<void> {
        if (Object.keys(state.peers).length > 0) await gate;
        await super.save(state);
      }
    }
    trio.make("a");
    await trio.get("a").stop();
    trio.storages.set("a", { ...trio.storages.get("a")!, stable: new SlowStore() });
    await trio.make("a").start();
    await trio.make("b").start();
    await trio.clock.advance(10_000);
    expect(trio.get("a").status()).toMatchObject({ term: 1, leaderId: undefined });
    release();
    await trio.elected();
  });
});
