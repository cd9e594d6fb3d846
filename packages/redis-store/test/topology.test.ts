import { expect, test } from "vitest";
import { slotOf, tagOf } from "../src/servers/slot.ts";
import { singleShard, type Topology, topologyFromNodes } from "../src/servers/topology.ts";
import { TopologyKeeper } from "../src/servers/topology-keeper.ts";

test("CLUSTER NODES gives primaries by slots, with replicas that can be reached", () => {
  const text = [
    "07c3 127.0.0.1:30004@31004 slave e7d1 0 1426238317239 4 connected",
    "67ed 127.0.0.1:30002@31002,host-2 master - 0 1426238316232 2 connected 5461-10922 [93-<-292f]",
    "292f 10.0.0.3:30003@31003 master - 0 1426238318243 3 connected 10923-16383 0",
    "6ec2 127.0.0.1:30005@31005 slave,fail 67ed 1426238316232 1426238316232 5 disconnected",
    "824f :30006@31006 slave 292f 0 1426238317741 6 connected",
    "e7d1 :30001@31001 myself,master - 0 0 1 connected 1-5460 [1->-67ed]",
    "aaaa 127.0.0.1:30007@31007 master - 0 0 0 connected",
    "bbbb :0@0 master,noaddr - 0 0 9 disconnected 16384",
    "",
  ].join("\n");
  expect(topologyFromNodes(text, "asked", 9)).toEqual({
    epoch: 9,
    shards: [
      {
        primary: { host: "asked", port: 30_001 },
        replicas: [{ host: "127.0.0.1", port: 30_004 }],
        slots: [[1, 5460]],
        epoch: 1,
      },
      { primary: { host: "127.0.0.1", port: 30_002 }, replicas: [], slots: [[5461, 10_922]], epoch: 2 },
      {
        primary: { host: "10.0.0.3", port: 30_003 },
        replicas: [],
        slots: [
          [0, 0],
          [10_923, 16_383],
        ],
        epoch: 3,
      },
    ].sort((a, b) => a.slots[0]![0]! - b.slots[0]![0]!),
  });
});

test("the CRC is XMODEM's, and each slot has a tag", () => {
  expect(slotOf("123456789")).toBe(0x31c3);
  for (let slot = 0; slot < 16_384; slot += 97) expect(slotOf(tagOf(slot))).toBe(slot);
});

test("a view that is older than the last is dropped, and hints lead to one question at a time", async () => {
  const answers: PromiseWithResolvers<Topology>[] = [];
  const source = {
    discover: () => {
      const answer = Promise.withResolvers<Topology>();
      answers.push(answer);
      return answer.promise;
    },
    close: () => {},
  };
  const seen: number[] = [];
  let taken = Promise.withResolvers<void>();
  const times = { refreshIntervalMs: 60_000, hintGapMs: 0, answerTimeoutMs: 60_000 };
  const keeper = new TopologyKeeper(source, times, ({ epoch }) => {
    seen.push(epoch);
    taken.resolve();
  });
  const shard = (epoch: number) => singleShard({ host: "a", port: 1 }, [], epoch);
  const asked = async (count: number) => {
    while (answers.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  const started = keeper.start();
  answers[0]!.resolve(shard(5));
  await started;
  keeper.hint();
  keeper.hint();
  await asked(2);
  keeper.hint();
  answers[1]!.resolve(shard(4));
  await asked(3);
  expect(seen).toEqual([5]);
  taken = Promise.withResolvers();
  answers[2]!.resolve(shard(6));
  await taken.promise;
  expect(seen).toEqual([5, 6]);
  expect(answers).toHaveLength(3);
  keeper.close();
  keeper.hint();
  expect(answers).toHaveLength(3);
});

test("an answer that does not come holds up no other question, and counts when it comes late", async () => {
  const answers: PromiseWithResolvers<Topology>[] = [];
  const source = {
    discover: () => {
      const answer = Promise.withResolvers<Topology>();
      answers.push(answer);
      return answer.promise;
    },
    close: () => {},
  };
  const seen: number[] = [];
  const times = { refreshIntervalMs: 60_000, hintGapMs: 0, answerTimeoutMs: 1 };
  const keeper = new TopologyKeeper(source, times, ({ epoch }) => seen.push(epoch));
  const started = keeper.start();
  answers[0]!.resolve(singleShard({ host: "a", port: 1 }, [], 1));
  await started;
  keeper.hint();
  while (answers.length < 3) await new Promise((resolve) => setImmediate(resolve));
  answers[1]!.resolve(singleShard({ host: "b", port: 1 }, [], 2));
  await answers[1]!.promise;
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual([1, 2]);
  keeper.close();
});
