import { describe, expect, it } from "vitest";
import type { Message, RaftNode, TransportHandler } from "../../src/index.ts";
import { bytes, Trio } from "./trio.ts";

/** A follower that restarts while an answer of the leader to its former self is under way. */
async function restarted(ask: (follower: RaftNode<number>) => Promise<unknown>, type: Message["type"]) {
  const trio = new Trio();
  const handlers = new Map<string, TransportHandler>();
  const transport = trio.network.transport.bind(trio.network);
  trio.network.transport = (id) => {
    const inner = transport(id);
    const start = async (handler: TransportHandler): Promise<void> => {
      handlers.set(id, handler);
      await inner.start(handler);
    };
    return { ...inner, start };
  };
  const leader = await trio.start();
  await trio.clock.advance(500);
  const id = trio.others(leader.id)[0]!;
  const late: Message[] = [];
  trio.network.passes = (_, __, message) => {
    if (message.type !== type) return true;
    late.push(message);
    return false;
  };
  ask(trio.get(id)).catch(() => undefined);
  await trio.clock.until(() => late.length > 0);
  await trio.run(trio.get(id).stop());
  const follower = trio.make(id);
  await follower.start();
  await trio.clock.until(() => follower.status().leaderId === leader.id);
  const old = [...late];
  const deliver = (): void =>
    handlers.get(id)!.receive(trio.storages.get(leader.id)!.stable.state!.identity, old);
  return { trio, leader, follower, deliver };
}

describe("an answer to a request from before a restart", () => {
  it("is not taken for the answer to a proposal that was made after it", async () => {
    const { trio, follower, deliver } = await restarted(
      (node) => node.propose(bytes("old")),
      "proposeResponse",
    );
    trio.network.passes = () => true;
    const proposal = follower.propose(bytes("new"));
    // It asks the leader, and the answer to its former self comes first.
    await Promise.resolve();
    deliver();
    const { result } = await trio.run(proposal);
    expect(trio.list(follower.id)[result]).toBe("new");
    await trio.stop();
  });

  it("does not confirm a read that was made after it", async () => {
    const { trio, leader, follower, deliver } = await restarted(
      (node) => node.read(() => 0),
      "readIndexResponse",
    );
    await trio.run(leader.propose(bytes("x")));
    const machine = trio.machines.get(follower.id)!;
    // It hears nothing of what is committed now.
    trio.network.passes = (_, to, { type }) =>
      to !== follower.id || (type !== "append" && type !== "heartbeat");
    await trio.run(leader.propose(bytes("y")));
    let read: number | undefined;
    follower
      .read(() => {
        read = machine.list.length;
      })
      .catch(() => undefined);
    trio.network.passes = (_, to) => to !== follower.id;
    await trio.clock.settle();
    deliver();
    await trio.clock.settle();
    expect(read).toBeUndefined();
    await trio.stop();
  });
});
