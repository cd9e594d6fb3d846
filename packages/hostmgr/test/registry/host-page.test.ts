import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Host, type HostOrder, type HostQuery, HostRegistry, pageOf } from "../../src/index.ts";

/** 40 hosts: every third is down, every fifth in maintenance. */
function hosts(): Host[] {
  const registry = new HostRegistry();
  for (let i = 0; i < 40; i++) {
    const hostId = `host-${String(i).padStart(2, "0")}`;
    const labels = new Map([["zone", `z${i % 4}`]]);
    const source = i % 2 === 0 ? "file" : "report";
    registry.see({
      source,
      hostId,
      address: `10.0.0.${i}:1`,
      labels,
      agentVersion: `1.${i % 3}.0`,
      atMs: i % 7,
    });
    for (let run = 0; run < 3; run++) {
      const result = {
        checkId: "c",
        status: i % 3 === 0 ? "critical" : "passing",
        atMs: run,
        durationMs: 1,
        output: "",
      } as const;
      registry.checked(hostId, result);
    }
    if (i % 5 === 0) registry.maintain(hostId, { untilMs: undefined, by: "me", reason: "" });
  }
  registry.judge(10);
  return [...registry.hosts];
}

/** All pages of a query, one after the other. */
function walk(all: readonly Host[], query: HostQuery): string[] {
  const keys: string[] = [];
  let after: string | undefined;
  do {
    const page = pageOf(all, { ...query, ...(after === undefined ? {} : { after }) });
    keys.push(...page.hosts.map(({ key }) => key));
    after = page.next;
  } while (after !== undefined);
  return keys;
}

describe("a page of hosts", () => {
  it("has so many, says how many there are, in which states, and where to go on", () => {
    const page = pageOf(hosts(), { limit: 10 });
    expect(page.hosts.map(({ key }) => key)).toEqual(Array.from({ length: 10 }, (_, i) => `host-0${i}`));
    expect([page.total, [...page.byState]]).toEqual([
      40,
      [
        ["down", 14],
        ["healthy", 26],
      ],
    ]);
    expect(pageOf(hosts(), { limit: 40 }).next).toBeUndefined();
  });

  it.each<[string, HostQuery, (host: Host, i: number) => boolean]>([
    ["states", { states: ["down"] }, (_, i) => i % 3 === 0],
    ["sources", { sources: ["file", "scan"] }, (_, i) => i % 2 === 0],
    ["labels", { labels: new Map([["zone", "z1"]]) }, (_, i) => i % 4 === 1],
    ["text in the id", { text: "HOST-1" }, (_, i) => i >= 10 && i < 20],
    ["text in an address", { text: "10.0.0.7:" }, (_, i) => i === 7],
    ["maintenance", { isInMaintenance: true }, (_, i) => i % 5 === 0],
    [
      "no maintenance, and down",
      { isInMaintenance: false, states: ["down"] },
      (_, i) => i % 5 !== 0 && i % 3 === 0,
    ],
  ])("is filtered by %s", (_, query, wanted) => {
    const all = hosts();
    expect(walk(all, { ...query, limit: 3 })).toEqual(all.filter(wanted).map(({ key }) => key));
  });

  it("shows each host once, in order, whatever it is sorted by and however large it is", () => {
    const all = hosts();
    const orders: HostOrder[] = ["key", "state", "since", "lastReport", "lastHeartbeat", "agentVersion"];
    const query = fc.record({
      order: fc.constantFrom(...orders),
      isDescending: fc.boolean(),
      limit: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(query, (each) => {
        const once = pageOf(all, { ...each, limit: 1_000 }).hosts.map(({ key }) => key);
        expect(walk(all, each)).toEqual(once);
        expect([...once].sort()).toEqual(all.map(({ key }) => key).sort());
      }),
    );
    expect(pageOf(all, { order: "state" }).hosts[0]?.state).toBe("down");
  });

  it("goes on where it was when hosts come and go meanwhile", () => {
    const all = hosts();
    const first = pageOf(all, { limit: 10 });
    const fewer = all.filter(({ key }) => key !== "host-03" && key !== "host-12");
    expect(pageOf(fewer, { limit: 3, after: first.next! }).hosts.map(({ key }) => key)).toEqual([
      "host-10",
      "host-11",
      "host-13",
    ]);
  });

  it.each([
    [{ limit: 0 }, "expected limit from 1 to 1000, got 0"],
    [{ limit: 1_001 }, "got 1001"],
    [{ after: "x" }, "expected the end of a page in order of key"],
    [{ after: Buffer.from('["state",1,"a"]').toString("base64url") }, "in order of key"],
  ])("is refused for %o", (query, expected) => {
    expect(() => pageOf([], query)).toThrow(expected);
  });
});
