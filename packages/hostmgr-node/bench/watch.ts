/**
 * What it costs to watch hosts: so many of them, one TCP check each 30 s over loopback. Prints processor time, memory, how late checks
 * begin, the delay of the event loop with and without, and what is written to Raft while some of the hosts flap.
 *
 *     node --conditions=@mon/source bench/watch.ts [hosts] [seconds] [share that flaps]
 */
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { encodeHostsCommand, HostMonitor, HostsFsm, resolveCheck } from "@mon/hostmgr";
import { createNodeProbes } from "../src/index.ts";

const [hosts = 10_000, seconds = 300, flappingShare = 0.01] = process.argv.slice(2).map(Number);

const open = net.createServer((socket) => socket.on("error", () => {}).resume());
open.listen(0, "127.0.0.1");
await once(open, "listening");
const openPort = (open.address() as AddressInfo).port;
const closed = net.createServer().listen(0, "127.0.0.1");
await once(closed, "listening");
const closedPort = (closed.address() as AddressInfo).port;
closed.close();

const wait = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** Runs for a while. @returns processor seconds a second, and the delay of the event loop */
async function measured(forMs: number): Promise<{ cpuShare: number; loopP99Ms: number; loopMaxMs: number }> {
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  const before = process.cpuUsage();
  const beganMs = performance.now();
  await wait(forMs);
  const { user, system } = process.cpuUsage(before);
  delays.disable();
  return {
    cpuShare: (user + system) / 1e3 / (performance.now() - beganMs),
    loopP99Ms: delays.percentile(99) / 1e6,
    loopMaxMs: delays.max / 1e6,
  };
}

const idle = await measured(Math.min(10, seconds) * 1_000);
let writes = 0;
let bytes = 0;
const fsm: HostsFsm = new HostsFsm((keys) => monitor.agreedOn(keys));
const flapping = Math.round(hosts * flappingShare);
const beganMs = Date.now();
/** A host that flaps is there for two minutes, and then not for two. */
const portOf = (port: number): number =>
  port <= flapping && Math.floor((Date.now() - beganMs) / 120_000) % 2 === 1 ? closedPort : openPort;
const probes = createNodeProbes({ ranges: ["127.0.0.0/8"] });
const monitor = new HostMonitor({
  clock: {
    now: () => Date.now(),
    setTimeout(callback, delayMs) {
      const timer = setTimeout(callback, delayMs);
      return { cancel: () => clearTimeout(timer) };
    },
  },
  probes: {
    ...probes,
    connect: ({ host, port }, options) => probes.connect({ host, port: portOf(port) }, options),
  },
  self: "a",
  ownerOf: () => "a",
  // The port stands for the host's number, see `probes`.
  checksOf: ({ key }) => [
    resolveCheck({ checkId: "tcp", kind: "tcp", host: "127.0.0.1", port: Number(key.slice(5)) + 1 }),
  ],
  agreed: fsm,
  propose: async (command) => {
    const data = encodeHostsCommand(command);
    writes++;
    bytes += data.length;
    fsm.apply([{ index: 1, term: 1, type: "command", data }] as never);
  },
});
monitor.start();
for (let i = 0; i < hosts; i++) monitor.see({ source: "file", hostId: `host-${i}`, atMs: Date.now() });
await wait(60_000);
const [writesBefore, bytesBefore] = [writes, bytes];
const busy = await measured(seconds * 1_000);
const { checks } = monitor.stats();
console.log(
  JSON.stringify(
    {
      node: process.version,
      hosts,
      seconds,
      idle,
      busy,
      heapMiB: process.memoryUsage().heapUsed / 2 ** 20,
      rssMiB: process.memoryUsage().rss / 2 ** 20,
      latenessMs: checks.latenessMs,
      skipped: checks.skipped,
      timeouts: checks.timeouts,
      writesPerMinute: ((writes - writesBefore) * 60) / seconds,
      bytesPerMinute: ((bytes - bytesBefore) * 60) / seconds,
      states: Object.fromEntries(monitor.page({ limit: 1 }).byState),
    },
    undefined,
    2,
  ),
);
await monitor.stop();
open.close();
