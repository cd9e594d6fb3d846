/**
 * Records real readings of this machine for the benchmarks of chunks: the agent reports here every second as it would
 * to a broker, and what Prometheus's node_exporter would read besides is added under the same instants. Meanwhile
 * children of this process let the machine idle, compile, copy files and talk over TCP, in turn.
 *
 *     node --conditions=@mon/source tools/bench/record.ts --out packages/store/bench/fixtures/host.json.zst
 */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { constants, zstdCompressSync } from "node:zlib";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { MonitorService } from "@mon/proto";

const { values: flags } = parseArgs({
  options: {
    out: { type: "string", default: "host.json.zst" },
    seconds: { type: "string", default: "1560" },
    work: { type: "string" },
  },
});
const root = fileURLToPath(new URL("../../", import.meta.url));
const here = fileURLToPath(import.meta.url);
const hostId = "recorded";

/** What the machine does, for how large a share of the time. */
const phases: readonly (readonly [share: number, works: readonly string[]])[] = [
  [0.12, []],
  [0.16, ["compile"]],
  [0.08, []],
  [0.16, ["copy"]],
  [0.08, []],
  [0.16, ["talk"]],
  [0.12, ["compile", "copy", "talk"]],
  [0.12, []],
];

interface Reading {
  readonly name: string;
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  /** 1 gauge, 2 counter. */
  readonly kind: number;
  readonly value: number;
}

type Labels = Readonly<Record<string, string>>;

function reading(name: string, kind: 1 | 2, value: number, labels: Labels = {}): Reading {
  return {
    name,
    labels: Object.entries(labels).map(([label, text]) => ({ name: label, value: text })),
    kind,
    value,
  };
}

function linesOf(path: string): string[] {
  return readFileSync(path, "latin1")
    .split("\n")
    .filter((line) => line !== "");
}

function* meminfo(): Generator<Reading> {
  for (const line of linesOf("/proc/meminfo")) {
    const [, field, value, unit] = /^([^:]+):\s+(\d+)( kB)?$/.exec(line)!;
    const name = field!.replace(/[()]/g, "_").replace(/_$/, "");
    const isBytes = unit !== undefined;
    yield reading(`node_memory_${name}${isBytes ? "_bytes" : ""}`, 1, Number(value) * (isBytes ? 1024 : 1));
  }
}

/** The counters that node_exporter takes of these files by default. */
const netstatFields =
  /^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$/;

function* netstat(): Generator<Reading> {
  for (const path of ["/proc/net/netstat", "/proc/net/snmp"]) {
    const lines = linesOf(path);
    for (let i = 0; i + 1 < lines.length; i += 2) {
      const names = lines[i]!.split(/\s+/);
      const values = lines[i + 1]!.split(/\s+/);
      for (let j = 1; j < names.length; j++) {
        const name = `${names[0]!.slice(0, -1)}_${names[j]!}`;
        if (netstatFields.test(name)) yield reading(`node_netstat_${name}`, 2, Number(values[j]));
      }
    }
  }
}

function* vmstat(): Generator<Reading> {
  for (const line of linesOf("/proc/vmstat")) {
    const [name, value] = line.split(" ");
    if (/^(oom_kill|pgpg|pswp|pg.*fault)/.test(name!)) yield reading(`node_vmstat_${name}`, 2, Number(value));
  }
}

function* stat(): Generator<Reading> {
  for (const line of linesOf("/proc/stat")) {
    const [name, value] = line.split(" ");
    if (name === "ctxt") yield reading("node_context_switches_total", 2, Number(value));
    if (name === "intr") yield reading("node_intr_total", 2, Number(value));
    if (name === "processes") yield reading("node_forks_total", 2, Number(value));
    if (name === "procs_running") yield reading("node_procs_running", 1, Number(value));
    if (name === "procs_blocked") yield reading("node_procs_blocked", 1, Number(value));
  }
}

function* pressure(): Generator<Reading> {
  for (const resource of ["cpu", "io", "memory"]) {
    for (const line of linesOf(`/proc/pressure/${resource}`)) {
      const [, share, total] = /^(some|full) .*total=(\d+)$/.exec(line)!;
      const name = `node_pressure_${resource}_${share === "some" ? "waiting" : "stalled"}_seconds_total`;
      yield reading(name, 2, Number(total) / 1e6);
    }
  }
}

function* sockstat(): Generator<Reading> {
  for (const line of linesOf("/proc/net/sockstat")) {
    const [protocol, rest] = line.split(": ");
    const words = rest!.split(" ");
    for (let i = 0; i + 1 < words.length; i += 2) {
      yield reading(`node_sockstat_${protocol}_${words[i]}`, 1, Number(words[i + 1]));
    }
  }
}

function* softnet(): Generator<Reading> {
  const names = ["processed", "dropped", "times_squeezed"];
  for (const [cpu, line] of linesOf("/proc/net/softnet_stat").entries()) {
    const words = line.split(" ");
    for (const [i, name] of names.entries()) {
      yield reading(`node_softnet_${name}_total`, 2, Number.parseInt(words[i]!, 16), { cpu: String(cpu) });
    }
  }
}

function* softirqs(): Generator<Reading> {
  for (const line of linesOf("/proc/softirqs").slice(1)) {
    const [vector, ...counts] = line.trim().split(/:?\s+/);
    for (const [cpu, count] of counts.entries()) {
      yield reading("node_softirqs_total", 2, Number(count), { cpu: String(cpu), vector: vector! });
    }
  }
}

const eventLoopDelay = monitorEventLoopDelay({ resolution: 10 });
eventLoopDelay.enable();
let utilization = performance.eventLoopUtilization();

/** What prom-client reports of a Node process: this one. */
function* nodeProcess(): Generator<Reading> {
  const cpu = process.cpuUsage();
  const memory = process.memoryUsage();
  yield reading("process_cpu_user_seconds_total", 2, cpu.user / 1e6);
  yield reading("process_cpu_system_seconds_total", 2, cpu.system / 1e6);
  yield reading("process_resident_memory_bytes", 1, memory.rss);
  yield reading("nodejs_heap_size_total_bytes", 1, memory.heapTotal);
  yield reading("nodejs_heap_size_used_bytes", 1, memory.heapUsed);
  yield reading("nodejs_external_memory_bytes", 1, memory.external);
  yield reading("nodejs_eventloop_lag_min_seconds", 1, eventLoopDelay.min / 1e9);
  yield reading("nodejs_eventloop_lag_max_seconds", 1, eventLoopDelay.max / 1e9);
  yield reading("nodejs_eventloop_lag_mean_seconds", 1, eventLoopDelay.mean / 1e9);
  yield reading("nodejs_eventloop_lag_stddev_seconds", 1, eventLoopDelay.stddev / 1e9);
  for (const percentile of [50, 90, 99]) {
    const seconds = eventLoopDelay.percentile(percentile) / 1e9;
    yield reading(`nodejs_eventloop_lag_p${percentile}_seconds`, 1, seconds);
  }
  eventLoopDelay.reset();
  const now = performance.eventLoopUtilization();
  yield reading(
    "nodejs_eventloop_utilization",
    1,
    performance.eventLoopUtilization(now, utilization).utilization,
  );
  utilization = now;
}

const sources = [meminfo, netstat, vmstat, stat, pressure, sockstat, softnet, softirqs, nodeProcess];

/** A series as the recording has it: null where it had no sample. */
interface RecordedSeries {
  readonly name: string;
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly kind: number;
  /** Who read it. */
  readonly by: "agent" | "recorder";
  readonly values: (number | null)[];
}

const timestampsMs: number[] = [];
const recorded = new Map<string, RecordedSeries>();

function add(by: RecordedSeries["by"], { name, labels, kind, value }: Reading): void {
  if (!Number.isFinite(value)) return;
  const key = JSON.stringify([name, labels]);
  let series = recorded.get(key);
  if (series === undefined) {
    const sorted = labels.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    series = { name, labels: sorted, kind, by, values: [] };
    recorded.set(key, series);
  }
  while (series.values.length < timestampsMs.length - 1) series.values.push(null);
  series.values[timestampsMs.length - 1] = value;
}

function save(): void {
  const series = [...recorded.values()];
  for (const { values } of series) while (values.length < timestampsMs.length) values.push(null);
  const json = JSON.stringify({
    about: `${series.length} series of a machine with ${linesOf("/proc/cpuinfo").filter((line) => line.startsWith("processor")).length} processors, at ${timestampsMs.length} instants about a second apart`,
    timestampsMs,
    series,
  });
  const params = {
    [constants.ZSTD_c_compressionLevel]: 19,
    [constants.ZSTD_c_windowLog]: 24,
    [constants.ZSTD_c_enableLongDistanceMatching]: 1,
  };
  writeFileSync(flags.out, zstdCompressSync(json, { params }));
}

/** What a child of this process does until it is ended. */
async function work(kind: string): Promise<void> {
  if (kind === "compile") {
    const packages = ["packages/query", "packages/client", "packages/config", "apps/agent"];
    for (let i = 0; ; i++) {
      const compiler = spawn("tsc", ["--noEmit"], { cwd: join(root, packages[i % packages.length]!) });
      const end = (): void => {
        compiler.kill();
        process.exit(0);
      };
      process.once("SIGTERM", end);
      await new Promise((resolve) => compiler.on("exit", resolve));
      process.removeListener("SIGTERM", end);
    }
  }
  if (kind === "copy") {
    const folder = mkdtempSync(join(tmpdir(), "mon-record-"));
    process.once("SIGTERM", () => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(0);
    });
    for (;;) {
      cpSync(join(root, "node_modules/typescript/lib"), folder, { recursive: true });
      rmSync(folder, { recursive: true, force: true });
      await new Promise((resolve) => setTimeout(resolve, 500 + 1500 * Math.random()));
    }
  }
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  for (;;) {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const bytes = Buffer.alloc(Math.ceil(2 ** (6 + 12 * Math.random())));
    for (let turn = 0; turn < 50; turn++) {
      socket.write(bytes);
      let received = 0;
      while (received < bytes.length) {
        const chunk: Buffer = await new Promise((resolve) => socket.once("data", resolve));
        received += chunk.length;
      }
      await new Promise((resolve) => setTimeout(resolve, 20 * Math.random()));
    }
    socket.destroy();
  }
}

async function record(): Promise<void> {
  const seconds = Number(flags.seconds);
  const finished = Promise.withResolvers<void>();
  const onReport = (timestampMs: number, samples: readonly Reading[]): void => {
    timestampsMs.push(timestampMs);
    for (const sample of samples) add("agent", sample);
    for (const source of sources) for (const one of source()) add("recorder", one);
    if (timestampsMs.length % 300 === 0) save();
    if (timestampsMs.length >= seconds) finished.resolve();
  };
  const handle = connectNodeAdapter({
    routes: (router) => {
      router.rpc(MonitorService.method.register, () => ({}));
      router.rpc(MonitorService.method.heartbeat, () => ({}));
      router.rpc(MonitorService.method.report, async function* (batches) {
        for await (const { sequence, reports } of batches) {
          for (const { timestampMs, samples } of reports) onReport(Number(timestampMs), samples);
          const samplesStored = reports.reduce((sum, { samples }) => sum + samples.length, 0);
          yield { sequence, outcome: { reportsStored: reports.length, samplesStored } };
        }
      });
    },
  });
  const server = createHttp2Server(handle).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const broker = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const node = ["--conditions=@mon/source"];
  const agentArguments = ["--broker", broker, "--interval", "1s", "--host-id", hostId];
  const agent = spawn(process.execPath, [...node, join(root, "apps/agent/src/main.ts"), ...agentArguments], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  let workers: ChildProcess[] = [];
  let startMs = 0;
  const timers: NodeJS.Timeout[] = [];
  for (const [share, works] of phases) {
    const enter = (): void => {
      for (const worker of workers) worker.kill();
      // Of low priority, so that the agent's second stays one.
      workers = works.map((kind) =>
        spawn("nice", [process.execPath, ...node, here, "--work", kind], { stdio: "inherit" }),
      );
    };
    timers.push(setTimeout(enter, startMs));
    startMs += share * seconds * 1_000;
  }
  process.once("SIGTERM", () => finished.resolve());
  await finished.promise;
  for (const timer of timers) clearTimeout(timer);
  for (const child of [agent, ...workers]) child.kill();
  save();
  process.exit(0);
}

await (flags.work === undefined ? record() : work(flags.work));
