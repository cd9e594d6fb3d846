import { type ChildProcessByStdio, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** What a finished program left behind. */
export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts the real program. */
export function spawnMonctl(
  args: readonly string[],
  env: Record<string, string> = {},
): ChildProcessByStdio<Writable, Readable, Readable> {
  return spawn(process.execPath, ["--conditions=@mon/source", main, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    // Compiling the sources takes longer than the rest; the cache is shared by all runs.
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: join(tmpdir(), "monctl-test-compile-cache"), ...env },
  });
}

/** Runs the real program to its end. */
export async function monctl(
  args: readonly string[],
  options: { env?: Record<string, string>; stdin?: string } = {},
): Promise<Finished> {
  const child = spawnMonctl(args, options.env);
  child.stdin.end(options.stdin ?? "");
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, stdout, stderr };
}
