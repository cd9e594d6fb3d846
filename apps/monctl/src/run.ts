import type { Writable } from "node:stream";
import { type Broker, openBroker } from "./broker.ts";
import type { Action, Context } from "./context.ts";
import { MonctlError } from "./errors.ts";
import { Output } from "./output.ts";
import { createProgram, parseArguments, wantsJson } from "./program.ts";
import { type Format, type GlobalFlags, resolveSettings } from "./settings.ts";
import { printable } from "./text.ts";

/** What the program works with. */
interface RunDeps {
  version: string;
  /** The command line without the program's name. */
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  stdin: AsyncIterable<Uint8Array>;
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  /** Aborts at Ctrl-C. */
  stop: AbortSignal;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** What a shell shows for a program that was interrupted. */
const interruptedExitCode = 130;

/**
 * Runs one command line. Errors become messages, with `--json` one document on standard output besides.
 *
 * @returns the exit code
 */
export async function run(deps: RunDeps): Promise<number> {
  const output = new Output(deps.stdout, deps.stderr);
  try {
    return await runCommand(deps, output);
  } catch (reason) {
    if (deps.stop.aborted) return interruptedExitCode;
    const error = MonctlError.from(reason);
    output.note(printable(error.message));
    if (error.hint !== undefined) output.note(`hint: ${printable(error.hint)}`);
    if (wantsJson(deps.args)) await output.write(`${JSON.stringify(error)}\n`);
    return error.exitCode;
  }
}

async function runCommand(deps: RunDeps, output: Output): Promise<number> {
  let chosen: { formats: readonly Format[]; action: Action } | undefined;
  let text = "";
  const program = createProgram(
    deps.version,
    (formats, action) => {
      chosen = { formats, action };
    },
    (part) => {
      text += part;
    },
  );
  if (!parseArguments(program, deps.args) || chosen === undefined) {
    await output.write(text);
    return 0;
  }
  const terminal = deps.stdout.isTTY ?? false;
  const settings = resolveSettings(program.opts<GlobalFlags>(), deps.env, terminal);
  if (!chosen.formats.includes(settings.format)) {
    const formats = chosen.formats.join(", ");
    throw new MonctlError("MONCTL_USAGE", `expected --output ${formats}, got "${settings.format}"`);
  }
  const brokerDeps = { stop: deps.stop, now: deps.now, trace: (line: string) => output.trace(line) };
  let broker: Promise<Broker> | undefined;
  const context: Context = {
    settings,
    output,
    terminal,
    stdin: deps.stdin,
    stop: deps.stop,
    now: deps.now,
    broker: () => (broker ??= openBroker(settings, brokerDeps)),
    brokerAt: (address) => {
      const { protocol } = new URL(settings.brokerUrl);
      return openBroker({ ...settings, brokerUrl: `${protocol}//${address}` }, brokerDeps);
    },
  };
  try {
    return await chosen.action(context);
  } finally {
    await broker?.then(
      (opened) => opened.close(),
      () => {}, // Whoever asked for the connection has the error.
    );
  }
}
