import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";

/** Configuration directives of one server, as in redis.conf. */
export type RedisDirectives = Readonly<Record<string, string | number>>;

/** How a server is started. */
export interface RedisServerOptions {
  readonly kind: "server" | "sentinel";
  /** Its own folder: configuration, data, log. Made when it is not there; kept over restarts. */
  readonly folder: string;
  readonly port: number;
  readonly directives?: RedisDirectives;
}

/** What a server of each kind says when it takes connections. */
const readyLine = { server: /Ready to accept connections/, sentinel: /Sentinel ID is/ };

/** How long a server may take to end when it is asked to. */
const stopTimeoutMs = 5000;

/** Lines of output kept, to be shown when a server does not start. */
const keptLines = 20;

/** One real redis-server or sentinel process on 127.0.0.1. It lives until `stop`, `kill` or the end of this process. */
export class RedisServer {
  readonly port: number;
  readonly #options: RedisServerOptions;
  #child: ChildProcess | undefined;

  constructor(options: RedisServerOptions) {
    this.#options = options;
    this.port = options.port;
  }

  /** @throws {Error} the last lines of its output, when it ends before it takes connections */
  async start(): Promise<void> {
    const { kind, folder } = this.#options;
    mkdirSync(folder, { recursive: true });
    const file = path.join(folder, "redis.conf");
    // A sentinel keeps what it learns in its own configuration, which a restart must find.
    if (kind === "server" || this.#child === undefined) writeFileSync(file, this.#configuration());
    const args = kind === "sentinel" ? [file, "--sentinel"] : [file];
    const child = spawn("redis-server", args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    const output: string[] = [];
    const lines = createInterface({ input: child.stdout });
    const ready = new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      lines.on("line", (line) => {
        output.push(line);
        if (output.length > keptLines) output.shift();
        if (readyLine[kind].test(line)) resolve();
      });
      child.once("exit", (code, signal) => {
        reject(
          new Error(`redis-server on port ${this.port} ended (${code ?? signal}):\n${output.join("\n")}`),
        );
      });
    });
    await ready;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`expected a running server on port ${this.port}`);
    return pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal: SIGSTOP and SIGCONT pause and resume it. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it at once, as a crash does, and waits until it is gone. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks it to end and waits until it is gone. Idempotent. */
  async stop(): Promise<void> {
    // A paused process does not hear anything else.
    this.signal("SIGCONT");
    await this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, "exit");
    child.kill(signal);
    // One that runs a script without end, or cannot save, does not end when it is asked.
    const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  }

  #configuration(): string {
    const { folder, port, directives } = this.#options;
    const all = { bind: "127.0.0.1", port, dir: folder, daemonize: "no", ...directives };
    return Object.entries(all)
      .map(([name, value]) => `${name} ${value}\n`)
      .join("");
  }
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Ports of 127.0.0.1 that nothing listens on now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address !== null && typeof address === "object") ports.push(address.port);
  }
  for (const server of servers) server.close();
  return ports;
}

/** Removes a deployment's folder. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
