import { stringify } from "yaml";
import type { LoadedConfig } from "./load.ts";
import type { Setting } from "./origin.ts";
import { isEntry, type SchemaGroup } from "./schema.ts";
import { redacted } from "./shown-value.ts";
import type { ValueType } from "./value-type.ts";

/** How {@link printConfig} writes. */
export interface PrintOptions {
  /** Whether each value is followed by a comment that says where it came from. Default false. */
  readonly origins?: boolean;
}

/**
 * The configuration in force as YAML that {@link loadConfig} takes as a file: every key, durations and sizes in units.
 * Keys without a value are comments. Secrets are `<redacted>`, which is refused when loaded.
 */
export function printConfig<C>({ schema, settings }: LoadedConfig<C>, options: PrintOptions = {}): string {
  return `${printedGroup(schema.root, settings, options).join("\n")}\n`;
}

function printedGroup(
  group: SchemaGroup,
  settings: ReadonlyMap<string, Setting>,
  options: PrintOptions,
): string[] {
  return [...group.children].flatMap(([name, member]) => {
    if (!isEntry(member)) {
      const lines = printedGroup(member, settings, options);
      // A name with nothing but comments below would be read back as null.
      if (lines.every((line) => line.trimStart().startsWith("#"))) return [`# ${name}: not set`];
      return [`${name}:`, ...lines.map((line) => `  ${line}`)];
    }
    if (member.secretFile) return [];
    const { path, key } = member.schemaKey;
    const setting = settings.get(path)!;
    return printed(name, setting, key.type, options.origins === true ? ` # ${setting.source}` : "");
  });
}

function printed(name: string, setting: Setting, type: ValueType<unknown>, comment: string): string[] {
  if (setting.value === undefined) return [`# ${name}: not set`];
  const value = setting.value === redacted ? redacted : type.toFile(setting.value);
  if (!Array.isArray(value) || value.length === 0) return [`${name}: ${inline(value)}${comment}`];
  return [`${name}:${comment}`, ...value.map((item) => `  - ${inline(item)}`)];
}

/** A value on one line. */
function inline(value: unknown): string {
  const text = stringify(value, { collectionStyle: "flow", lineWidth: 0, compat: "yaml-1.1" }).trimEnd();
  // YAML writes a text with line breaks as a block; JSON, which is YAML too, keeps it on its line.
  return text.includes("\n") ? JSON.stringify(value) : text;
}
