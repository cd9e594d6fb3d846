import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { operate } from "../../raft-service/client.ts";
import type { MemberStatus } from "../../raft-service/member.ts";
import { resolveNode, root } from "../../setup.mjs";

const main = path.join(root, "tools", "raft-service", "main.ts");
const preload = path.join(root, "tools", "follow-parent.mjs");
const startTimeoutMs = 60_000;
const linesKept = 400;
/** What no fault of this runner excuses. */
const alarming = /diverged|gave up|RAFT_INVARIANT|RAFT_LOG_CORRUPT|RAFT_SNAPSHOT_(CORRUPT|MISSING)|Error:/;

/** One member: a process that is killed and started again over the same directory. */
export class MemberProcess {
  readonly id: string;
  readonly authority: string;
  readonly #command: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #isPaused = false;
  #isKilled = false;
  /** The last lines that it wrote, of all its lives. */
  readonly lines: string[] = [];
  /** Lines that should not be there, and exits that nobody asked for. */
  readonly alarms: string[] = [];

  /**
   * @param wrap - says by which command a command is run, for its network
   * @param args - of the service
   */
  constructor(
    id: string,
    authority: string,
    wrap: (command: readonly string[]) => readonly string[],
    args: readonly string[],
    env: NodeJS.ProcessEnv,
  ) {
    this.id = id;
    this.authority = authority;
    this.#env = env;
    // Memory is bounded so that a leak shows.
    const node = [resolveNode(), "--conditions=@mon/source", "--max-old-space-size=512", "--import", preload];
    this.#command = wrap([...node, main, ...args]);
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Whether it could answer now. */
  get isUp(): boolean {
    return this.isRunning && !this.#isPaused;
  }

  /** Starts it, and waits until it serves or is gone. Does nothing when it runs. */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const [command, ...args] = this.#command;
    this.#isKilled = false;
    const env = { ...process.env, ...this.#env };
    const child = spawn(command!, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe", "ipc"] });
    this.#child = child;
    this.#exited = once(child, "exit").then(([code, signal]) => {
      this.#child = undefined;
      this.#isPaused = false;
      if (!this.#isKilled) this.#alarm(`exited by itself: ${code ?? signal}`);
    });
    createInterface({ input: child.stderr! }).on("line", (line) => this.#take(line));
    const ready = once(createInterface({ input: child.stdout! }), "line", {
      signal: AbortSignal.timeout(startTimeoutMs),
    });
    // Its end is an alarm already, or what somebody wanted.
    await Promise.race([ready, this.#exited]);
    ready.catch(() => {});
  }

  /** Kills it, without a chance to do anything. */
  async kill(): Promise<void> {
    this.#isKilled = true;
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  pause(): void {
    if (this.#child?.kill("SIGSTOP") === true) this.#isPaused = true;
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
    this.#isPaused = false;
  }

  /** @throws {Error} when it does not answer in time */
  async status(timeoutMs = 1_000): Promise<MemberStatus> {
    // What Status answers is what a member's `status` gave.
    return (await operate(this.authority, "Status", {}, timeoutMs)) as MemberStatus;
  }

  #take(line: string): void {
    this.lines.push(line);
    if (this.lines.length > linesKept) this.lines.shift();
    if (alarming.test(line)) this.#alarm(line);
  }

  #alarm(line: string): void {
    this.alarms.push(`${this.id}: ${line}`);
  }
}
