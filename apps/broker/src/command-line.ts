import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import {
  type BrokerConfig,
  brokerSchema,
  ConfigError,
  type LoadedConfig,
  listFlags,
  loadConfig,
} from "@mon/config";
import { Command } from "commander";
import { ExitCode } from "./exit-code.ts";
import { version } from "./version.ts";

/** What the broker was told to do. */
export interface Instruction {
  readonly loaded: LoadedConfig<BrokerConfig>;
  readonly action: "run" | "check" | "print";
}

const examples = `
Examples:
  mon-broker                                     start on 127.0.0.1, data in ./data
  mon-broker --config /etc/mon/broker.yaml       start from a file
  mon-broker --check-config --config broker.yaml say whether a file is valid, and exit
  mon-broker --print-config --grpc-port 7500     show what is in force and where it comes from
  MON_STORE_RETENTION_MS=30d mon-broker          set any key by environment
  mon-broker --set store.retentionMs=30d         set any key by flag`;

/**
 * Reads arguments, environment and file.
 *
 * @throws {ConfigError} when the configuration is invalid
 */
export function readCommandLine(argv: readonly string[], env: NodeJS.ProcessEnv): Instruction {
  const command = new Command("mon-broker")
    .description("The broker cluster that monitoring data flows through: one node of it.")
    .version(version)
    .option("--config <file>", "YAML file with the configuration (environment MON_CONFIG)")
    .option("--check-config", "check the configuration and exit: 0 when it is valid, 78 when not")
    .option("--print-config", "print the configuration in force, with the origin of each value, and exit")
    .option("--set <path=value>", "set any key by its path; repeatable", collect, [])
    .addHelpText("after", examples)
    .showHelpAfterError("(--help shows what there is)")
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : ExitCode.configInvalid));
  for (const { flag, description } of listFlags(brokerSchema)) command.option(flag, description);
  command.parse(argv, { from: "user" });
  const options = command.opts();
  const file: string | undefined = options.config ?? env.MON_CONFIG;
  const loaded = loadConfig(brokerSchema, {
    flags: options,
    set: options.set,
    env,
    ...(file !== undefined && { file: { path: file, text: readConfigFile(file) } }),
    defaults: { nodeId: nodeIdFrom(hostname()) },
    readSecret: (path) => readFileSync(path, "utf8"),
  });
  const action = options.checkConfig ? "check" : options.printConfig ? "print" : "run";
  return { loaded, action };
}

function collect(value: string, values: string[]): string[] {
  return [...values, value];
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const value = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([
      { path: "--config", value, expected: "a file that can be read", origin: "flag", source: path },
    ]);
  }
}

/** A host name with whatever a node's name may not have replaced. */
function nodeIdFrom(name: string): string {
  return (
    name
      .replace(/[^A-Za-z0-9._-]/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, 128) || "broker"
  );
}
