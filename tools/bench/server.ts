import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { root } from "../setup.mjs";
import { Child } from "./child.ts";
import type { AckForm } from "./job.ts";
import { LoopDelayProbe } from "./loop-delay-probe.ts";
import type { BatchSize } from "./measure.ts";
import { countSamples, findVictoriaMetrics } from "./victoria-metrics.ts";

/** A server under load, in a process of its own. */
export interface RunningServer extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** Counts the samples that it holds: of a server whose answers do not say what became of them. */
  countSamples?(): Promise<number>;
}

/** The broker, with what the benchmark sees of it besides its port. */
export interface RunningBroker extends RunningServer {
  /** Present when it was started with one. */
  readonly loopDelay: LoopDelayProbe | undefined;
  /** Rejects when the broker ends; never resolves. */
  ended(): Promise<never>;
}

/** How a broker is started. */
export interface BrokerStart {
  readonly nodeFlags?: readonly string[];
  readonly args?: readonly string[];
  /** Whether the delay of its event loop can be read. */
  readonly hasLoopDelay?: boolean;
  /** Told of each line of its log, from the first on. */
  readonly logged?: (line: LogLine) => void;
}

/** A line of a broker's log: what every line has, and facts. */
export interface LogLine {
  readonly msg: string;
  readonly [fact: string]: unknown;
}

/** What the broker is compared with, and the broker. */
export interface Target {
  readonly name: "broker" | "connect" | "grpc-js" | "raw-http2" | "victoria-metrics";
  readonly title: string;
  readonly ack: AckForm;
  /** Sizes of batches that it is measured with; absent for all. */
  readonly batchSizes?: readonly BatchSize[];
  start(): Promise<RunningServer>;
}

/** In the order in which a round visits them. */
export const targets: readonly Target[] = [
  { name: "broker", title: "mon broker, LevelDB, fsync", ack: "outcome", start: () => startBroker() },
  {
    name: "connect",
    title: "Connect + protobuf-es, bare",
    ack: "sequence",
    start: () => startBare(new URL("./servers/connect.ts", import.meta.url)),
  },
  {
    name: "grpc-js",
    title: "@grpc/grpc-js + protobuf-es, bare",
    ack: "sequence",
    start: () => startBare(new URL("./servers/grpc-js.ts", import.meta.url)),
  },
  {
    name: "raw-http2",
    title: "node:http2, no decoding",
    ack: "empty",
    start: () => startBare(new URL("./servers/raw-http2.ts", import.meta.url)),
  },
  {
    name: "victoria-metrics",
    title: "VictoriaMetrics, single node, Influx lines",
    ack: "no-content",
    batchSizes: [100],
    start: () => startVictoriaMetrics(),
  },
];

const loopDelayPreload = fileURLToPath(new URL("./loop-delay-preload.ts", import.meta.url));

async function startBare(script: URL): Promise<RunningServer> {
  const child = new Child(path.basename(script.pathname, ".ts"), fileURLToPath(script));
  const { port } = await child.message<{ port: number }>();
  return { pid: child.pid, port, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

/**
 * Starts the real broker on free ports, with a new data directory that is removed with it.
 */
export async function startBroker(start: BrokerStart = {}): Promise<RunningBroker> {
  const { args = [], nodeFlags = [], hasLoopDelay = false, logged = () => {} } = start;
  const script = path.join(root, "apps", "broker", "src", "main.ts");
  return await withDataDirectory(
    (dataDir) =>
      new Child("the broker", script, {
        nodeFlags: hasLoopDelay ? [...nodeFlags, "--import", loopDelayPreload] : nodeFlags,
        args: ["--data-dir", dataDir, "--grpc-port", "0", "--http-port", "0", ...args],
      }),
    async (child) => ({
      pid: child.pid,
      port: await Promise.race([grpcPortOf(child, logged), child.ended()]),
      loopDelay: hasLoopDelay ? new LoopDelayProbe(child) : undefined,
      ended: () => child.ended(),
    }),
  );
}

async function startVictoriaMetrics(): Promise<RunningServer> {
  const command = findVictoriaMetrics();
  const script = fileURLToPath(new URL("./servers/victoria-metrics.ts", import.meta.url));
  return await withDataDirectory(
    (dataDir) => new Child("VictoriaMetrics", script, { args: [command, dataDir] }),
    async (child) => {
      const { port, pid } = await child.message<{ port: number; pid: number }>();
      return { port, pid, countSamples: () => countSamples(port) };
    },
  );
}

/**
 * Starts a child with a new data directory, under the system's folder for temporary files. Both go when the server is
 * disposed of, or when it does not get ready.
 */
async function withDataDirectory<Server extends object>(
  start: (dataDir: string) => Child,
  ready: (child: Child) => Promise<Server>,
): Promise<Server & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(path.join(os.tmpdir(), "mon-bench-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const server = await ready(stack.use(start(dataDir)));
  const kept = stack.move();
  return { ...server, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Waits for the line of the broker's log that says where it listens. Reads on after it, so that the log never blocks. */
function grpcPortOf(child: Child, logged: (line: LogLine) => void): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const output = child.process.stdout;
  if (output === null) throw new Error("expected the broker's output");
  createInterface({ input: output }).on("line", (line) => {
    if (!line.startsWith("{")) return;
    const parsed: LogLine & { grpcPort?: number } = JSON.parse(line);
    if (parsed.msg === "serving" && parsed.grpcPort !== undefined) resolve(parsed.grpcPort);
    logged(parsed);
  });
  return promise;
}
