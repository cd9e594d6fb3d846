import { hostname } from "node:os";
import { resolveOptions } from "@mon/client";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { type CollectorName, collectorNames } from "./collector.ts";
import { durationMs } from "./duration.ts";
import { hostIdFromName, isHostId } from "./host-id.ts";

/** Levels of the log, from the quietest. */
const logLevels = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;

/** What the agent was told to do. */
export interface Settings {
  readonly brokers: readonly string[];
  /** PEM file of the authority that signs for brokers; undefined for those that the system trusts. */
  readonly caFile: string | undefined;
  readonly hostId: string;
  /** The host name that was changed to make the host id; undefined when nothing was changed. */
  readonly changedHostName: string | undefined;
  readonly intervalMs: number;
  readonly task: "report" | "once" | "print";
  readonly json: boolean;
  readonly collectors: ReadonlySet<CollectorName>;
  readonly logLevel: (typeof logLevels)[number];
}

/** What the command line asked for instead of work: text to show, and whether it was a mistake. */
export interface Refusal {
  readonly isUsageError: boolean;
}

interface Flags {
  readonly broker?: string[];
  readonly ca?: string;
  readonly hostId?: string;
  readonly interval: number;
  readonly once?: boolean;
  readonly print?: boolean;
  readonly json?: boolean;
  readonly include?: string[];
  readonly exclude?: string[];
  readonly logLevel: (typeof logLevels)[number];
}

/** Where help and complaints go. */
export interface Console {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
}

const intervalMsMin = 100;
const intervalMsMax = 86_400_000;

const examples = `
Examples:
  mon-agent                                        report this machine to 127.0.0.1:7400 every 15 s
  mon-agent --broker http://10.0.0.5:7400 --interval 1s
  mon-agent --broker http://a:7400,http://b:7400   fail over between two
  mon-agent --broker https://a:7400 --ca ca.pem    over TLS, with an authority of your own
  mon-agent --print                                show what would be sent
  mon-agent --once --json                          send one report and say what became of it

Exit codes: 0 done, 1 not everything was stored (--once), 2 usage, 5 no broker answered (--once), 70 broken.`;

/**
 * Reads command line and environment. Shows help, version and complaints itself.
 *
 * @param args - the arguments after the program's name
 */
export function settingsFrom(args: readonly string[], version: string, console: Console): Settings | Refusal {
  const command = new Command("mon-agent")
    .description("Reads this machine and reports to a mon broker.")
    .version(version)
    .addOption(
      new Option("--broker <url>", "broker address; repeat it or separate by commas to fail over")
        .env("MON_AGENT_BROKER")
        .argParser(collectList),
    )
    .addOption(
      new Option("--ca <file>", "PEM file of the authority that signed the brokers' certificates").env(
        "MON_AGENT_CA",
      ),
    )
    .option("--host-id <id>", "the host to report for (default: the host name)", parseHostId)
    .option("--interval <duration>", "time between two reports: 500ms, 15s, 1m", parseInterval, 15_000)
    .option("--once", "send one report, wait for its outcome, and exit")
    .addOption(new Option("--print", "show the samples and exit; no broker is needed").conflicts("once"))
    .option("--json", "with --print or --once: JSON")
    .option("--include <names>", `only these collectors: ${collectorNames.join(", ")}`, collectList)
    .option("--exclude <names>", "all but these collectors", collectList)
    .addOption(new Option("--log-level <level>", "how much to log").choices(logLevels).default("info"))
    .addHelpText("after", examples)
    .configureOutput({ writeOut: console.out, writeErr: console.error })
    .exitOverride();
  try {
    command.parse([...args], { from: "user" });
    return resolve(command.opts<Flags>());
  } catch (error) {
    if (error instanceof CommanderError) return { isUsageError: error.exitCode !== 0 };
    if (error instanceof RangeError) {
      console.error(`error: ${error.message}\n`);
      return { isUsageError: true };
    }
    throw error;
  }
}

function resolve(flags: Flags): Settings {
  const brokers = flags.broker ?? ["http://127.0.0.1:7400"];
  resolveOptions({ brokers });
  const plain = flags.ca === undefined ? undefined : brokers.find((broker) => !broker.startsWith("https:"));
  if (plain !== undefined) throw new RangeError(`expected https:// brokers with --ca, got ${plain}`);
  if (flags.json && !flags.print && !flags.once) throw new RangeError("--json goes with --print or --once");
  const name = hostname();
  const hostId = flags.hostId ?? hostIdFromName(name);
  return {
    brokers,
    caFile: flags.ca,
    hostId,
    changedHostName: flags.hostId === undefined && hostId !== name ? name : undefined,
    intervalMs: flags.interval,
    task: flags.print ? "print" : flags.once ? "once" : "report",
    json: flags.json ?? false,
    collectors: chosenCollectors(flags.include, flags.exclude),
    logLevel: flags.logLevel,
  };
}

function chosenCollectors(include: readonly string[] | undefined, exclude: readonly string[] | undefined) {
  const chosen = new Set(include === undefined ? collectorNames : include.map(collectorName));
  for (const name of exclude ?? []) chosen.delete(collectorName(name));
  if (chosen.size === 0) throw new RangeError("expected at least one collector, got none");
  return chosen;
}

function collectorName(name: string): CollectorName {
  const known = collectorNames.find((each) => each === name);
  if (known !== undefined) return known;
  throw new RangeError(`expected a collector (${collectorNames.join(", ")}), got ${name}`);
}

function collectList(value: string, before: readonly string[] | undefined): string[] {
  const items = value.split(",").map((item) => item.trim());
  return [...(before ?? []), ...items.filter((item) => item !== "")];
}

function parseHostId(value: string): string {
  if (isHostId(value)) return value;
  throw new InvalidArgumentError("Expected 1 to 128 of A-Z a-z 0-9 . _ -, the first a letter or digit.");
}

function parseInterval(value: string): number {
  const ms = durationMs(value);
  if (ms !== undefined && ms >= intervalMsMin && ms <= intervalMsMax) return ms;
  throw new InvalidArgumentError("Expected a duration from 100ms to 24h, such as 500ms, 15s or 1m.");
}
