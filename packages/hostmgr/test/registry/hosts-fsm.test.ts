import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeHostsCommand,
  type HostRecord,
  type HostState,
  type HostsCommand,
  HostsFsm,
} from "../../src/index.ts";

const record = (key: string, more: Partial<HostRecord> = {}): HostRecord => ({
  key,
  hostId: key,
  addresses: ["10.0.0.1:7410"],
  labels: new Map([["zone", "a"]]),
  sources: [{ source: "file", isLeased: false }],
  agentVersion: "0.1.0",
  state: "healthy",
  sinceMs: 5,
  reason: "all checks pass",
  isBeating: true,
  isFlapping: false,
  maintenance: undefined,
  ...more,
});

const entry = (data: Uint8Array) => ({ index: 1, term: 1, type: "command" as const, data, timestampMs: 0 });
const apply = (fsm: HostsFsm, ...commands: HostsCommand[]) =>
  fsm.apply(commands.map((command) => entry(encodeHostsCommand(command))) as never);

async function* chunksOf(fsm: HostsFsm) {
  yield* fsm.snapshot().chunks();
}

async function copyOf(fsm: HostsFsm): Promise<HostsFsm> {
  const copy = new HostsFsm();
  await copy.restore(chunksOf(fsm));
  return copy;
}

const arbitraryRecord: fc.Arbitrary<HostRecord> = fc.record({
  key: fc.constantFrom("a", "b", "c", "[10.0.0.1:1]"),
  hostId: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
  addresses: fc.array(fc.string({ maxLength: 20 }), { maxLength: 3 }),
  labels: fc
    .array(fc.tuple(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 })), { maxLength: 3 })
    .map((each) => new Map(each)),
  sources: fc.uniqueArray(
    fc.record({ source: fc.constantFrom("api", "file", "report"), isLeased: fc.boolean() }),
    {
      selector: ({ source }) => source,
    },
  ),
  agentVersion: fc.option(fc.string({ maxLength: 5 }), { nil: undefined }),
  state: fc.constantFrom<HostState>("healthy", "down", "degraded"),
  sinceMs: fc.nat(100),
  reason: fc.string({ maxLength: 20 }),
  isBeating: fc.boolean(),
  isFlapping: fc.boolean(),
  maintenance: fc.option(
    fc.record({
      untilMs: fc.option(fc.nat(9), { nil: undefined }),
      by: fc.string({ maxLength: 5 }),
      reason: fc.string({ maxLength: 5 }),
    }),
    { nil: undefined },
  ),
});
const arbitraryCommand: fc.Arbitrary<HostsCommand> = fc.record({
  atMs: fc.nat(20),
  put: fc.array(arbitraryRecord, { maxLength: 3 }),
  forget: fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 1 }),
});

describe("the hosts that are agreed on", () => {
  it("are put, changed and forgotten", () => {
    const told: unknown[] = [];
    const fsm = new HostsFsm((keys) => told.push(keys));
    expect(apply(fsm, { atMs: 1, put: [record("a"), record("b")], forget: [] })).toEqual([
      { ok: true, changed: 2, stale: 0, full: 0 },
    ]);
    expect(fsm.record("a")).toEqual(record("a"));
    apply(fsm, { atMs: 2, put: [record("a", { state: "down" })], forget: ["b"] });
    expect([fsm.size, fsm.record("a")?.state, fsm.record("b")]).toEqual([1, "down", undefined]);
    expect(told).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
  });

  it("are as the later word says, in whatever order words come", () => {
    const fsm = new HostsFsm();
    const put = (atMs: number, state: HostState) =>
      apply(fsm, { atMs, put: [record("a", { state })], forget: [] });
    put(5, "down");
    expect(put(4, "healthy")).toEqual([{ ok: true, changed: 0, stale: 1, full: 0 }]);
    expect(apply(fsm, { atMs: 4, put: [], forget: ["a"] })).toMatchObject([{ stale: 1 }]);
    expect(fsm.record("a")?.state).toBe("down");
  });

  it("are the same after the same commands, and after a snapshot of them, by hash and by content", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryCommand, { maxLength: 10 }), async (commands) => {
        const [one, other] = [new HostsFsm(), new HostsFsm()];
        apply(one, ...commands);
        for (const command of commands) apply(other, command);
        const copy = await copyOf(one);
        expect([other.hash(), copy.hash()]).toEqual([one.hash(), one.hash()]);
        const sorted = (fsm: HostsFsm) => [...fsm.records()].sort((a, b) => (a.key < b.key ? -1 : 1));
        expect(sorted(copy)).toEqual(sorted(one));
        // What follows is the same, too: the times of words are in the image.
        const next: HostsCommand = { atMs: 10, put: [record("a")], forget: ["b"] };
        expect(apply(copy, next)).toEqual(apply(one, next));
        expect(copy.hash()).toBe(one.hash());
      }),
      { numRuns: 300 },
    );
  });

  it("differ in their hash when they differ in anything", () => {
    const hashOf = (each: HostRecord, atMs = 1): string => {
      const fsm = new HostsFsm();
      apply(fsm, { atMs, put: [each], forget: [] });
      return fsm.hash();
    };
    const all = [
      record("a"),
      record("b"),
      record("a", { state: "down" }),
      record("a", { isFlapping: true }),
      record("a", { isBeating: false }),
      record("a", { labels: new Map() }),
      record("a", { sources: [{ source: "file", isLeased: true }] }),
      record("a", { maintenance: { untilMs: 1, by: "", reason: "" } }),
    ].map((each) => hashOf(each));
    expect(new Set([...all, hashOf(record("a"), 2), new HostsFsm().hash()]).size).toBe(all.length + 2);
  });

  it.each([
    "",
    "{}",
    "[1]",
    '[1,1,[["a"]],[]]',
    "[1,1,[],[7]]",
    `[1,1,[],${JSON.stringify(Array(1_001).fill("a"))}]`,
  ])("are left alone by what is no command: %.20s", (text) => {
    const fsm = new HostsFsm();
    expect(fsm.apply([entry(Buffer.from(text))] as never)).toMatchObject([{ ok: false }]);
    expect(fsm.hash()).toBe(new HostsFsm().hash());
  });

  it("stop a member that is too old to read a command", () => {
    expect(() => new HostsFsm().apply([entry(Buffer.from("[2,1,[],[]]"))] as never)).toThrow(
      "upgrade this one",
    );
  });

  it("stay as they are when an image is damaged", async () => {
    const fsm = new HostsFsm();
    apply(fsm, { atMs: 1, put: [record("a")], forget: [] });
    async function* damaged() {
      yield Buffer.from('{"version":1}\n[1,["b"]]\n');
    }
    await expect(fsm.restore(damaged())).rejects.toThrow("expected a record of a host");
    expect(fsm.record("a")).toBeDefined();
  });

  it("are imaged while they change", async () => {
    const fsm = new HostsFsm();
    apply(fsm, { atMs: 1, put: [record("a")], forget: [] });
    const snapshot = fsm.snapshot();
    apply(fsm, { atMs: 2, put: [record("b")], forget: ["a"] });
    const copy = new HostsFsm();
    await copy.restore(
      (async function* () {
        yield* snapshot.chunks();
      })(),
    );
    expect([...copy.records()].map(({ key }) => key)).toEqual(["a"]);
  });
});
