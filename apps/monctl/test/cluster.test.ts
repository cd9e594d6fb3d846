import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dataStartMs, startBroker, type TestBroker } from "./support/broker.ts";
import type { Finished } from "./support/monctl.ts";
import { runToEnd } from "./support/run.ts";

let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(async () => {
  await broker[Symbol.asyncDispose]();
});

const run = (...args: string[]): Promise<Finished> =>
  runToEnd([...args, "--broker", broker.url], { now: dataStartMs + 60_000 });

describe("cluster", () => {
  it("shows the members, as cluster members does", async () => {
    const { code, stdout } = await run("cluster");
    expect(code).toBe(0);
    const address = new URL(broker.url).host;
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["BROKER", "STATE", "SINCE", "ANSWERS", "VERSION", "ZONE", "WEIGHT", "AGENTS", "PEERS"],
      ["b1 (leader)", "active", "1m ago", "-", "0.1.0", "-", "1", address, "b1.example:7401"],
      ["b2", "active", "1m ago", "alive", "0.1.0", "east", "1", address, "b2.example:7401"],
      [""],
    ]);
    expect((await run("cluster", "members")).stdout).toBe(stdout);
    expect(JSON.parse((await run("cluster", "--json")).stdout)).toMatchObject({
      clusterId: "c1",
      store: "shared",
      leader: "b1",
      members: [
        { broker: "b1", health: null },
        { broker: "b2", health: "alive", zone: "east" },
      ],
    });
    expect((await run("cluster", "-q")).stdout).toBe("b1\nb2\n");
  });

  it("has a broker leave", async () => {
    expect(await run("cluster", "leave", "b2")).toEqual({ code: 0, stdout: "b2: left\n", stderr: "" });
  });

  it("exits 3 for a broker that is no member, 6 for one in no state for it", async () => {
    expect((await run("cluster", "leave", "b9")).code).toBe(3);
    const { code, stderr } = await run("cluster", "remove", "b2");
    expect([code, stderr]).toEqual([6, expect.stringContaining("expected b2 to be left")]);
  });

  it("exits 8 without a majority", async () => {
    await using alone = await startBroker({
      admin: {
        listMembers: () => {
          throw new ConnectError("RAFT_TIMEOUT: no leader", Code.FailedPrecondition);
        },
      },
    });
    expect((await runToEnd(["cluster", "--broker", alone.url])).code).toBe(8);
  });
});

describe("ring", () => {
  it("shows who has which share", async () => {
    const { code, stdout } = await run("ring");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^epoch 2, 2 copies wanted, a host moves on every 1h\n/);
    expect(stdout).toMatch(/b1 +53% +1 +-\nb2 +47% +1 +east\n/);
  });

  it("says what a change would move, and from whom to whom", async () => {
    const { code, stdout } = await run("ring", "plan", "--add", "b3:2:west", "--remove", "b1", "--json");
    expect(code).toBe(0);
    const plan = JSON.parse(stdout);
    expect(plan.members.map(({ broker: id }: { broker: string }) => id)).toEqual(["b1", "b2", "b3"]);
    const [b1, , b3] = plan.members;
    expect([b1.after, b3.before, b3.from]).toEqual([0, 0, expect.arrayContaining(["b2"])]);
    // A ring of two has both copies on all: a third with two thirds of the points gets most of the keys.
    expect(b3.gains).toBeCloseTo(1, 5);
    expect((await run("ring", "plan", "--add", "b3")).stdout).toMatch(
      /^[\d.]+% of the keys would get another holder\n/,
    );
  });

  it("exits 2 for a plan without a change, or without anybody, and 3 for one without whom it names", async () => {
    expect((await run("ring", "plan")).code).toBe(2);
    expect((await run("ring", "plan", "--add", "b3:0")).code).toBe(2);
    expect((await run("ring", "plan", "--remove", "b1", "--remove", "b2")).code).toBe(2);
    expect((await run("ring", "plan", "--remove", "b9")).code).toBe(3);
  });
});

describe("raft", () => {
  it("shows what every broker says", async () => {
    const { code, stdout } = await run("raft");
    expect(code).toBe(0);
    expect(stdout).toMatch(/b1 +leader +yes +3 +9 +9 +9 +0 +0011223344556677\n/);
  });

  it("moves the leadership", async () => {
    expect((await run("raft", "transfer", "b2")).stdout).toBe("b2 leads\n");
  });

  it("verifies that states are equal, and exits 1 where they are not", async () => {
    expect((await run("raft", "verify")).code).toBe(0);
    let asked = 0;
    await using differing = await startBroker({
      admin: { getRaftStatus: () => ({ applied: 9n, stateHash: asked++ % 2 === 0 ? "aa" : "bb" }) },
    });
    const { code, stdout } = await runToEnd(["raft", "verify", "--json", "--broker", differing.url]);
    expect([code, JSON.parse(stdout).error.message]).toEqual([
      1,
      "expected equal states, got different ones of b1 and b2 at entry 9",
    ]);
  });

  it("exits 5 where a broker does not answer, and names it", async () => {
    await using silent = await startBroker({
      admin: {
        listMembers: () => ({
          members: [{ facts: { nodeId: "b7", agentAddress: "127.0.0.1:1" } }],
        }),
      },
    });
    const { code, stderr } = await runToEnd(["raft", "verify", "--broker", silent.url]);
    expect([code, stderr]).toEqual([5, expect.stringContaining("b7")]);
  });
});
