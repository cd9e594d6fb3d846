import {
  type BrokerConfig,
  brokerSchema,
  ConfigError,
  type ConfigInput,
  type LoadedConfig,
  loadConfig,
} from "@mon/config";

const defaults = { nodeId: "test-node" };

/** Loads the broker's configuration. */
export function load(input: ConfigInput = {}): LoadedConfig<BrokerConfig> {
  return loadConfig(brokerSchema, { defaults, ...input });
}

/** Loads the broker's configuration from a file named `mon.yaml`. */
export function loadYaml(text: string): LoadedConfig<BrokerConfig> {
  return load({ file: { path: "mon.yaml", text } });
}

/** The error that `action` throws; fails when it throws none or another. */
export function configErrorOf(action: () => unknown): ConfigError {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("expected a ConfigError");
}

/** The file that gives one key: `yamlOf("a.b", "1")` is `a:\n  b: 1`. */
export function yamlOf(path: string, value: string): string {
  const names = path.split(".");
  return names
    .map((name, depth) => `${"  ".repeat(depth)}${name}:${depth === names.length - 1 ? ` ${value}` : ""}`)
    .join("\n");
}
