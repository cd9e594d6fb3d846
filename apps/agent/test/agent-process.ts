import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** The agent as a process of its own. */
export class AgentProcess implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown[]>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { MON_AGENT_BROKER: _, ...inherited } = process.env;
    this.#child = spawn(process.execPath, ["--conditions=@mon/source", main, ...args], {
      env: { ...inherited, ...env },
    });
    this.#child.stdin.end();
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.#ended = once(this.#child, "close");
  }

  /** The lines of the log. */
  get log(): { msg: string; [field: string]: unknown }[] {
    return this.stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  signal(name: "SIGTERM" | "SIGINT"): void {
    this.#child.kill(name);
  }

  /** Resolves when the log has a line with this message. */
  async logged(message: string): Promise<void> {
    while (!this.log.some(({ msg }) => msg === message)) await once(this.#child.stderr, "data");
  }

  /** The exit code. */
  async exit(): Promise<number | null> {
    const [code] = await this.#ended;
    return code as number | null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
