import type { ProblemList } from "./errors.ts";
import type { Origin } from "./origin.ts";
import type { SchemaEntry } from "./schema.ts";
import { plainValue, readYaml } from "./yaml-document.ts";

/** What one layer gives for one key, not yet validated. */
export interface Given {
  readonly entry: SchemaEntry;
  readonly raw: unknown;
  readonly origin: Origin;
  /** Where the value at a path inside of `raw` was given; the empty path is `raw` itself. */
  sourceAt(path: readonly PropertyKey[]): string;
}

/** Where text outside of the file was given. */
export interface TextPlace {
  readonly origin: Origin;
  readonly source: string;
}

/**
 * What text from a flag or the environment gives for a key; undefined when it is YAML that cannot be read, which is
 * then among `problems`.
 */
export function givenByText(
  entry: SchemaEntry,
  text: string,
  { origin, source }: TextPlace,
  problems: ProblemList,
): Given | undefined {
  const { path, key } = entry.schemaKey;
  const given = { entry, origin, sourceAt: () => source };
  if (entry.secretFile) return { ...given, raw: text };
  if (!key.type.structured) return { ...given, raw: key.type.fromText(text) };
  const { root, faults } = readYaml(text);
  for (const fault of faults) {
    problems.add(
      { path: path + fault.path, value: fault.value, expected: fault.expected, origin, source },
      path,
    );
  }
  if (faults.length > 0) return undefined;
  return { ...given, raw: root === undefined ? text : plainValue(root) };
}
