import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CheckStatus, HostRegistry, type HostSighting, type HostSource } from "../../src/index.ts";

const day = 86_400_000;

function see(registry: HostRegistry, more: Partial<HostSighting> = {}) {
  return registry.see({ source: "report", hostId: "web-1", atMs: 0, ...more });
}

function check(registry: HostRegistry, results: string, fromMs = 0, key = "web-1"): void {
  const statuses: Record<string, CheckStatus> = { p: "passing", w: "warning", c: "critical" };
  for (const [i, letter] of [...results].entries()) {
    const result = {
      checkId: "tcp",
      status: statuses[letter]!,
      atMs: fromMs + i * 30_000,
      durationMs: 1,
      output: `said ${letter}`,
    };
    registry.checked(key, result);
  }
}

const states = (registry: HostRegistry, nowMs: number): string[] =>
  registry.judge(nowMs).map(({ key, from, to, reason }) => `${key}: ${from} → ${to}, ${reason}`);

describe("a host", () => {
  it("is discovered, identified, registered, healthy", () => {
    const registry = new HostRegistry();
    registry.see({ source: "scan", address: "10.0.0.1:7410", atMs: 0 });
    expect(states(registry, 1)).toEqual(["[10.0.0.1:7410]: undefined → discovered, an address answers"]);
    registry.see({
      source: "scan",
      address: "10.0.0.1:7410",
      hostId: "web-1",
      agentVersion: "0.1.0",
      atMs: 2,
    });
    expect(states(registry, 3)).toEqual(["web-1: discovered → identified, an agent said who it is"]);
    see(registry, { atMs: 4 });
    expect(states(registry, 5)).toEqual(["web-1: identified → registered, nothing is known of its health"]);
    check(registry, "pp");
    expect(states(registry, 6)).toEqual(["web-1: registered → healthy, all checks pass"]);
    expect(registry.host("web-1")?.transitions.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it("that reports for the first time is registered by that", () => {
    const registry = new HostRegistry();
    see(registry, { atMs: 7 });
    expect(registry.host("web-1")).toMatchObject({ key: "web-1", lastReportMs: 7 });
    expect(states(registry, 8)[0]).toContain("undefined → registered");
  });

  it("goes down after three failed checks and comes back after two good ones", () => {
    const registry = new HostRegistry();
    see(registry);
    check(registry, "pp");
    registry.judge(60_000);
    check(registry, "cc", 60_000);
    expect(states(registry, 120_000)).toEqual([]);
    check(registry, "c", 120_000);
    expect(states(registry, 150_000)).toEqual(["web-1: healthy → down, a check fails"]);
    expect(registry.host("web-1")?.transitions.at(-1)?.evidence).toBe("said c");
    check(registry, "p", 150_000);
    expect(states(registry, 180_000)).toEqual([]);
    check(registry, "p", 180_000);
    expect(states(registry, 210_000)).toEqual(["web-1: down → healthy, all checks pass"]);
    expect(
      registry
        .host("web-1")
        ?.strip.map(({ status }) => status[0])
        .join(""),
    ).toBe("ppcccpp");
  });

  it("is suspect when its heartbeat is late, and down when three are missing", () => {
    const registry = new HostRegistry();
    see(registry);
    registry.heartbeat("web-1", 0);
    expect(states(registry, 1)[0]).toContain("healthy, its heartbeat comes");
    expect(states(registry, 45_000)).toEqual([]);
    expect(states(registry, 45_001)).toEqual(["web-1: healthy → suspect, its heartbeat is late"]);
    expect(states(registry, 89_999)).toEqual([]);
    expect(states(registry, 90_000)).toEqual(["web-1: suspect → down, its heartbeat is overdue"]);
    registry.heartbeat("web-1", 90_001);
    expect(states(registry, 90_002)).toEqual(["web-1: down → healthy, its heartbeat comes"]);
  });

  it("that never sent a heartbeat is not judged by them", () => {
    const registry = new HostRegistry();
    see(registry);
    check(registry, "pp");
    registry.judge(0);
    expect(states(registry, 30 * day)).toEqual([]);
  });

  it("is as bad as the worst that is known of it", () => {
    const registry = new HostRegistry();
    see(registry);
    registry.heartbeat("web-1", 0);
    check(registry, "ppw");
    expect(states(registry, 1)[0]).toContain("degraded, a check warns");
    expect(states(registry, 60_000)[0]).toContain("suspect, its heartbeat is late");
  });

  it("stays suspect while the one that judges doubts itself", () => {
    const registry = new HostRegistry();
    see(registry);
    check(registry, "ccc");
    expect(registry.judge(1, () => false)).toMatchObject([
      { to: "suspect", reason: "a check fails; not confirmed" },
    ]);
    expect(registry.judge(2, () => true)).toMatchObject([{ from: "suspect", to: "down" }]);
    // One that is down already needs no second opinion to stay so.
    expect(registry.judge(3, () => false)).toEqual([]);
  });

  it("is forgotten after a day, unless it is listed", () => {
    const registry = new HostRegistry();
    see(registry);
    see(registry, { hostId: "db-1", source: "file" });
    for (const key of ["web-1", "db-1"]) check(registry, "ccc", 0, key);
    registry.judge(0);
    expect(states(registry, day - 1)).toEqual([]);
    expect(states(registry, day)).toEqual([`web-1: down → forgotten, down for ${day} ms`]);
    expect([...registry.hosts].map(({ key }) => key)).toEqual(["db-1"]);
  });

  it("is gone when no source knows it any more", () => {
    const registry = new HostRegistry();
    see(registry, { source: "api", leaseMs: 90_000 });
    see(registry, { source: "scan", address: "10.0.0.1:1" });
    registry.judge(90_000);
    expect([...registry.host("web-1")!.sources.keys()]).toEqual(["scan"]);
    expect([registry.unsee("web-1", "scan"), registry.size]).toEqual([true, 0]);
    see(registry, { source: "api", leaseMs: 90_000 });
    registry.judge(90_000);
    expect(registry.size).toBe(0);
  });

  it("in maintenance is judged as ever, and its transitions say so, until it is over", () => {
    const registry = new HostRegistry();
    see(registry);
    registry.maintain("web-1", { untilMs: 1_000, by: "me", reason: "new disk" });
    check(registry, "ccc");
    expect(registry.judge(0)).toMatchObject([{ to: "down", isInMaintenance: true }]);
    check(registry, "pp", 200_000);
    expect(registry.judge(1_000)).toMatchObject([{ to: "healthy", isInMaintenance: false }]);
  });

  it("keeps 100 transitions and 60 results", () => {
    const registry = new HostRegistry();
    see(registry);
    for (let i = 0; i < 150; i++) {
      check(registry, i % 2 === 0 ? "ccc" : "pp", i * 150_000);
      registry.judge(i * 150_000);
    }
    const host = registry.host("web-1")!;
    expect([host.transitions.length, host.transitions[0]!.seq, host.strip.length]).toEqual([100, 51, 60]);
  });
});

describe("the same host found twice is one", () => {
  const address = "10.0.0.1:7410";

  it("in whatever order its address and its id come", () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const registry = new HostRegistry();
      const sightings: HostSighting[] = [
        { source: "scan", address, atMs: 0 },
        { source: "multicast", address, hostId: "web-1", atMs: 0 },
      ];
      for (const i of order) registry.see(sightings[i]!);
      expect([...registry.hosts].map(({ key, sources }) => [key, sources.size])).toEqual([["web-1", 2]]);
    }
  });

  it("and its address goes to who answers there now", () => {
    const registry = new HostRegistry();
    see(registry, { address });
    see(registry, { address, hostId: "web-2" });
    expect(registry.host("web-1")?.addresses).toEqual([]);
    expect(registry.host("web-2")?.addresses).toEqual([address]);
    expect(registry.size).toBe(2);
  });

  it("and one address that was nothing else is not left behind", () => {
    const registry = new HostRegistry();
    see(registry);
    registry.see({ source: "scan", address, atMs: 0 });
    expect(registry.size).toBe(2);
    see(registry, { address });
    expect([...registry.hosts].map(({ key }) => key)).toEqual(["web-1"]);
  });

  it("whatever is seen, in whatever order", () => {
    const sighting = fc.record({
      source: fc.constantFrom<HostSource>("scan", "multicast", "file", "api", "report"),
      address: fc.option(fc.constantFrom("a:1", "b:1", "c:1"), { nil: undefined }),
      hostId: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
      atMs: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(sighting, { maxLength: 40 }), (sightings) => {
        const registry = new HostRegistry();
        for (const each of sightings)
          if (each.address !== undefined || each.hostId !== undefined) registry.see(each);
        const hosts = [...registry.hosts];
        const ids = hosts.flatMap(({ hostId }) => hostId ?? []);
        expect(ids).toEqual([...new Set(ids)]);
        const addresses = hosts.flatMap((host) => host.addresses);
        expect(addresses).toEqual([...new Set(addresses)]);
        expect(ids.sort()).toEqual([...new Set(sightings.flatMap(({ hostId }) => hostId ?? []))].sort());
        for (const host of hosts) {
          expect(registry.host(host.key)).toBe(host);
          if (host.hostId === undefined) expect(host.addresses).toHaveLength(1);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

it("10,000 hosts are judged, those that changed are said; one more than allowed is turned down", () => {
  const registry = new HostRegistry({ hostsMax: 10_000 });
  for (let i = 0; i < 10_000; i++) see(registry, { hostId: `h${i}` });
  expect(see(registry, { hostId: "one-more" })).toBeUndefined();
  expect(registry.judge(0)).toHaveLength(10_000);
  check(registry, "ccc", 0, "h77");
  expect(registry.judge(1)).toMatchObject([{ key: "h77", to: "down" }]);
});
