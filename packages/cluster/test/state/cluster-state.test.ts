import type { Entry } from "@mon/raft";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ClusterCommand,
  ClusterFsm,
  type ClusterState,
  encodeCommand,
  type MemberFacts,
} from "../../src/index.ts";

const parameters = {
  vnodes: 150,
  hash: "crc32-fmix32",
  seed: 0,
  shardBucketMs: 3_600_000,
  replicationFactor: 2,
};

function facts(nodeId: string, more: Partial<MemberFacts> = {}): MemberFacts {
  const doors = { agentAddress: "127.0.0.1:7400", peerAddress: "127.0.0.1:7401" };
  return {
    nodeId,
    ...doors,
    zone: "",
    weight: 1,
    version: "0.1.0",
    incarnation: `disk of ${nodeId}`,
    ...more,
  };
}

function entry(index: number, data: Uint8Array): Entry {
  return { index, term: 1, type: "command", data, timestampMs: 0 };
}

/** A command; at the epoch unless told. */
type Told = ClusterCommand extends infer Each
  ? Each extends ClusterCommand
    ? Omit<Each, "atMs"> & { atMs?: number }
    : never
  : never;

/** A cluster's state machine, and who tells it what. */
class Cluster {
  readonly fsm = new ClusterFsm();
  #index = 0;

  constructor(scope: "shared" | "local", members = "a") {
    this.do({ kind: "form", clusterId: "c1", scope, member: facts(members[0]!), parameters });
    for (const nodeId of members.slice(1)) {
      this.do({ kind: "join", clusterId: "c1", member: facts(nodeId) });
      this.do({ kind: "activate", nodeId });
      this.handOver();
    }
  }

  get state(): ClusterState {
    return this.fsm.state;
  }

  /** @returns "ok", or the code of the refusal */
  do(command: Told): string {
    const bytes = encodeCommand({ atMs: 0, ...command });
    const [outcome] = this.fsm.apply([entry(++this.#index, bytes)]);
    return outcome!.ok ? "ok" : outcome!.code;
  }

  /** Does all of the hand-over that is pending, if any. */
  handOver(): void {
    const { change } = this.state;
    if (change === undefined) return;
    const { epoch } = change.ring;
    for (const nodeId of change.undrained) this.do({ kind: "drained", epoch, nodeId });
    for (const nodeId of change.uncopied) this.do({ kind: "copied", epoch, nodeId, partitions: 1, bytes: 1 });
  }

  ring(): string {
    const { epoch, members, parameters: inForce } = this.state.ring;
    return `${epoch}: ${members.map(({ id }) => id).join("")} ×${inForce.replicationFactor}`;
  }

  states(): string {
    return [...this.state.members.values()].map(({ nodeId, state }) => `${nodeId} ${state}`).join(", ");
  }
}

describe("a cluster", () => {
  it("is formed once", () => {
    const cluster = new Cluster("shared");
    expect([cluster.ring(), cluster.states()]).toEqual(["1: a ×2", "a active"]);
    const again = cluster.do({
      kind: "form",
      clusterId: "c2",
      scope: "shared",
      member: facts("b"),
      parameters,
    });
    expect([again, cluster.state.clusterId]).toEqual(["CLUSTER_ALREADY_FORMED", "c1"]);
  });

  it("does nothing before", () => {
    const fsm = new ClusterFsm();
    const [outcome] = fsm.apply([entry(1, encodeCommand({ kind: "leave", nodeId: "a", atMs: 0 }))]);
    expect(outcome).toMatchObject({ ok: false, code: "CLUSTER_NOT_FORMED" });
  });

  it("changes its ring at once in shared scope", () => {
    const cluster = new Cluster("shared", "abc");
    expect(cluster.ring()).toBe("3: abc ×2");
    cluster.do({ kind: "leave", nodeId: "b" });
    expect([cluster.ring(), cluster.states()]).toEqual(["4: ac ×2", "a active, b left, c active"]);
    expect(cluster.state.past).toEqual([]);
  });
});

describe("a broker that joins", () => {
  it("has no share until it is activated", () => {
    const cluster = new Cluster("shared");
    cluster.do({ kind: "join", clusterId: "c1", member: facts("b") });
    expect([cluster.ring(), cluster.states()]).toEqual(["1: a ×2", "a active, b joining"]);
  });

  it("is refused with another cluster's id, another disk, or a version two away", () => {
    const cluster = new Cluster("shared", "ab");
    const join = (clusterId: string, member: MemberFacts) => cluster.do({ kind: "join", clusterId, member });
    expect(join("c9", facts("x"))).toBe("CLUSTER_MISMATCH");
    expect(join("c1", facts("b", { incarnation: "wiped" }))).toBe("CLUSTER_OTHER_INCARNATION");
    expect(join("c1", facts("x", { version: "0.3.0" }))).toBe("CLUSTER_VERSION_MISMATCH");
    expect(join("c1", facts("x", { version: "1.1.0" }))).toBe("CLUSTER_VERSION_MISMATCH");
    expect(join("c1", facts("x", { version: "0.2.7" }))).toBe("ok");
    // With one of 0.2 there, one of 0.0 would be two away.
    expect(join("c1", facts("y", { version: "0.0.9" }))).toBe("CLUSTER_VERSION_MISMATCH");
  });

  it("may come back with another disk once it has left", () => {
    const cluster = new Cluster("shared", "abc");
    cluster.do({ kind: "leave", nodeId: "b" });
    expect(cluster.do({ kind: "join", clusterId: "c1", member: facts("b", { incarnation: "new" }) })).toBe(
      "ok",
    );
    expect(cluster.state.members.get("b")).toMatchObject({ state: "joining", incarnation: "new" });
  });

  it("uses its join token up", () => {
    const cluster = new Cluster("shared");
    const id = "0123456789abcdef";
    cluster.do({ kind: "addJoinToken", id, secretHash: "0".repeat(64), expiresAtMs: 1_000 });
    const join = (nodeId: string, atMs: number) =>
      cluster.do({ kind: "join", clusterId: "c1", member: facts(nodeId), joinTokenId: id, atMs });
    expect([join("b", 1_000), join("b", 999), join("c", 999)]).toEqual([
      "CLUSTER_TOKEN_INVALID",
      "ok",
      "CLUSTER_TOKEN_INVALID",
    ]);
  });
});

describe("a hand-over in local scope (R24)", () => {
  it("is pending until all sources have drained and all members have what is theirs", () => {
    const cluster = new Cluster("local", "ab");
    cluster.do({ kind: "join", clusterId: "c1", member: facts("c") });
    cluster.do({ kind: "activate", nodeId: "c" });
    expect(cluster.ring()).toBe("2: ab ×1");
    expect(cluster.state.change).toMatchObject({
      ring: { epoch: 3 },
      undrained: ["a", "b"],
      uncopied: ["a", "b", "c"],
    });
    expect(cluster.do({ kind: "copied", epoch: 3, nodeId: "c", partitions: 9, bytes: 9 })).toBe(
      "CLUSTER_WRONG_STATE",
    );
    cluster.handOver();
    expect(cluster.ring()).toBe("3: abc ×2");
    expect(cluster.state.past.at(-1)).toMatchObject({ ring: { epoch: 2 }, uncleared: ["a", "b"] });
  });

  it("is how one copy becomes two, at the third broker, and two become one", () => {
    const cluster = new Cluster("local", "abc");
    expect(cluster.ring()).toBe("3: abc ×2");
    cluster.do({ kind: "leave", nodeId: "a" });
    cluster.handOver();
    expect([cluster.ring(), cluster.states()]).toEqual(["4: bc ×1", "a left, b active, c active"]);
  });

  it("is one at a time, the others wait in order", () => {
    const cluster = new Cluster("local", "abc");
    for (const nodeId of ["d", "e"]) {
      cluster.do({ kind: "join", clusterId: "c1", member: facts(nodeId) });
      cluster.do({ kind: "activate", nodeId });
    }
    cluster.do({ kind: "leave", nodeId: "a" });
    expect(cluster.state.wishes).toHaveLength(2);
    const rings = [1, 2, 3].map(() => {
      cluster.handOver();
      return cluster.ring();
    });
    expect(rings).toEqual(["4: abcd ×2", "5: abcde ×2", "6: bcde ×2"]);
    expect(cluster.state).toMatchObject({ change: undefined, wishes: [] });
  });

  it("that is aborted leaves the ring as it was, under a new epoch, and its own as past", () => {
    const cluster = new Cluster("local", "abc");
    cluster.do({ kind: "leave", nodeId: "a" });
    expect(cluster.do({ kind: "abort", epoch: 3, reason: "too slow" })).toBe("CLUSTER_WRONG_EPOCH");
    expect(cluster.do({ kind: "abort", epoch: 4, reason: "too slow" })).toBe("ok");
    expect([cluster.ring(), cluster.states()]).toEqual(["5: abc ×2", "a active, b active, c active"]);
    expect(cluster.state.past.at(-1)).toMatchObject({ ring: { epoch: 4 }, uncleared: ["b", "c"] });
  });

  it("does not wait for a member that is down to drain, and goes on when one is removed", () => {
    const cluster = new Cluster("local", "abcd");
    cluster.do({ kind: "markDown", nodeId: "d" });
    cluster.do({ kind: "leave", nodeId: "a" });
    expect(cluster.state.change?.undrained).toEqual(["a", "b", "c"]);
    cluster.do({ kind: "markDown", nodeId: "c" });
    cluster.do({ kind: "remove", nodeId: "c" });
    expect(cluster.state.change?.undrained).toEqual(["a", "b"]);
  });

  it("that removes a dead member does not wait for it", () => {
    const cluster = new Cluster("local", "abcd");
    cluster.do({ kind: "markDown", nodeId: "d" });
    cluster.do({ kind: "remove", nodeId: "d" });
    expect(cluster.state.change?.undrained).toEqual(["a", "b", "c"]);
    cluster.handOver();
    expect([cluster.ring(), cluster.states()]).toEqual(["5: abc ×2", "a active, b active, c active, d left"]);
  });

  it("is cleared member by member; until then reads ask the past ring too (R23)", () => {
    const cluster = new Cluster("local", "abc");
    const { past } = cluster.state;
    for (const { ring, uncleared } of past) {
      for (const nodeId of uncleared) cluster.do({ kind: "cleared", epoch: ring.epoch, nodeId });
    }
    expect([past.length > 0, cluster.state.past]).toEqual([true, []]);
  });

  it("is not wanted for what would move all data", () => {
    const cluster = new Cluster("local", "ab");
    const bad = cluster.do({
      kind: "setParameters",
      parameters: { ...parameters, shardBucketMs: 7_200_000 },
    });
    expect(bad).toBe("CLUSTER_MALFORMED");
    expect(cluster.do({ kind: "setParameters", parameters: { ...parameters, replicationFactor: 3 } })).toBe(
      "ok",
    );
  });
});

describe("a member", () => {
  it("that leaves may be called back while it waits", () => {
    const cluster = new Cluster("local", "abcd");
    cluster.do({ kind: "leave", nodeId: "a" });
    cluster.do({ kind: "leave", nodeId: "b" });
    expect(cluster.do({ kind: "return", nodeId: "a" })).toBe("CLUSTER_WRONG_STATE");
    expect(cluster.do({ kind: "return", nodeId: "b" })).toBe("ok");
    cluster.handOver();
    expect(cluster.ring()).toBe("5: bcd ×2");
  });

  it("that is down keeps its share, and is itself again with its own disk only", () => {
    const cluster = new Cluster("shared", "abc");
    cluster.do({ kind: "markDown", nodeId: "b" });
    expect([cluster.ring(), cluster.states()]).toEqual(["3: abc ×2", "a active, b down, c active"]);
    const up = (incarnation: string) => cluster.do({ kind: "markUp", nodeId: "b", incarnation });
    expect([up("wiped"), up("disk of b")]).toEqual(["CLUSTER_OTHER_INCARNATION", "ok"]);
  });

  it("that is the last cannot go", () => {
    const cluster = new Cluster("shared", "ab");
    cluster.do({ kind: "markDown", nodeId: "b" });
    expect(cluster.do({ kind: "leave", nodeId: "a" })).toBe("CLUSTER_LAST_MEMBER");
  });
});

describe("tokens", () => {
  it("are added, found again in the state, and revoked", () => {
    const cluster = new Cluster("shared");
    const token = {
      id: "00000000000000aa",
      secretHash: "f".repeat(64),
      role: "agent",
      hostPattern: "web-*",
    } as const;
    expect(cluster.do({ kind: "addToken", ...token })).toBe("ok");
    expect(cluster.state.tokens.get(token.id)).toMatchObject({ role: "agent", hostPattern: "web-*" });
    expect(cluster.do({ kind: "addToken", ...token, hostPattern: "{}" })).toBe("CLUSTER_MALFORMED");
    expect(cluster.do({ kind: "revokeToken", id: token.id })).toBe("ok");
    expect(cluster.do({ kind: "revokeToken", id: token.id })).toBe("CLUSTER_TOKEN_INVALID");
  });
});

describe("commands", () => {
  it("of a newer version stop a member that cannot know what they mean", () => {
    const newer = Buffer.from(JSON.stringify({ version: 2, command: { kind: "explode" } }));
    expect(() => new ClusterFsm().apply([entry(1, newer)])).toThrow(
      "expected a command of version 1 at most, got 2: a newer broker wrote it, upgrade this one",
    );
  });

  it("that are nonsense are refused before they are proposed, and passed over after", () => {
    expect(() => encodeCommand({ kind: "leave", nodeId: "a b", atMs: 0 })).toThrow(
      /expected a command, got nodeId: /,
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => Buffer.from(json)),
        ),
        (bytes) => {
          const [outcome] = new ClusterFsm().apply([entry(1, bytes)]);
          expect(outcome).toMatchObject({ ok: false, code: "CLUSTER_MALFORMED" });
        },
      ),
    );
  });
});

describe("after any commands", () => {
  const nodeId = fc.constantFrom("a", "b", "c", "d", "e");
  const epoch = fc.integer({ min: 1, max: 12 });
  const kinds = ["activate", "leave", "return", "markDown", "remove"] as const;
  const command = fc.oneof(
    fc.record({
      kind: fc.constant("join" as const),
      clusterId: fc.constant("c1"),
      member: nodeId.map((id) => facts(id)),
    }),
    fc.record({ kind: fc.constantFrom(...kinds), nodeId }),
    fc.record({
      kind: fc.constant("markUp" as const),
      nodeId,
      incarnation: nodeId.map((id) => `disk of ${id}`),
    }),
    fc.record({ kind: fc.constant("drained" as const), nodeId, epoch }),
    fc.record({
      kind: fc.constant("copied" as const),
      nodeId,
      epoch,
      partitions: fc.nat(9),
      bytes: fc.nat(9),
    }),
    fc.record({ kind: fc.constant("abort" as const), epoch, reason: fc.constant("") }),
    fc.constant("hand over" as const),
  );
  const run = fc.tuple(
    fc.constantFrom("shared" as const, "local" as const),
    fc.array(command, { maxLength: 80 }),
  );

  it("the epoch never goes back, a ring has members with a share only, and none with one is left out", () => {
    fc.assert(
      fc.property(run, ([scope, commands]) => {
        const cluster = new Cluster(scope, "ab");
        for (const each of commands) {
          const before = cluster.state;
          if (each === "hand over") cluster.handOver();
          else cluster.do(each as ClusterCommand);
          const { ring, change, members, wishes, past } = cluster.state;
          expect(ring.epoch).toBeGreaterThanOrEqual(before.ring.epoch);
          expect(ring.members.length).toBeGreaterThan(0);
          for (const { id } of ring.members) {
            expect([id, members.get(id)?.state]).toEqual([
              id,
              expect.stringMatching(/^(active|down|leaving)$/),
            ]);
          }
          if (change === undefined) {
            expect(wishes).toEqual([]);
            const shares = [...members.values()].filter(
              ({ state }) => state === "active" || state === "down",
            );
            expect(ring.members.map(({ id }) => id)).toEqual(shares.map(({ nodeId: id }) => id).sort());
          } else {
            expect(change.ring.epoch).toBe(ring.epoch + 1);
          }
          const epochs = past.map((old) => old.ring.epoch);
          expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
          expect(Math.max(0, ...epochs)).toBeLessThan(ring.epoch);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("a member that got a snapshot in between has the same fingerprint", async () => {
    await fc.assert(
      fc.asyncProperty(run, fc.nat(80), async ([scope, commands], at) => {
        const cluster = new Cluster(scope, "ab");
        const late = new ClusterFsm();
        let isThere = false;
        for (const [i, each] of commands.entries()) {
          if (i === at) {
            const chunks = [...(cluster.fsm.snapshot().chunks() as Iterable<Uint8Array>)];
            await late.restore(
              (async function* () {
                yield* chunks;
              })(),
            );
            isThere = true;
          }
          if (each === "hand over") continue;
          const bytes = encodeCommand({ atMs: i, ...each } as ClusterCommand);
          cluster.fsm.apply([entry(i, bytes)]);
          if (isThere) late.apply([entry(i, bytes)]);
        }
        if (isThere) expect(late.hash()).toBe(cluster.fsm.hash());
      }),
      { numRuns: 200 },
    );
  });
});
