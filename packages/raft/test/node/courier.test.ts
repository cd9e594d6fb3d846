import { describe, expect, it } from "vitest";
import { bytes, Trio } from "./trio.ts";

const commitDelayMs = 40;

describe("word of what is committed", () => {
  it("goes with the entries that come next", async () => {
    await using trio = new Trio({ commitDelayMs });
    const leader = await trio.start();
    await trio.clock.advance(commitDelayMs);
    const others = trio.others(leader.id);
    const before = leader.metrics.messagesSent;
    const first = leader.propose(bytes("x"));
    await trio.clock.settle();
    await first;
    expect(others.map((id) => trio.list(id))).toEqual([[], []]);
    const second = leader.propose(bytes("y"));
    await trio.clock.settle();
    await second;
    expect(others.map((id) => trio.list(id))).toEqual([["x"], ["x"]]);
    expect(leader.metrics.messagesSent - before).toBe(2 * others.length);
  });

  it("goes alone when nothing comes for so long", async () => {
    await using trio = new Trio({ commitDelayMs });
    const leader = await trio.start();
    await trio.clock.advance(commitDelayMs);
    const [other] = trio.others(leader.id);
    void leader.propose(bytes("x"));
    await trio.clock.settle();
    await trio.clock.advance(commitDelayMs - 1);
    expect(trio.list(other!)).toEqual([]);
    await trio.clock.advance(1);
    expect(trio.list(other!)).toEqual(["x"]);
  });

  it("leaves at once when nothing may wait", async () => {
    await using trio = new Trio({ commitDelayMs: 0 });
    const leader = await trio.start();
    const [other] = trio.others(leader.id);
    void leader.propose(bytes("x"));
    await trio.clock.settle();
    expect(trio.list(other!)).toEqual(["x"]);
  });

  it("leaves at once for a follower that handed over a proposal", async () => {
    await using trio = new Trio({ commitDelayMs });
    const leader = await trio.start();
    const [asking, other] = trio.others(leader.id);
    const proposal = trio.get(asking!).propose(bytes("x"));
    await trio.clock.settle();
    expect(await proposal).toMatchObject({ result: 0 });
    expect(trio.list(other!)).toEqual([]);
  });

  it("leaves at once for a follower that asks for a read", async () => {
    await using trio = new Trio({ commitDelayMs });
    const leader = await trio.start();
    await trio.clock.advance(commitDelayMs);
    const [asking] = trio.others(leader.id);
    await Promise.all([leader.propose(bytes("x")), trio.clock.settle()]);
    expect(trio.list(asking!)).toEqual([]);
    const read = trio.get(asking!).read(() => trio.list(asking!).length);
    await trio.clock.settle();
    expect(await read).toBe(1);
  });

  it("does not wait any more for one that asked long ago", async () => {
    await using trio = new Trio({ commitDelayMs });
    const leader = await trio.start();
    const [asking] = trio.others(leader.id);
    await trio.run(trio.get(asking!).propose(bytes("x")));
    await trio.clock.advance(300);
    await Promise.all([leader.propose(bytes("y")), trio.clock.settle()]);
    expect(trio.list(asking!)).toEqual(["x"]);
  });
});
