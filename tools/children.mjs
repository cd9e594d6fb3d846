/** Child processes whose lives are tied to the script that started them. Plain JavaScript, as setup.mjs. */
import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { resolveNode, root, toolEnvironment } from "./setup.mjs";

/** npm forwards a Ctrl-C that the terminal has already delivered; a repeat this soon is the same one. */
const repeatMs = 300;

/**
 * Starts `command` in a process group of its own, so that a signal reaches it once, through {@link onStopSignal}.
 *
 * @returns the child, and `exited`: its exit code, or 128 plus the signal's number as a shell counts it
 */
export function startChild(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, stdio: "inherit", detached: true, ...options });
  const exited = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + os.constants.signals[signal]));
  });
  return { child, exited };
}

/**
 * Starts an app from its sources on the repository's Node. It gets SIGTERM when this process dies, however it dies.
 *
 * @param {string} name
 * @param {readonly string[]} args
 * @param {{ stdio?: string | (string | number)[], cwd?: string, env?: object }} options
 */
export function startApp(name, args, { stdio = "inherit", cwd = root, env = {} } = {}) {
  const node = resolveNode();
  const preload = path.join(root, "tools", "follow-parent.mjs");
  const main = path.join(root, "apps", name, "src", "main.ts");
  const channels = typeof stdio === "string" ? [stdio, stdio, stdio, "ipc"] : [...stdio, "ipc"];
  return startChild(node, ["--conditions=@mon/source", "--import", preload, main, ...args], {
    stdio: channels,
    cwd,
    env: { ...toolEnvironment(node), ...env },
  });
}

/** Calls `handle(signal, count)` on each stop signal that this process gets; `count` is 1 for the first. */
export function onStopSignal(handle) {
  let count = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (nowMs - lastMs < repeatMs) return;
      lastMs = nowMs;
      count += 1;
      handle(signal, count);
    });
  }
}
