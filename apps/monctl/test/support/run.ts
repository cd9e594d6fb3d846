import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { run } from "../../src/run.ts";
import type { Finished } from "./monctl.ts";

/** A program that runs inside the test's process. */
interface Running {
  /** What it writes, as it writes it. */
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  /** Does what Ctrl-C does. */
  interrupt(): void;
  readonly exitCode: Promise<number>;
}

/** Starts a command line inside the test's process. */
export function start(
  args: readonly string[],
  options: {
    terminal?: boolean;
    /** Whether standard error is a terminal. */
    errorTerminal?: boolean;
    env?: Record<string, string>;
    now?: number;
    stdin?: string;
  } = {},
): Running {
  const stop = new AbortController();
  const stdout = Object.assign(new PassThrough(), { isTTY: options.terminal ?? false });
  const stderr = Object.assign(new PassThrough(), { isTTY: options.errorTerminal ?? false });
  const stdin = new PassThrough();
  stdin.end(options.stdin ?? "");
  const now = options.now;
  const exitCode = run({
    version: "0.1.0",
    args,
    env: options.env ?? {},
    stdin,
    stdout,
    stderr,
    stop: stop.signal,
    now: now === undefined ? Date.now : () => now,
  }).finally(() => {
    stdout.end();
    stderr.end();
  });
  return { stdout, stderr, interrupt: () => stop.abort(), exitCode };
}

/** Runs a command line inside the test's process to its end. */
export async function runToEnd(...parameters: Parameters<typeof start>): Promise<Finished> {
  const running = start(...parameters);
  const [stdout, stderr, code] = await Promise.all([
    text(running.stdout),
    text(running.stderr),
    running.exitCode,
  ]);
  return { code, stdout, stderr };
}
