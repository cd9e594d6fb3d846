import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";

import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AdminService, MonitorService, type Outcome, QueryService, type ReportSchema } from "@mon/proto";

const main = fileURLToPath(import.meta.resolve("@mon/broker/src/main.ts"));

/** A broker in a process of its own, on free ports and a data directory that goes away with it. */
export class BrokerProcess {
  readonly #dataDir: string;
  #child: ChildProcess | undefined;
  #origin = "";

  private constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  static async start(): Promise<BrokerProcess> {
    const broker = new BrokerProcess(await mkdtemp(join(tmpdir(), "mon-dashboard-")));
    await broker.#spawn("0");
    return broker;
  }

  /** Where the page is. */
  get origin(): string {
    return this.#origin;
  }

  get query(): Client<typeof QueryService> {
    return createClient(QueryService, this.#transport());
  }

  get admin(): Client<typeof AdminService> {
    return createClient(AdminService, this.#transport());
  }

  /** Pushes reports, as agents do. */
  async push(reports: MessageInitShape<typeof ReportSchema>[]): Promise<Outcome | undefined> {
    const answer = await createClient(MonitorService, this.#transport()).push({ reports });
    return answer.outcome;
  }

  /** Kills the process and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.#child === undefined) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
    this.#child = undefined;
  }

  /** Starts it again on the same address and data. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#spawn(new URL(this.#origin).port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  async #spawn(httpPort: string): Promise<void> {
    const places = ["--data-dir", this.#dataDir, "--listen", "127.0.0.1"];
    const args = ["--conditions=@mon/source", main, ...places, "--grpc-port", "0", "--http-port", httpPort];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const seen: string[] = [];
    for await (const line of createInterface({ input: this.#child.stdout! })) {
      seen.push(line);
      const { http } = JSON.parse(line) as { http?: string };
      if (http === undefined) continue;
      this.#origin = http;
      this.#child.stdout!.resume();
      return;
    }
    throw new Error(`expected the broker to say where it listens, it said: ${seen.join("\n")}`);
  }

  #transport(): ReturnType<typeof createConnectTransport> {
    return createConnectTransport({ baseUrl: this.#origin, httpVersion: "1.1" });
  }
}
