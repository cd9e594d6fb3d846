import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { MemberState } from "@mon/proto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { BrokerProcess, runBroker } from "./support/broker-process.ts";
import { TempDirectory } from "./support/temp-directory.ts";

/** Several starts of Node, on a machine that is busy with other tests. */
const timeout = 60_000;
const waiting = { timeout: 20_000, interval: 50 };
const inMemory = ["--set", "store.kind=memory"];

let temp: TempDirectory;
const brokers = new Map<string, BrokerProcess>();

function broker(nodeId: string): BrokerProcess {
  return brokers.get(nodeId)!;
}

/** Starts a broker of the cluster, over the directory that it had before if it had one. */
async function start(nodeId: string, ...args: string[]): Promise<void> {
  const dataDir = join(temp.path, nodeId);
  const started = await BrokerProcess.start({ dataDir, args: ["--node-id", nodeId, ...inMemory, ...args] });
  brokers.set(nodeId, started);
}

function seed(): string {
  return `127.0.0.1:${broker("a").peerPort}`;
}

/** Runs a broker that does not get to serve. */
function refused(directory: string, ...args: string[]) {
  const ports = ["--grpc-port", "0", "--http-port", "0", "--peer-port", "0"];
  return runBroker(["--data-dir", join(temp.path, directory), ...ports, ...inMemory, ...args]);
}

beforeAll(async () => {
  temp = await TempDirectory.create();
  await start("a", "--bootstrap", "--peer-port", "0");
  await Promise.all(
    ["b", "c"].map((nodeId) =>
      start(nodeId, "--join", seed(), "--peer-port", "0", "--zone", `zone-${nodeId}`),
    ),
  );
}, timeout);
afterAll(async () => {
  await Promise.all([...brokers.values()].map((each) => each[Symbol.asyncDispose]()));
  await temp[Symbol.asyncDispose]();
});

async function votersOf(nodeId: string): Promise<string[]> {
  return (await broker(nodeId).admin.getRaftStatus({})).voters;
}

describe("brokers of a cluster", { timeout }, () => {
  it("find together: each knows all, and all three vote", async () => {
    for (const nodeId of ["a", "b", "c"]) {
      await vi.waitFor(async () => expect(await votersOf(nodeId)).toEqual(["a", "b", "c"]), waiting);
      const { members, clusterId } = await broker(nodeId).admin.listMembers({});
      expect(clusterId).not.toBe("");
      expect(members.map(({ facts }) => [facts?.nodeId, facts?.zone, facts?.agentAddress])).toEqual([
        ["a", "", `127.0.0.1:${broker("a").grpcPort}`],
        ["b", "zone-b", `127.0.0.1:${broker("b").grpcPort}`],
        ["c", "zone-c", `127.0.0.1:${broker("c").grpcPort}`],
      ]);
    }
  });

  it("give no share to one with a store of its own, while nothing hands data over", async () => {
    const { members, isStoreShared } = await broker("b").admin.listMembers({});
    expect(isStoreShared).toBe(false);
    expect(members.map(({ state }) => state)).toEqual([
      MemberState.ACTIVE,
      MemberState.JOINING,
      MemberState.JOINING,
    ]);
    const { ring, pending } = await broker("c").admin.getRing({});
    expect(ring?.members).toEqual([expect.objectContaining({ nodeId: "a", share: 1 })]);
    expect(pending).toBeUndefined();
  });

  it("say in their metrics how it stands", async () => {
    const metrics = await (await fetch(`${broker("a").httpUrl}/metrics`)).text();
    for (const line of [
      'mon_cluster_members{state="active"} 1',
      'mon_cluster_members{state="joining"} 2',
      "mon_raft_leader 1",
      "mon_forwarded_reports_total 0",
    ]) {
      expect(metrics.split("\n")).toContain(line);
    }
  });

  it("have the same state where they have applied the same", async () => {
    await vi.waitFor(async () => {
      const statuses = await Promise.all([...brokers.values()].map(({ admin }) => admin.getRaftStatus({})));
      expect(new Set(statuses.map(({ applied }) => applied)).size).toBe(1);
      expect(new Set(statuses.map(({ stateHash }) => stateHash)).size).toBe(1);
    }, waiting);
  });

  it("hand the leadership over, asked by any of them", async () => {
    await broker("c").admin.transferLeadership({ nodeId: "b" });
    await vi.waitFor(async () => {
      expect((await broker("a").admin.getRaftStatus({})).leaderId).toBe("b");
    }, waiting);
  });

  it("elect another when the leader is killed, which comes back with what has changed about it", async () => {
    const { leaderId } = await broker("a").admin.getRaftStatus({});
    const other = leaderId === "c" ? "a" : "c";
    const { peerPort } = broker(leaderId);
    await broker(leaderId).kill();
    await vi.waitFor(async () => {
      const status = await broker(other).admin.getRaftStatus({});
      expect([status.leaderId, status.leaderId === leaderId]).toEqual([
        expect.stringMatching(/[abc]/),
        false,
      ]);
    }, waiting);
    expect((await broker(other).admin.listMembers({})).members).toHaveLength(3);
    await start(leaderId, "--peer-port", `${peerPort}`, "--zone", "elsewhere");
    await vi.waitFor(async () => {
      const { members } = await broker(other).admin.listMembers({});
      const { facts } = members.find(({ facts: each }) => each?.nodeId === leaderId)!;
      expect([facts?.zone, facts?.agentAddress]).toEqual([
        "elsewhere",
        `127.0.0.1:${broker(leaderId).grpcPort}`,
      ]);
    }, waiting);
  });

  it("forget one that is removed, which then may join with an empty directory", async () => {
    await broker("c").stop();
    await vi.waitFor(() => broker("a").admin.remove({ nodeId: "c" }), waiting);
    await vi.waitFor(async () => expect(await votersOf("a")).not.toContain("c"), waiting);
    await rm(join(temp.path, "c"), { recursive: true });
    await start("c", "--join", seed(), "--peer-port", "0");
    await vi.waitFor(async () => expect(await votersOf("c")).toContain("c"), waiting);
  });

  it("are ready, and say so, without a majority; what they know can be had as it was", async () => {
    await Promise.all(["b", "c"].map((nodeId) => broker(nodeId).kill()));
    await vi.waitFor(async () => {
      const { problems } = await broker("a").admin.status({});
      expect(problems).toEqual([expect.stringMatching(/^no leader of the cluster is known/)]);
    }, waiting);
    expect((await fetch(`${broker("a").httpUrl}/readyz`)).status).toBe(200);
    expect((await broker("a").admin.listMembers({ stale: true })).members).toHaveLength(3);
    await expect(broker("a").admin.listMembers({})).rejects.toMatchObject({ code: Code.FailedPrecondition });
    await Promise.all(["b", "c"].map((nodeId) => start(nodeId, "--peer-port", `${broker(nodeId).peerPort}`)));
    await vi.waitFor(async () => {
      expect((await broker("a").admin.status({})).problems).toEqual([]);
    }, waiting);
  });
});

it("all brokers of a cluster come back together after all were killed", { timeout }, async () => {
  await Promise.all([...brokers.values()].map((each) => each.kill()));
  const ids = [...brokers.keys()];
  await Promise.all(ids.map((nodeId) => start(nodeId, "--peer-port", `${broker(nodeId).peerPort}`)));
  await vi.waitFor(async () => {
    const { members } = await broker("b").admin.listMembers({});
    expect(members.map(({ facts }) => facts?.agentAddress)).toEqual(
      ["a", "b", "c"].map((nodeId) => `127.0.0.1:${broker(nodeId).grpcPort}`),
    );
  }, waiting);
});

describe("a broker is refused, with the way out", { timeout }, () => {
  it("that forms a second cluster over the directory of a member", async () => {
    await broker("c").stop();
    const { code, stderr } = await refused("c", "--node-id", "c", "--bootstrap");
    expect([code, stderr]).toEqual([78, expect.stringContaining("start it without --bootstrap")]);
  });

  it("that comes with another name than its directory has", async () => {
    const { code, stderr } = await refused("c", "--node-id", "d");
    expect([code, stderr]).toEqual([78, expect.stringContaining("expected c, whose data directory")]);
  });

  it("that lost its disk", async () => {
    const { code, stderr } = await refused("c-empty", "--node-id", "c", "--join", seed());
    expect([code, stderr]).toEqual([73, expect.stringContaining("give the node its old data directory")]);
  });

  it("that lost the log, or the identity that goes with it", async () => {
    const directory = join(temp.path, "c");
    await rename(join(directory, "raft"), join(directory, "gone"));
    const { code, stderr } = await refused("c", "--node-id", "c");
    expect([code, stderr]).toEqual([73, expect.stringContaining("monctl cluster remove c")]);
    await rename(join(directory, "gone"), join(directory, "raft"));
    await rename(join(directory, "identity.json"), join(directory, "gone"));
    expect((await refused("c", "--node-id", "c")).code).toBe(73);
    await rename(join(directory, "gone"), join(directory, "identity.json"));
  });

  it("that belongs to another cluster", async () => {
    await using other = await BrokerProcess.start({
      args: ["--node-id", "z", "--bootstrap", "--peer-port", "0", ...inMemory],
    });
    await other.stop();
    const { dataDir } = other;
    const ports = ["--grpc-port", "0", "--http-port", "0", "--peer-port", "0"];
    const args = ["--data-dir", dataDir, "--node-id", "z", "--join", seed(), ...ports, ...inMemory];
    // Alone it leads its own cluster, and what it is told now contradicts that.
    const { code, stderr } = await runBroker(args);
    expect([code, stderr]).toEqual([
      78,
      expect.stringMatching(/expected a broker of .*, got one of .*empty data directory/),
    ]);
  });
});

it("a broker that is alone says how to form or join a cluster", { timeout }, async () => {
  await using alone = await BrokerProcess.start({ args: inMemory });
  expect(alone.peerPort).toBeUndefined();
  await expect(alone.admin.listMembers({})).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    message: expect.stringContaining("--bootstrap or --join"),
  });
  expect((await alone.admin.status({})).problems).toEqual([]);
});
