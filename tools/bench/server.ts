import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { root } from "../setup.mjs";
import { Child } from "./child.ts";
import type { AckForm } from "./job.ts";

/** A server under load, in a process of its own. */
export interface RunningServer extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
}

/** What the broker is compared with, and the broker. */
export interface Target {
  readonly name: "broker" | "connect" | "grpc-js" | "raw-http2";
  readonly title: string;
  readonly ack: AckForm;
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
];

async function startBare(script: URL): Promise<RunningServer> {
  const child = new Child(path.basename(script.pathname, ".ts"), fileURLToPath(script));
  const { port } = await child.message<{ port: number }>();
  return { pid: child.pid, port, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

/**
 * Starts the real broker on free ports, with a new data directory under the system's folder for temporary files, which
 * is removed with it.
 */
export async function startBroker(nodeFlags: readonly string[] = []): Promise<RunningServer> {
  const dataDir = await mkdtemp(path.join(os.tmpdir(), "mon-bench-"));
  const script = path.join(root, "apps", "broker", "src", "main.ts");
  const args = ["--data-dir", dataDir, "--grpc-port", "0", "--http-port", "0"];
  const child = new Child("the broker", script, { nodeFlags, args });
  const dispose = async (): Promise<void> => {
    await child[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const port = await Promise.race([grpcPortOf(child), child.ended()]);
    return { pid: child.pid, port, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Waits for the line of the broker's log that says where it listens. Reads on after it, so that the log never blocks. */
function grpcPortOf(child: Child): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const output = child.process.stdout;
  if (output === null) throw new Error("expected the broker's output");
  createInterface({ input: output }).on("line", (line) => {
    if (!line.startsWith("{")) return;
    const { msg, grpcPort } = JSON.parse(line);
    if (msg === "serving") resolve(grpcPort);
  });
  return promise;
}
