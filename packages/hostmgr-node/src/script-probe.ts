import { spawn } from "node:child_process";
import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import { CapturedOutput, type ScriptReading } from "@mon/hostmgr";
import { HostIoError } from "./errors.ts";

/** A program to run. */
export interface Script {
  /** Absolute. */
  readonly path: string;
  readonly args: readonly string[];
}

/** Whom a program runs as. */
export interface ScriptUser {
  readonly uid: number;
  readonly gid: number;
}

/** How long a pipe that somebody else holds open is listened to after the program has ended, milliseconds. */
const drainMs = 200;

/**
 * Runs a program without a shell, in a process group of its own, with nothing of this process's environment. When it ends, or the
 * signal aborts, the whole group is killed; what has left the group by then is not reached. At most 4 KB of what it prints are kept.
 *
 * @param folders - where programs may be; links are followed before it is looked at
 * @param user - whom it runs as, without any other group; as this process, without
 * @throws {HostIoError} HOST_IO_REFUSED_SCRIPT, HOST_IO_NO_SCRIPT; or the signal's reason
 */
export async function runOnce(
  script: Script,
  folders: readonly string[],
  signal: AbortSignal,
  user?: ScriptUser,
): Promise<ScriptReading> {
  const file = await allowedFile(script.path, folders);
  signal.throwIfAborted();
  try {
    return await run(file, script.args, signal, user);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw HostIoError.from(error, "HOST_IO_NO_SCRIPT");
  }
}

/** The file behind a path, when it may be run. */
async function allowedFile(file: string, folders: readonly string[]): Promise<string> {
  const refuse = (reason: string): HostIoError =>
    new HostIoError("HOST_IO_REFUSED_SCRIPT", `${file} ${reason}`);
  if (!path.isAbsolute(file)) throw refuse("is not absolute");
  try {
    const real = await realpath(file);
    const roots = await Promise.all(folders.map((folder) => realpath(folder)));
    const root = roots.find((each) => real.startsWith(`${each}${path.sep}`));
    if (root === undefined) throw refuse("is in no folder that is allowed");
    const uid = process.getuid?.();
    // Whoever may write the program, or put another in its place, is whoever may run things as this process.
    for (let each = real; ; each = path.dirname(each)) {
      const { mode, uid: owner } = await stat(each);
      if ((mode & 0o022) !== 0 || (owner !== 0 && owner !== uid))
        throw refuse(`can be changed by others: ${each}`);
      if (each === root) break;
    }
    return real;
  } catch (error) {
    throw HostIoError.from(error, "HOST_IO_NO_SCRIPT");
  }
}

function run(
  file: string,
  args: readonly string[],
  signal: AbortSignal,
  user: ScriptUser | undefined,
): Promise<ScriptReading> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      shell: false,
      // A process group of its own, led by it.
      detached: true,
      cwd: "/",
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", LANG: "C.UTF-8" },
      stdio: ["ignore", "pipe", "pipe"],
      ...user,
    });
    const output = new CapturedOutput();
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      killGroup(child.pid);
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const abort = (): void => {
      end();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => output.add(chunk));
      // A pipe that breaks says nothing that the exit code does not.
      stream.on("error", () => {});
    }
    child.once("error", (error) => {
      end();
      reject(HostIoError.from(error, "HOST_IO_NO_SCRIPT"));
    });
    const done = (code: number | null, endedBy: NodeJS.Signals | null): void => {
      end();
      resolve({ exitCode: code ?? undefined, signal: endedBy ?? undefined, output: output.text() });
    };
    // What it has started may hold its pipes open for ever: the group ends with it, and pipes are not waited for long.
    child.once("exit", (code, endedBy) => {
      killGroup(child.pid);
      timer = setTimeout(() => done(code, endedBy), drainMs);
    });
    child.once("close", done);
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}
