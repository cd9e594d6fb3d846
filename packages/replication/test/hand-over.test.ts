import type { ClusterCommand } from "@mon/cluster";
import { blockMs, blockStart } from "@mon/store";
import { expect, it } from "vitest";
import { HandOver, type HandOverProgress, type Rings } from "../src/index.ts";
import { atMs, Bench, changing, report, ringsOf, silence } from "./support.ts";

const one = ringsOf("a", 1, 1);
const hostId = "web-1";
const startMs = blockStart(hostId, atMs);

/** A hand-over of one broker; what it proposes is noted. */
function handOverOf(bench: Bench, nodeId: string, retentionMs?: number): HandOver {
  const { book, server, copier, clock, proposed } = bench.broker(nodeId);
  const propose = async (command: ClusterCommand): Promise<void> => void proposed.push(command);
  const deps = { nodeId, book, server, copier, clock, propose, clusterTimeMs: () => atMs };
  return new HandOver(deps, { pageSize: 2, ...(retentionMs === undefined ? {} : { retentionMs }) });
}

function follow(bench: Bench, rings: Rings): void {
  for (const { book } of bench.brokers.values()) book.follow(rings);
}

/** "a" holds five hours of a host, and hands it to "b". */
async function ready(bench: Bench): Promise<void> {
  const fragments = Array.from({ length: 50 }, (_, i) =>
    report(hostId, startMs - (i % 5) * blockMs + i, i + 1),
  );
  await bench.settle(bench.broker("a").coordinator.write(fragments));
  follow(bench, changing(one, "b", { undrained: [] }));
}

it("R24: a source confirms only when nothing written under the old ring is under way, and takes nothing of it", async () => {
  const bench = new Bench("ab", one, { syncMs: () => 1_000 });
  const write = bench.broker("a").server.write({ epoch: 1, fragments: [report(hostId, atMs)] });
  await bench.advance(10);
  follow(bench, changing(one, "ab"));
  const late = bench.broker("a").server.write({ epoch: 1, fragments: [report(hostId, atMs + 1)] });
  const step = handOverOf(bench, "a").step();
  expect(await bench.settle(late)).toMatchObject({ status: "wrongEpoch", epoch: 2 });
  await bench.advance(900);
  expect(bench.broker("a").proposed).toEqual([]);
  expect(await bench.settle(step)).toBe("drained");
  expect(await bench.settle(write)).toMatchObject({ status: "ok" });
  expect(bench.broker("a").proposed).toMatchObject([{ kind: "drained", epoch: 2, nodeId: "a" }]);
});

it("R24: nothing is copied before all sources have confirmed", async () => {
  const bench = new Bench("ab", one);
  follow(bench, changing(one, "b"));
  expect(await bench.settle(handOverOf(bench, "b").step())).toBe("waiting");
  expect(bench.calls).toEqual([]);
});

it("R24: a target gets all that becomes its own, and says how much that was", async () => {
  const bench = new Bench("ab", one);
  await ready(bench);
  expect(await bench.settle(handOverOf(bench, "b").step())).toBe("copied");
  expect(bench.broker("b").store.names).toEqual(bench.broker("a").store.names);
  const bytes = 50 * report(hostId, startMs).bytes.length;
  expect(bench.broker("b").proposed).toMatchObject([
    { kind: "copied", epoch: 2, nodeId: "b", partitions: 5, bytes },
  ]);
});

it("R24: a copy that was broken off goes on where it was", async () => {
  const bench = new Bench("ab", one);
  await ready(bench);
  const { server } = bench.broker("a");
  let fetches = 0;
  bench.instead.set("a", {
    fetch: (request) => (++fetches > 3 ? Promise.reject(new Error("gone")) : server.fetch(request)),
  });
  await expect(bench.settle(handOverOf(bench, "b").step())).rejects.toMatchObject({
    code: "REPLICATION_PEER_SILENT",
  });
  const held = bench.broker("b").store.names.size;
  expect(held).toBeGreaterThan(0);
  bench.instead.clear();
  const handOver = handOverOf(bench, "b");
  await bench.settle(handOver.step());
  expect(handOver.progress!.bytes).toBe((50 - held) * report(hostId, startMs).bytes.length);
});

it("R24: a copy that is not what was announced is not taken for one", async () => {
  const bench = new Bench("ab", one);
  await ready(bench);
  const { server } = bench.broker("a");
  const { copier } = bench.broker("b");
  const pull = () => copier.pull("a", { partition: { hostId, blockStartMs: startMs }, epoch: 2 });
  bench.instead.set("a", {
    fetch: async (request) => {
      const reply = await server.fetch(request);
      return reply.status === "ok" ? { ...reply, value: reply.value.slice(1) } : reply;
    },
  });
  await expect(bench.settle(pull())).rejects.toMatchObject({ code: "REPLICATION_COPY_DIFFERS" });
  const other = report(hostId, startMs, 99);
  bench.instead.set("a", { fetch: async () => ({ status: "ok", epoch: 2, value: [other] }) });
  await expect(bench.settle(pull())).rejects.toMatchObject({ code: "REPLICATION_COPY_DIFFERS" });
  expect(bench.broker("b").store.has(other)).toBe(false);
  bench.instead.clear();
  await bench.settle(pull());
});

it("R24: with one copy a source that is away is waited for; with two, one is done without", async () => {
  const bench = new Bench("ab", one);
  await ready(bench);
  const unknown = (): never => {
    throw new Error("no such peer");
  };
  bench.instead.set("a", { partitions: unknown });
  const handOver = handOverOf(bench, "b");
  await expect(bench.settle(handOver.step())).rejects.toThrow(
    "expected all but 0 of the old holders to answer",
  );
  expect([handOver.progress?.absent, bench.broker("b").proposed]).toEqual([["a"], []]);

  const three = ringsOf("abc");
  const others = new Bench("abcd", three);
  follow(others, changing(three, "abcd", { undrained: [] }));
  others.instead.set("a", { partitions: silence });
  expect(await others.settle(handOverOf(others, "d").step())).toBe("copied");
  others.instead.set("b", { partitions: silence });
  await expect(others.settle(handOverOf(others, "d").step())).rejects.toThrow("without a, b");
});

it("R26: what is past retention is not copied", async () => {
  const bench = new Bench("ab", one);
  await ready(bench);
  await bench.settle(handOverOf(bench, "b", 3 * blockMs).step());
  expect(bench.broker("b").proposed).toMatchObject([{ partitions: 4 }]);
});

it("copying keeps its rate, and tells how far it is", async () => {
  const bench = new Bench("ab", one, { bytesPerSecond: 200 });
  await ready(bench);
  const bytes = 50 * report(hostId, startMs).bytes.length;
  const beganMs = bench.loop.now;
  const handOver = handOverOf(bench, "b");
  const step = handOver.step();
  await bench.advance(2_000);
  const early = handOver.progress as HandOverProgress;
  expect(early.bytes).toBeLessThanOrEqual(200 * 3 + 100);
  expect(early.partitions).toBeLessThan(early.partitionsTotal);
  expect(early.leftMs).toBeGreaterThan(0);
  expect(await bench.settle(step)).toBe("copied");
  const elapsedMs = bench.loop.now - beganMs;
  // A second's worth is saved up at first.
  expect(elapsedMs).toBeGreaterThanOrEqual(((bytes - 200) / 200) * 1_000 - 1);
  expect(elapsedMs).toBeLessThan((bytes / 200) * 1_000 + 500);
  expect(handOver.progress).toMatchObject({
    partitions: 5,
    partitionsTotal: 5,
    bytes,
    leftMs: 0,
    absent: [],
  });
});
