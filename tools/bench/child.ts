import type { ChildProcess } from "node:child_process";
import path from "node:path";
import { startChild } from "../children.mjs";
import { resolveNode, root, toolEnvironment } from "../setup.mjs";

/** Sends a SIGTERM to a child whose parent is gone. */
const preload = path.join(root, "tools", "follow-parent.mjs");
/** A broker that drains takes up to ten seconds. */
const stopTimeoutMs = 15_000;

/** Children that have not ended. */
const running = new Set<Child>();
let isStopping = false;

/** Asks all children to go and starts no more: whoever waits for one, or wants one, gets an error and cleans up. */
export function stopChildren(): void {
  isStopping = true;
  for (const child of running) child.process.kill("SIGTERM");
}

/** A process of the benchmark's own: a script on the repository's Node, from its sources. */
export class Child implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #name: string;
  readonly #exited: Promise<number>;

  constructor(
    name: string,
    script: string,
    options: { readonly nodeFlags?: readonly string[]; readonly args?: readonly string[] } = {},
  ) {
    if (isStopping) throw new Error(`${name} is not started: the benchmark is stopping`);
    const { nodeFlags = [], args = [] } = options;
    const { child, exited } = startChild(
      resolveNode(),
      ["--conditions=@mon/source", "--import", preload, ...nodeFlags, script, ...args],
      { stdio: ["ignore", "pipe", "inherit", "ipc"], env: environment() },
    );
    this.process = child;
    this.#name = name;
    this.#exited = exited;
    // Whoever waits for the process hears of it; nobody may be waiting just now.
    exited.catch(() => {}).finally(() => running.delete(this));
    running.add(this);
  }

  get pid(): number {
    const { pid } = this.process;
    if (pid === undefined) throw new Error(`expected ${this.#name} to start`);
    return pid;
  }

  /** Rejects when the process ends; never resolves. */
  async ended(): Promise<never> {
    const code = await this.#exited;
    throw new Error(`expected ${this.#name} to run, it ended with ${code}`);
  }

  /** The next message of the process. @throws when it ends instead */
  async message<T>(): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    this.process.once("message", resolve);
    try {
      return await Promise.race([promise, this.ended()]);
    } finally {
      this.process.off("message", resolve);
    }
  }

  /** Asks the process to go, and makes it after fifteen seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGTERM");
    const timeout = setTimeout(() => this.process.kill("SIGKILL"), stopTimeoutMs);
    await this.#exited.catch(() => {});
    clearTimeout(timeout);
  }
}

/** Without settings that are meant for a broker of the user's. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(toolEnvironment()).filter(
    ([name]) => !name.startsWith("MON_") || name.startsWith("MON_TOOLS_"),
  );
  return Object.fromEntries(own);
}
