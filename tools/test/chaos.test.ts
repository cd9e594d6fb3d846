import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Disk } from "../chaos/raft/disk.ts";
import { cutsOf, drawSchedule, type Fault, type FaultKind, faultKinds } from "../chaos/raft/fault.ts";
import { History } from "../chaos/raft/history.ts";
import { Namespaces } from "../chaos/raft/namespaces.ts";
import type { Network } from "../chaos/raft/network.ts";
import { failureOf, type RoundOptions, runRound } from "../chaos/raft/round.ts";

describe("a schedule of faults", () => {
  const options = { members: 6, durationMs: 60_000, kinds: faultKinds };

  it("is that of its seed", () => {
    expect(drawSchedule({ ...options, seed: 7 })).toEqual(drawSchedule({ ...options, seed: 7 }));
    expect(drawSchedule({ ...options, seed: 7 })).not.toEqual(drawSchedule({ ...options, seed: 8 }));
  });

  it("has every kind that can be had, and no other", () => {
    const drawn = (kinds: readonly FaultKind[]) =>
      new Set(
        [1, 2, 3, 4, 5].flatMap((seed) => drawSchedule({ ...options, kinds, seed }).map(({ kind }) => kind)),
      );
    expect(drawn(faultKinds)).toEqual(new Set(faultKinds));
    expect(drawn(["kill", "pause"])).toEqual(new Set(["kill", "pause"]));
  });

  it("cuts one direction only where a member is mute or deaf", () => {
    const ids = ["a", "b", "c"];
    expect(cutsOf("mute", ids, ["b"])).toEqual([
      ["b", "a"],
      ["b", "c"],
    ]);
    expect(cutsOf("deaf", ids, ["b"])).toEqual([
      ["a", "b"],
      ["c", "b"],
    ]);
    expect(cutsOf("isolated", ids, ["b"])).toHaveLength(4);
    expect(cutsOf("halves", ["a", "b", "c", "d"], ["b", "d"])).toHaveLength(8);
    expect(cutsOf("ring", ["a", "b", "c", "d", "e"], ["a"])).toHaveLength(10);
  });
});

describe("a history", () => {
  const put = { kind: "put", value: "1" } as const;
  const get = { kind: "get" } as const;

  it("in which a get misses an acknowledged put is illegal, by its order and by its revisions", () => {
    const history = new History();
    history.add("by order", { input: put, output: true, calledAt: 0, returnedAt: 1 });
    history.add("by order", { input: get, output: null, calledAt: 2, returnedAt: 3 });
    history.add("by revision", { input: put, output: true, calledAt: 0, returnedAt: 1, revision: 2 });
    history.add("by revision", { input: get, output: "1", calledAt: 2, returnedAt: 3, revision: 1.5 });
    expect(history.check()).toEqual({ keys: 2, illegal: ["by order", "by revision"], unknown: [] });
  });

  it("in which a put of unknown outcome shows, or not, or late, is legal; one that goes again is not", () => {
    const history = new History();
    const seen = (key: string, outputs: readonly (string | null)[]) => {
      history.add(key, { input: put, output: undefined, calledAt: 0, returnedAt: 1 });
      for (const [at, output] of outputs.entries()) {
        history.add(key, { input: get, output, calledAt: 2 * at + 2, returnedAt: 2 * at + 3 });
      }
    };
    seen("at once", ["1", "1"]);
    seen("never", [null, null]);
    seen("late", [null, "1"]);
    seen("gone again", ["1", null]);
    expect(history.check()).toEqual({ keys: 4, illegal: ["gone again"], unknown: [] });
  });

  it("in which only a put that nobody saw explains why a compareAndSet was refused is legal", () => {
    const history = new History();
    const swap = { kind: "compareAndSet", value: "2", expected: null } as const;
    history.add("key", { input: put, output: undefined, calledAt: 0, returnedAt: 1 });
    history.add("key", { input: swap, output: false, calledAt: 2, returnedAt: 3 });
    expect(history.check()).toEqual({ keys: 1, illegal: [], unknown: [] });
  });
});

describe("real processes", () => {
  let directory: string;
  let network: Network["kind"];
  let canFillDisks: boolean;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), "mon-chaos-test-"));
    network = (await Namespaces.isPossible()) ? "namespaces" : "proxies";
    canFillDisks = await Disk.canBeSmall();
  });
  afterAll(async () => await rm(directory, { recursive: true }));

  const fault = (kind: FaultKind, atMs: number, durationMs: number, more: Partial<Fault> = {}): Fault => ({
    kind,
    atMs,
    durationMs,
    hitsLeader: true,
    victims: [0],
    shape: "isolated",
    ...more,
  });
  const round = async (seed: number, schedule: readonly Fault[], more: Partial<RoundOptions> = {}) => {
    const said: string[] = [];
    const options = { seed, schedule, nodes: 3, durationMs: 4_000, directory, network, kinds: faultKinds };
    const result = await runRound({ ...options, log: (line) => said.push(line), ...more });
    return { result, said: said.join("\n") };
  };

  it("that are cut off, killed, paused, moved and filled up while clients use them: nothing but what is right", async () => {
    const { result, said } = await round(1, [
      fault("partition", 300, 1_000),
      fault("membership", 1_400, 0),
      fault("kill", 1_900, 600),
      ...(canFillDisks ? [fault("full-disk", 2_400, 500)] : []),
      fault("pause", 3_100, 700),
      fault("transfer", 3_900, 0),
    ]);
    expect(failureOf(result), said).toBeUndefined();
    expect(result.done).toBeGreaterThan(100);
    expect(result.term).toBeGreaterThan(2);
    expect(Object.keys(result.faults)).toEqual(expect.arrayContaining(["kill", "partition", "pause"]));
    expect(await readdir(directory)).toEqual(["compile-cache"]);
  }, 180_000);

  it("of which a leader that is cut off answers gets by itself are caught", async () => {
    const { result } = await round(2, [fault("partition", 400, 1_800)], { plant: "stale-get" });
    expect(result.illegal).not.toEqual([]);
    expect(result.alarms).toEqual([]);
    await rm(path.join(directory, "round-2"), { recursive: true });
  }, 180_000);

  it("that answer writes before they are committed are caught by the other network, too", async () => {
    const { result } = await round(3, [fault("kill", 500, 500)], { plant: "early-ack", network: "proxies" });
    expect(result.illegal).not.toEqual([]);
    await rm(path.join(directory, "round-3"), { recursive: true });
  }, 180_000);
});
