import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { AdminService, MonitorService, QueryService } from "@mon/proto";
import { Health } from "@mon/proto/grpc";
import type { TestAuthority, TestCertificate } from "../../../../tools/build/certificate.ts";
import { TempDirectory } from "./temp-directory.ts";

const appDirectory = resolve(import.meta.dirname, "../..");

/** How a broker process is started. */
export interface BrokerProcessOptions {
  /** Kept when the process is disposed; absent for a directory that goes with it. */
  readonly dataDir?: string;
  /** Arguments besides data directory and ports. */
  readonly args?: readonly string[];
  /** URLs of modules to load before the broker. */
  readonly preload?: readonly string[];
  /** Who signs the certificate of the doors; absent for doors without TLS. */
  readonly authority?: TestAuthority;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The real broker, in a process of its own, on free ports. */
export class BrokerProcess implements AsyncDisposable {
  readonly dataDir: string;
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Of a broker in a cluster. */
  readonly peerPort: number | undefined;
  readonly transport: Transport;
  readonly monitor: Client<typeof MonitorService>;
  readonly query: Client<typeof QueryService>;
  readonly admin: Client<typeof AdminService>;
  readonly health: Client<typeof Health>;
  readonly #child: Child;
  readonly #temp: TempDirectory | undefined;
  readonly #scheme: "http" | "https";

  private constructor(
    child: Child,
    dataDir: string,
    temp: TempDirectory | undefined,
    line: ServingLine,
    authority: TestAuthority | undefined,
  ) {
    this.#child = child;
    this.#temp = temp;
    this.#scheme = authority === undefined ? "http" : "https";
    this.dataDir = dataDir;
    this.grpcPort = line.grpcPort;
    this.httpPort = line.httpPort;
    this.peerPort = line.peerPort;
    this.transport = createGrpcTransport({
      baseUrl: this.grpcUrl,
      ...(authority !== undefined && { nodeOptions: { ca: authority.certificate } }),
    });
    this.monitor = createClient(MonitorService, this.transport);
    this.query = createClient(QueryService, this.transport);
    this.admin = createClient(AdminService, this.transport);
    this.health = createClient(Health, this.transport);
  }

  /** Resolves when the broker serves. @throws when it ends before, with what it wrote */
  static async start(options: BrokerProcessOptions = {}): Promise<BrokerProcess> {
    const { authority } = options;
    const temp =
      options.dataDir === undefined || authority !== undefined ? await TempDirectory.create() : undefined;
    const dataDir = options.dataDir ?? join(temp!.path, "data");
    const preload = (options.preload ?? []).flatMap((url) => ["--import", url]);
    const child = new Child(preload, [
      ...["--data-dir", dataDir, "--grpc-port", "0", "--http-port", "0"],
      ...(authority === undefined ? [] : await certificateArgs(temp!.path, authority.issue())),
      ...(options.args ?? []),
    ]);
    try {
      return new BrokerProcess(child, dataDir, temp, await child.serving, authority);
    } catch (error) {
      await temp?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  get grpcUrl(): string {
    return `${this.#scheme}://127.0.0.1:${this.grpcPort}`;
  }

  get httpUrl(): string {
    return `${this.#scheme}://127.0.0.1:${this.httpPort}`;
  }

  get stdout(): string {
    return this.#child.stdout;
  }

  get stderr(): string {
    return this.#child.stderr;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when the process has ended. */
  get exited(): Promise<Exit> {
    return this.#child.exited;
  }

  /** The most memory that the process ever held, in bytes. */
  get residentBytesMax(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1_024;
  }

  /** Resolves when the broker has written a line of its log with this message. */
  logged(message: string): Promise<void> {
    return this.#child.logged(message);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks the broker to stop. */
  async stop(): Promise<Exit> {
    this.signal("SIGTERM");
    return this.exited;
  }

  /** Ends the broker as a power cut would, but for the machine. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#temp?.[Symbol.asyncDispose]();
  }
}

/** Writes a certificate and its key into a directory. @returns the flags that name them */
export async function certificateArgs(
  directory: string,
  { certificate, key }: TestCertificate,
): Promise<string[]> {
  const files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
  await Promise.all([writeFile(files.certFile, certificate), writeFile(files.keyFile, key)]);
  return ["--set", `tls.certFile=${files.certFile}`, "--set", `tls.keyFile=${files.keyFile}`];
}

/** Runs the broker with arguments until it ends by itself. */
export async function runBroker(args: readonly string[]): Promise<Exit & { stdout: string; stderr: string }> {
  const child = new Child([], args);
  // It may never serve; how it ended is the answer.
  child.serving.catch(() => {});
  const exit = await child.exited;
  return { ...exit, stdout: child.stdout, stderr: child.stderr };
}

/** What the broker logs when it serves. */
interface ServingLine {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly peerPort?: number;
}

class Child {
  readonly serving: Promise<ServingLine>;
  readonly exited: Promise<Exit>;
  stdout = "";
  stderr = "";
  readonly #process: ChildProcess;
  readonly #awaited = new Map<string, () => void>();

  constructor(nodeArgs: readonly string[], args: readonly string[]) {
    this.#process = spawn(
      process.execPath,
      ["--conditions=@mon/source", ...nodeArgs, "src/main.ts", ...args],
      // Variables that begin with MON_ are settings of the broker.
      { cwd: appDirectory, env: { PATH: process.env.PATH }, stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve, reject) => {
      this.#process.once("error", reject);
      this.#process.once("close", (code, signal) => resolve({ code, signal }));
    });
    this.serving = new Promise((resolve, reject) => {
      createInterface(this.#process.stdout!).on("line", (text) => {
        this.stdout += `${text}\n`;
        if (!text.startsWith("{")) return;
        const line = JSON.parse(text);
        if (line.msg === "serving") resolve(line);
        this.#awaited.get(line.msg)?.();
      });
      this.exited.then(({ code }) => {
        reject(
          new Error(`expected a broker that serves, got exit code ${code}: ${this.stdout}${this.stderr}`),
        );
      }, reject);
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  logged(message: string): Promise<void> {
    if (this.stdout.includes(`"msg":${JSON.stringify(message)}`)) return Promise.resolve();
    return new Promise((resolve) => this.#awaited.set(message, resolve));
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }
}
