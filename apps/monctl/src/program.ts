import { Command, CommanderError } from "commander";
import { addBackup } from "./commands/backup.ts";
import { addCluster } from "./commands/cluster.ts";
import { addCompletion } from "./commands/completion.ts";
import { addHosts } from "./commands/hosts.ts";
import { addMetrics } from "./commands/metrics.ts";
import { addPush } from "./commands/push.ts";
import { addQuery } from "./commands/query.ts";
import { addRaft } from "./commands/raft.ts";
import { addRing } from "./commands/ring.ts";
import { addStatus } from "./commands/status.ts";
import { addWatch } from "./commands/watch.ts";
import type { Choose } from "./context.ts";
import { MonctlError } from "./errors.ts";
import { examples, watchDefault } from "./help.ts";
import { defaults } from "./settings.ts";

const exitCodesHelp = `
Exit codes:
  0 ok  1 failure  2 usage  3 not found  4 unauthorised  5 unreachable  6 conflict  7 timeout  8 not leader, no quorum
`;

/**
 * Builds the tree of commands.
 *
 * @param choose - called when the command line has chosen a command, with the formats it has and its work
 * @param write - takes the text of `--help` and `--version`
 */
export function createProgram(version: string, choose: Choose, write: (text: string) => void): Command {
  const program = new Command("monctl")
    .description("The command line for operators of mon.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .option("--broker <address>", `a broker's agent door (env: MON_BROKER, default: ${defaults.broker})`)
    .option("--ca <file>", "PEM file of the authority that signed the broker's certificate (env: MON_CA)")
    .option(
      "--timeout <duration>",
      `bound of connecting and of a call (env: MON_TIMEOUT, default: ${defaults.timeout})`,
    )
    .option("-o, --output <format>", "table, json, jsonl, or csv for query (default: table)")
    .option("--json", "the same as --output json; errors too")
    .option("-q, --quiet", "ids only")
    .option("--no-headers", "tables without titles")
    .option("--no-color", "no colours (env: NO_COLOR)")
    .option("--trace", "show requests on stderr")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: write, writeErr: () => {} })
    .exitOverride();
  program.addHelpText(
    "after",
    examples(
      "monctl status",
      "monctl hosts --sort seen",
      "monctl query system_cpu_utilization_ratio --start -6h",
    ) + exitCodesHelp,
  );
  const adders = [
    ...[addStatus, addHosts, addMetrics, addQuery, addPush, addWatch],
    ...[addCluster, addRing, addRaft, addBackup, addCompletion],
  ];
  for (const add of adders) add(program, choose);
  return program;
}

/**
 * Parses a command line; the chosen command calls `choose`.
 *
 * @param args - without the program's name
 * @returns false when it was `--help` or `--version`, which are written already
 * @throws {MonctlError} MONCTL_USAGE, with a suggestion where something is close
 */
export function parseArguments(program: Command, args: readonly string[]): boolean {
  try {
    program.parse(expandWatch(args), { from: "user" });
    return true;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return false;
    throw usageError(error);
  }
}

/** Whether errors are wanted as JSON, which must be known even when the command line cannot be parsed. */
export function wantsJson(args: readonly string[]): boolean {
  return args.some(
    (arg, index) =>
      arg === "--json" ||
      /^(?:--output=|-o=?)jsonl?$/.test(arg) ||
      (/^jsonl?$/.test(arg) && (args[index - 1] === "--output" || args[index - 1] === "-o")),
  );
}

/** Commander would take the argument after an optional value for that value: `--watch web-` lists every host. */
function expandWatch(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.map((arg, index) =>
    arg === "--watch" && (end < 0 || index < end) ? `--watch=${watchDefault}` : arg,
  );
}

function usageError(error: CommanderError): MonctlError {
  if (error.code === "commander.help") {
    return new MonctlError("MONCTL_USAGE", "expected a command, got none", {
      hint: "list them with: monctl --help",
    });
  }
  const [message, suggestion] = error.message.replace(/^error: /, "").split("\n(Did you mean ");
  const hint =
    suggestion === undefined ? "see: monctl --help" : `did you mean ${suggestion.replace(/\?\)$/, "")}?`;
  return new MonctlError("MONCTL_USAGE", message!, { hint, cause: error });
}
