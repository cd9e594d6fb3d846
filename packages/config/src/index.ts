/**
 * One schema for a program's configuration: its type, validation, defaults and documentation, and for each value
 * where it came from (flag > environment > YAML file > default).
 *
 * Pure: file text, environment and flags come in by hand.
 *
 * @packageDocumentation
 */
export { type BrokerConfig, brokerSchema, type RangeRule } from "./broker.ts";
export { formatBytes, parseBytes } from "./bytes.ts";
export { describeSchema, type KeyDescription, renderMarkdown } from "./describe.ts";
export { formatDuration, parseDuration } from "./duration.ts";
export type { Environment } from "./environment-layer.ts";
export { ConfigError, type ConfigErrorCode, type ConfigProblem } from "./errors.ts";
export type { ConfigFile } from "./file-layer.ts";
export { type Flag, type FlagInput, listFlags } from "./flag-layer.ts";
export { type Absence, type Key, type KeyOptions, key } from "./key.ts";
export { type ConfigInput, type LoadedConfig, loadConfig } from "./load.ts";
export { isLoopback } from "./loopback.ts";
export type { Origin, Setting } from "./origin.ts";
export { type PrintOptions, printConfig } from "./print.ts";
export {
  defineSchema,
  type Keys,
  type Rule,
  type Schema,
  type SchemaDefinition,
  type SchemaEntry,
  type SchemaGroup,
  type SchemaKey,
} from "./schema.ts";
export {
  type Bounds,
  boolean,
  bytes,
  duration,
  integer,
  type ListOptions,
  list,
  oneOf,
  type TextOptions,
  text,
  type ValueType,
} from "./value-type.ts";
