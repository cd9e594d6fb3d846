import { connect } from "node:tls";
import { Code } from "@connectrpc/connect";
import { ConfigError } from "@mon/config";
import { describe, expect, it, vi } from "vitest";
import { TestAuthority } from "../../../../tools/build/certificate.ts";
import { ClusterStartError } from "../../src/cluster/cluster-start-error.ts";
import { PeerClients } from "../../src/cluster/peer-clients.ts";
import { TestCluster } from "../support/test-cluster.ts";

const timeout = 30_000;
const waiting = { timeout: 20_000, interval: 25 };

function idsOnRing(cluster: TestCluster, nodeId: string): string[] {
  return cluster.nodes.get(nodeId)!.state.ring.members.map(({ id }) => id);
}

describe.concurrent("members that share a store", { timeout }, () => {
  it("get their share when they have caught up, and give it back when they leave", async () => {
    await using cluster = await TestCluster.create("shared");
    const a = await cluster.start("a");
    await cluster.start("b", { args: ["cluster.weightPercent=200", "cluster.zone=east"] });
    const c = await cluster.start("c");
    for (const nodeId of ["a", "b", "c"])
      await vi.waitFor(() => expect(idsOnRing(cluster, nodeId)).toEqual(["a", "b", "c"]), waiting);
    expect(a.state.ring.members[1]).toEqual({ id: "b", weight: 2, zone: "east" });
    await c.propose({ kind: "leave", nodeId: "b", atMs: Date.now() });
    await vi.waitFor(() => expect(idsOnRing(cluster, "a")).toEqual(["a", "c"]), waiting);
    // One voter for two members, and the one that left gets no log any more.
    await vi.waitFor(() => expect(a.raftStatus()?.conf).toMatchObject({ learners: ["c"] }), waiting);
    expect((await c.read()).members.get("b")?.state).toBe("left");
  });

  it("go on without the leader when it leaves: it hands over, and is let go", async () => {
    await using cluster = await TestCluster.create("shared");
    const a = await cluster.start("a");
    await Promise.all(["b", "c", "d"].map((nodeId) => cluster.start(nodeId)));
    await vi.waitFor(() => expect(a.raftStatus()?.conf.voters).toHaveLength(3), waiting);
    await a.propose({ kind: "leave", nodeId: "a", atMs: Date.now() });
    await vi.waitFor(() => {
      const others = ["b", "c", "d"].map((nodeId) => cluster.nodes.get(nodeId)!);
      const leader = others.find((node) => node.raftStatus()?.role === "leader");
      expect(leader?.raftStatus()?.conf).toMatchObject({ voters: ["b", "c", "d"], learners: [] });
    }, waiting);
    await vi.waitFor(() => expect(a.problems().join()).toContain("no member of the cluster"), waiting);
    expect(cluster.failures).toEqual([]);
  });

  it("judge each other by heartbeats that go both ways", async () => {
    await using cluster = await TestCluster.create("shared");
    const a = await cluster.start("a");
    const b = await cluster.start("b");
    await vi.waitFor(() => expect(idsOnRing(cluster, "a")).toEqual(["a", "b"]), waiting);
    expect([a.healthOf("b"), b.healthOf("a")]).toEqual(["alive", "alive"]);
    await b.stop();
    await vi.waitFor(() => expect(a.healthOf("b")).toBe("suspect"), waiting);
    await vi.waitFor(() => expect(a.state.members.get("b")?.state).toBe("down"), waiting);
  });
});

describe.concurrent("between brokers with certificates", { timeout }, () => {
  const authority = new TestAuthority();

  it("a cluster works as without", async () => {
    await using cluster = await TestCluster.create("shared");
    await cluster.start("a", { authority });
    const b = await cluster.start("b", { authority });
    await vi.waitFor(() => expect(idsOnRing(cluster, "b")).toEqual(["a", "b"]), waiting);
    await vi.waitFor(() => expect(b.healthOf("a")).toBe("alive"), waiting);
    expect((await b.read()).members.size).toBe(2);
  });

  it("one does not start whose certificate names another", async () => {
    await using cluster = await TestCluster.create("shared");
    await expect(cluster.start("a", { authority, certifiedAs: "b" })).rejects.toThrow(ConfigError);
  });

  it("a stranger gets no connection: without a certificate, or with one of another authority", async () => {
    await using cluster = await TestCluster.create("shared");
    await cluster.start("a", { authority });
    const { certificate, key } = new TestAuthority("another").issue("spiffe://mon/broker/b");
    const port = Number(cluster.seed.split(":")[1]);
    for (const shown of [{}, { cert: certificate, key }]) {
      const socket = connect({
        port,
        host: "127.0.0.1",
        ca: authority.certificate,
        ALPNProtocols: ["h2"],
        ...shown,
      });
      const outcome = await new Promise((resolve) => {
        socket.once("error", () => resolve("refused")).once("close", () => resolve("refused"));
        // A server of HTTP/2 speaks first.
        socket.once("data", () => resolve("answered"));
      });
      socket.destroy();
      expect(outcome).toBe("refused");
    }
  });

  it("none joins, or says that it is there, in the name of another", async () => {
    await using cluster = await TestCluster.create("shared");
    const a = await cluster.start("a", { authority });
    const { certificate, key } = authority.issue("spiffe://mon/broker/b");
    const [cert, ca] = [certificate, authority.certificate].map((pem) => Buffer.from(pem));
    const clients = new PeerClients({ cert: cert!, key: Buffer.from(key), ca: ca! });
    const { clusterId, members } = a.state;
    const member = { ...members.get("a")!, nodeId: "c", incarnation: "c1" };
    const ping = { nodeId: "a", clusterId, receiverNodeId: "a" };
    for (const call of [
      clients.once(cluster.seed, (client) => client.join({ clusterId, member })),
      clients.once(cluster.seed, (client) => client.ping(ping)),
      // Who it says it is, but no member.
      clients.once(cluster.seed, (client) => client.ping({ ...ping, nodeId: "b" })),
    ]) {
      await expect(call).rejects.toMatchObject({ code: Code.PermissionDenied });
    }
    expect(a.state.members.size).toBe(1);
  });
});

describe.concurrent("a newcomer", { timeout }, () => {
  it("is refused when it is two minor versions away, and told what to do", async () => {
    await using cluster = await TestCluster.create("shared");
    const a = await cluster.start("a");
    const facts = a.state.members.get("a")!;
    await a.propose({
      kind: "update",
      member: { ...facts, version: "0.3.0" },
      atMs: Date.now(),
    });
    const refusal = await cluster.start("b").catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ClusterStartError);
    expect(refusal).toMatchObject({
      exitCode: 78,
      message: expect.stringContaining("one minor version at a time"),
    });
  });

  it("is refused when it does not see the store that the others share", async () => {
    await using cluster = await TestCluster.create("shared");
    await cluster.start("a");
    const refusal = await cluster.start("b", { scope: "local" }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ exitCode: 78, message: expect.stringContaining("see store.kind") });
    expect(cluster.nodes.get("a")!.state.members.size).toBe(1);
  });
});
