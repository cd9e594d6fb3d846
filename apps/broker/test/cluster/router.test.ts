import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ringOf } from "@mon/cluster";
import { ByteBudget, Intake, type Outcome } from "@mon/intake";
import { Kind, ReportSchema } from "@mon/proto";
import { type Fragment, fragmentFromSamples, MemoryStore, type WriteFate } from "@mon/store";
import { expect, it, vi } from "vitest";
import type { ClusterNode } from "../../src/cluster/cluster-node.ts";
import { PeerClients } from "../../src/cluster/peer-clients.ts";
import { Router } from "../../src/cluster/router.ts";
import { systemClock } from "../../src/system-clock.ts";
import { TestCluster } from "../support/test-cluster.ts";

const timeout = 30_000;
const waiting = { timeout: 20_000, interval: 25 };
const startMs = Date.now() - 60_000;

/** One store, and brokers that see it: who wrote what is noted. */
class SharedStore implements AsyncDisposable {
  readonly memory = new MemoryStore();
  readonly writers = new Map<string, string[]>();
  /** Brokers whose writes wait until they are let go on. */
  readonly held = new Map<string, Promise<void>>();

  async write(nodeId: string, fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    await this.held.get(nodeId);
    for (const { hostId } of fragments)
      this.writers.set(hostId, [...(this.writers.get(hostId) ?? []), nodeId]);
    return await this.memory.write(fragments);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.memory.close();
  }
}

/** Brokers of a cluster, without their doors to agents. */
class Brokers implements AsyncDisposable {
  readonly store = new SharedStore();
  readonly intakes = new Map<string, Intake>();
  readonly routers = new Map<string, Router>();
  readonly cluster: TestCluster;

  private constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  static async start(nodeIds: readonly string[], peerBytesMax = 2 ** 20): Promise<Brokers> {
    const brokers = new Brokers(await TestCluster.create("shared"));
    await brokers.store.memory.open();
    for (const nodeId of nodeIds)
      await brokers.cluster.start(nodeId, { take: (node) => brokers.#wire(node, peerBytesMax) });
    await vi.waitFor(() => {
      for (const { state } of brokers.cluster.nodes.values())
        expect(state.ring.members).toHaveLength(nodeIds.length);
    }, waiting);
    return brokers;
  }

  /** Has a broker take a report of each host in. */
  async report(nodeId: string, hosts: readonly string[], value = 1): Promise<Outcome> {
    const reports = hosts.map((hostId) =>
      toBinary(
        ReportSchema,
        create(ReportSchema, { hostId, timestampMs: BigInt(startMs), samples: [{ name: "up", value }] }),
      ),
    );
    return await this.intakes.get(nodeId)!.submit(reports);
  }

  /** Who owns each host's report. */
  owners(hosts: readonly string[]): string[] {
    const ring = ringOf(this.cluster.nodes.get("a")!.state.ring);
    return hosts.map((hostId) => ring.ownerOf(hostId, startMs)!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
  }

  #wire(node: ClusterNode, peerBytesMax: number) {
    const { nodeId } = node;
    const store = { write: (fragments: readonly Fragment[]) => this.store.write(nodeId, fragments) };
    const router = new Router({
      cluster: node,
      store,
      ringChanged: () => this.intakes.get(nodeId)?.forgetRepeats(),
    });
    const intake = new Intake({ store, clock: systemClock, routes: router });
    this.routers.set(nodeId, router);
    this.intakes.set(nodeId, intake);
    const budget = new ByteBudget(peerBytesMax);
    return (fragments: readonly Fragment[], bytes: number) =>
      budget.tryAcquire(bytes) ? intake.take(fragments).finally(() => budget.release(bytes)) : undefined;
  }
}

const hosts = Array.from({ length: 60 }, (_, i) => `web-${i}`);

it.concurrent("every report is stored once, by its owner, whichever broker takes it in", { timeout }, async ({
  expect,
}) => {
  await using brokers = await Brokers.start(["a", "b", "c"]);
  for (const [i, nodeId] of ["a", "b", "c"].entries()) {
    const outcome = await brokers.report(nodeId, hosts.slice(i * 20, i * 20 + 20));
    expect(outcome).toMatchObject({ reportsStored: 20, durability: "memory", copies: 1, refusals: [] });
  }
  expect(hosts.map((host) => brokers.store.writers.get(host))).toEqual(
    brokers.owners(hosts).map((id) => [id]),
  );
  expect(new Set(brokers.owners(hosts)).size).toBe(3);
  const stats = await brokers.store.memory.stats();
  expect(stats.hosts).toBe(60);
});

it.concurrent("what one broker sends another is never sent on, whatever ring the sender goes by", {
  timeout,
}, async ({ expect }) => {
  await using brokers = await Brokers.start(["a", "b", "c"]);
  const host = hosts.find((_, i) => brokers.owners(hosts)[i] === "c")!;
  const fragment = fragmentFromSamples(host, startMs, [
    { name: "up", labels: [], value: 1, kind: Kind.GAUGE, flags: 0 },
  ]);
  const fates = await brokers.cluster.nodes.get("a")!.forward("b", [fragment]);
  expect([fates, brokers.store.writers.get(host)]).toEqual([
    [{ status: "stored", durability: "memory", copies: 1 }],
    ["b"],
  ]);
  const { peerAddress } = brokers.cluster.nodes.get("b")!.state.members.get("b")!;
  const call = new PeerClients(undefined).once(peerAddress, (client) =>
    client.forward({ nodeId: "a", hops: 2 }),
  );
  await expect(call).rejects.toMatchObject({ code: Code.InvalidArgument });
});

it.concurrent("while an owner is gone its reports are stored by others, from the first on", {
  timeout,
}, async ({ expect }) => {
  await using brokers = await Brokers.start(["a", "b", "c"]);
  const lost = hosts.filter((_, i) => brokers.owners(hosts)[i] === "b");
  await brokers.cluster.nodes.get("b")!.stop();
  // Nobody has noticed yet: a stands in.
  expect(await brokers.report("a", lost)).toMatchObject({ reportsStored: lost.length, refusals: [] });
  expect(new Set(lost.flatMap((host) => brokers.store.writers.get(host)))).toEqual(new Set(["a"]));
  await vi.waitFor(() => expect(brokers.cluster.nodes.get("a")!.healthOf("b")).not.toBe("alive"), waiting);
  brokers.store.writers.clear();
  const { stoodIn } = brokers.routers.get("a")!.counters;
  expect(await brokers.report("a", lost, 2)).toMatchObject({ reportsStored: lost.length });
  // The next of each report's list stores it now.
  const ring = ringOf(brokers.cluster.nodes.get("a")!.state.ring);
  expect(lost.map((host) => brokers.store.writers.get(host))).toEqual(
    lost.map((host) => [ring.ownersOf(host, startMs, 3)[1]]),
  );
  expect(brokers.routers.get("a")!.counters.stoodIn).toBe(stoodIn);
});

it.concurrent("a broker without room for another's reports refuses them, and the agent may send again", {
  timeout,
}, async ({ expect }) => {
  await using brokers = await Brokers.start(["a", "b"], 1);
  const theirs = hosts.filter((_, i) => brokers.owners(hosts)[i] === "b");
  const gate = Promise.withResolvers<void>();
  brokers.store.held.set("b", gate.promise);
  // What is larger than all room passes when nothing else is under way.
  const first = brokers.report("a", theirs.slice(0, 1));
  const second = await brokers.report("a", theirs.slice(1, 2));
  expect(second).toMatchObject({
    reportsStored: 0,
    retryDelayMs: 1_000,
    refusals: [{ message: expect.stringContaining("no room") }],
  });
  gate.resolve();
  expect(await first).toMatchObject({ reportsStored: 1 });
  expect(await brokers.report("a", theirs.slice(1, 2))).toMatchObject({ reportsStored: 1 });
});

it.concurrent("an owner that is slow holds up its own reports only, and is stood in for", {
  timeout,
}, async ({ expect }) => {
  await using brokers = await Brokers.start(["a", "b", "c"]);
  const owned = (owner: string): string[] => hosts.filter((_, i) => brokers.owners(hosts)[i] === owner);
  const gate = Promise.withResolvers<void>();
  brokers.store.held.set("b", gate.promise);
  const slow = brokers.report("a", owned("b"));
  for (let value = 2; value < 12; value++) {
    const outcome = await brokers.report("a", [...owned("a"), ...owned("c")], value);
    expect(outcome.refusals).toEqual([]);
  }
  expect(brokers.intakes.get("a")!.queued).toBe(0);
  // The forwarding gives up before the flush does.
  expect(await slow).toMatchObject({ reportsStored: owned("b").length });
  gate.resolve();
});
