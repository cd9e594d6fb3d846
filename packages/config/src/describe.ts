import type { Schema, SchemaKey } from "./schema.ts";

/** What documentation says of a key. */
export interface KeyDescription {
  readonly path: string;
  /** `integer`, `duration`, `list of range rules` */
  readonly type: string;
  /** As it is written in a file; for a key without a default, what that means. */
  readonly default: string;
  /** `0 to 65535`; empty when the type says it all. */
  readonly range: string;
  /** `MON_LISTEN_GRPC_PORT` */
  readonly variable: string;
  /** `--grpc-port <port>`; undefined when only `--set` reaches the key. */
  readonly flag: string | undefined;
  /** `true`: static, a change needs a restart. `false`: dynamic. */
  readonly restart: boolean;
  readonly secret: boolean;
  readonly description: string;
}

/** Every key of a schema, in its order. */
export function describeSchema<C>(schema: Schema<C>): KeyDescription[] {
  return schema.keys.map((schemaKey) => {
    const { type, options } = schemaKey.key;
    return {
      path: schemaKey.path,
      type: type.name,
      default: describedDefault(schemaKey),
      range: type.range,
      variable: schemaKey.variable,
      flag: options.flag,
      restart: options.restart,
      secret: options.secret === true,
      description: options.description,
    };
  });
}

/** A Markdown table of every key of a schema. */
export function renderMarkdown<C>(schema: Schema<C>): string {
  const header = ["Key", "Default", "Allowed", "Flag", "Variable", "Change", "What it does"];
  const rows = describeSchema(schema).map((key) => [
    `\`${key.path}\``,
    key.default,
    key.range === "" ? key.type : `${key.type}: ${key.range}`,
    key.flag === undefined ? "" : `\`${key.flag}\``,
    `\`${key.variable}\``,
    key.restart ? "restart" : "live",
    key.secret ? `${key.description} Secret.` : key.description,
  ]);
  return [header, header.map(() => "---"), ...rows].map(tableRow).join("");
}

function tableRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |\n`;
}

function describedDefault({ key }: SchemaKey): string {
  const { absence, type, options } = key;
  if (absence.kind !== "default") return absence.meaning;
  if (options.secret === true) return "a built-in one";
  const value = type.toFile(absence.value);
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}
