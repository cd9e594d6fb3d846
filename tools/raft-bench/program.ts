import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { startChild } from "../children.mjs";
import { resolveNode, root, toolEnvironment } from "../setup.mjs";

const stopTimeoutMs = 10_000;
/** No program that ends by itself takes nearly as long on a machine that does nothing else. */
const outputTimeoutMs = 300_000;

/** Programs that have not ended. They end with this process. */
const running = new Set<Program>();
process.once("exit", () => {
  for (const program of running) program.kill();
});

export interface ProgramOptions {
  /** Gets its standard error; else it goes where that of this process goes. */
  readonly logFile?: string;
  /** For scripts. */
  readonly nodeFlags?: readonly string[];
}

/** A process of the benchmark's own. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #exited: Promise<number>;

  private constructor(
    command: string,
    args: readonly string[],
    logFile: string | undefined,
    isScript: boolean,
  ) {
    this.#name = path.basename(logFile ?? command);
    const log = logFile === undefined ? "inherit" : openSync(logFile, "a");
    const { child, exited } = startChild(command, args, {
      stdio: ["ignore", "pipe", log, ...(isScript ? ["ipc"] : [])],
      env: toolEnvironment(),
    });
    if (log !== "inherit") closeSync(log);
    this.#child = child;
    this.#exited = exited;
    running.add(this);
    // Whoever waits for it hears of it.
    exited.catch(() => {}).finally(() => running.delete(this));
  }

  static start(command: string, args: readonly string[], { logFile }: ProgramOptions = {}): Program {
    return new Program(command, args, logFile, false);
  }

  /** A script of the repository on its Node, from its sources. It gets SIGTERM when this process dies, however it dies. */
  static startScript(
    script: string,
    args: readonly string[],
    { logFile, nodeFlags = [] }: ProgramOptions = {},
  ): Program {
    const preload = path.join(root, "tools", "follow-parent.mjs");
    const flags = ["--conditions=@mon/source", "--import", preload, ...nodeFlags];
    return new Program(resolveNode(), [...flags, path.join(root, script), ...args], logFile, true);
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`expected ${this.#name} to start`);
    return pid;
  }

  /** The first line that it writes; what follows is let go. @throws when it ends instead */
  async line(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    let text = "";
    // Not by iteration: that would close the pipe, and end a program that writes to it once more.
    this.#child.stdout!.on("data", (chunk: Buffer) => {
      const end = chunk.indexOf("\n");
      text += chunk.subarray(0, end < 0 ? chunk.length : end).toString();
      if (end >= 0) resolve(text);
    });
    const ended = this.#exited.then((code): never => {
      throw new Error(`expected ${this.#name} to run, it ended with ${code}`);
    });
    return await Promise.race([promise, ended]);
  }

  /** Waits for its end. @returns the lines of JSON that it wrote @throws when it fails, or takes minutes */
  async lines(): Promise<unknown[]> {
    const timer = setTimeout(() => this.kill(), outputTimeoutMs);
    try {
      let text = "";
      for await (const chunk of this.#child.stdout!) text += String(chunk);
      const code = await this.#exited;
      if (code !== 0) throw new Error(`expected ${this.#name} to succeed, it ended with ${code}`);
      return text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it without warning. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async ended(): Promise<void> {
    await this.#exited.catch(() => {});
  }

  /** Asks it to go, and makes it after ten seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const timeout = setTimeout(() => this.kill(), stopTimeoutMs);
    await this.ended();
    clearTimeout(timeout);
  }
}
