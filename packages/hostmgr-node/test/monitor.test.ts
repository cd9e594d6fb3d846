import { type Clock, encodeHostsCommand, HostMonitor, HostsFsm, resolveCheck } from "@mon/hostmgr";
import { expect, it } from "vitest";
import { createNodeProbes, watchLoopLag } from "../src/index.ts";
import { rawServer, type TestServer } from "./support/servers.ts";

/** The real clock, ten times as fast. */
function fastClock(): Clock {
  const beganMs = performance.now();
  return {
    now: () => 1_767_225_600_000 + Math.floor((performance.now() - beganMs) * 10),
    setTimeout(callback, delayMs) {
      const timer = setTimeout(callback, delayMs / 10);
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

it("hosts on real sockets are found healthy, down when they are gone, and healthy when they are back", async () => {
  const ports = new Map<string, number>();
  const servers = new Map<string, TestServer>();
  for (let i = 0; i < 30; i++) {
    const server = await rawServer(() => {});
    ports.set(`host-${i}`, server.port);
    servers.set(`host-${i}`, server);
  }
  const clock = fastClock();
  const fsm: HostsFsm = new HostsFsm((keys) => monitor.agreedOn(keys));
  using lag = watchLoopLag();
  const monitor = new HostMonitor({
    clock,
    probes: createNodeProbes({ ranges: ["127.0.0.0/8"] }),
    self: "a",
    ownerOf: () => "a",
    checksOf: ({ key }) => [
      resolveCheck({
        checkId: "tcp",
        kind: "tcp",
        host: "127.0.0.1",
        port: ports.get(key)!,
        intervalMs: 2_000,
        timeoutMs: 1_900,
      }),
    ],
    agreed: fsm,
    propose: async (command) => {
      fsm.apply([{ index: 1, term: 1, type: "command", data: encodeHostsCommand(command) }] as never);
    },
    loopLagMs: () => lag.read(),
  });
  const transitions = monitor.watch();
  /** Waits until so many hosts have gone to a state. */
  const become = async (state: string, count: number): Promise<string[]> => {
    const keys: string[] = [];
    while (keys.length < count) {
      const { value } = await transitions.next();
      if (value?.is === "transition" && value.transition.to === state) keys.push(value.transition.key);
    }
    return keys.sort();
  };
  monitor.start();
  for (const hostId of ports.keys()) monitor.see({ source: "file", hostId, atMs: clock.now() });
  await become("healthy", 30);
  const gone = ["host-1", "host-2", "host-3"];
  for (const key of gone) await servers.get(key)![Symbol.asyncDispose]();
  expect(await become("down", 3)).toEqual(gone);
  expect(monitor.host("host-1")?.transitions.at(-1)?.evidence).toContain("ECONNREFUSED");
  for (const key of gone) servers.set(key, await rawServer(() => {}, ports.get(key)));
  expect(await become("healthy", 3)).toEqual(gone);
  await monitor.stop();
  for (const server of servers.values()) await server[Symbol.asyncDispose]();
  expect(monitor.stats().checks.running).toBe(0);
});
