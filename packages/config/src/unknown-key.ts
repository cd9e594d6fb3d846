import type { ConfigProblem } from "./errors.ts";
import type { TextPlace } from "./given.ts";
import { isEntry, type Schema, type SchemaGroup } from "./schema.ts";
import { shownName } from "./shown-value.ts";
import { suggestion } from "./suggestion.ts";

/** The problem of a path that is not in the schema. Its value is not shown: it may be a mistyped secret. */
export function unknownPath<C>(schema: Schema<C>, path: string, place: TextPlace): ConfigProblem {
  const paths = [...schema.entriesByPath.keys(), ...groupPaths(schema.root)];
  const near = suggestion(path, paths) ?? pathOfLastName(schema, path);
  return { path: shownName(path), ...unknown(near), ...place };
}

/** The problem of an environment variable that is not in the schema. */
export function unknownVariable<C>(schema: Schema<C>, variable: string): ConfigProblem {
  const prefix = schema.environmentPrefix;
  const rests = Array.from(schema.entriesByVariable.keys(), (name) => name.slice(prefix.length));
  const near = suggestion(variable.slice(prefix.length), rests);
  const name = shownName(variable);
  return { path: name, ...unknown(near && prefix + near), origin: "environment", source: name };
}

function unknown(near: string | undefined): { value: string; expected: string; hint?: string } {
  const problem = { value: "an unknown key", expected: "a known key" };
  return near === undefined ? problem : { ...problem, hint: `did you mean ${near}?` };
}

function groupPaths(group: SchemaGroup): string[] {
  return [...group.children.values()].flatMap((child) =>
    isEntry(child) ? [] : [child.path, ...groupPaths(child)],
  );
}

/** For a key in the wrong group: the key elsewhere whose last name is nearest. */
function pathOfLastName<C>(schema: Schema<C>, path: string): string | undefined {
  const pathsByName = new Map(
    Array.from(schema.entriesByPath.keys(), (known) => [known.slice(known.lastIndexOf(".") + 1), known]),
  );
  const near = suggestion(path.slice(path.lastIndexOf(".") + 1), pathsByName.keys());
  return near === undefined ? undefined : pathsByName.get(near);
}
