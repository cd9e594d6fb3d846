import { type Environment, givenByEnvironment } from "./environment-layer.ts";
import { ProblemList } from "./errors.ts";
import { type ConfigFile, givenByFile } from "./file-layer.ts";
import { type FlagInput, givenByFlags } from "./flag-layer.ts";
import type { Given } from "./given.ts";
import type { Setting } from "./origin.ts";
import type { Rule, Schema, SchemaKey } from "./schema.ts";
import { redacted, shownKind, shownName, shownValue } from "./shown-value.ts";
import { checked, type Settled } from "./validation.ts";

/** The layers, read by the caller. Each may be left out. */
export interface ConfigInput extends FlagInput {
  /** The environment; `process.env` may be given as it is. */
  readonly env?: Environment;
  readonly file?: ConfigFile;
  /** Values for the keys that the schema leaves to the caller, by path. They are validated like any other. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  /**
   * Reads the file that a secret is given by. Needed only for schemas with secrets, called once for each reference
   * in force. One line break at the end is not part of the secret. An error thrown becomes a problem of the key.
   */
  readonly readSecret?: (path: string) => string;
}

/** A valid configuration; immutable, all the way down. */
export interface LoadedConfig<C> {
  readonly config: C;
  /** Each key's effective value and where it came from, by path, in the order of the schema. */
  readonly settings: ReadonlyMap<string, Setting>;
  readonly schema: Schema<C>;
}

/**
 * Loads a configuration: for each key the strongest layer that gives it wins, in the order flag, environment, file,
 * default. All layers are validated, also where a stronger one hides a value, and all problems are reported at once.
 *
 * Pure: reads nothing but `input`, except through `readSecret`. O(size of the input).
 *
 * @throws {ConfigError} CONFIG_INVALID with every problem
 * @throws {TypeError} when a secret is given by file and there is no `readSecret`, or `defaults` has a key that the
 *   schema does not leave to the caller
 */
export function loadConfig<C>(schema: Schema<C>, input: ConfigInput = {}): LoadedConfig<C> {
  for (const path of Object.keys(input.defaults ?? {})) {
    if (schema.entriesByPath.get(path)?.schemaKey.key.absence.kind !== "supplied") {
      throw new TypeError(`expected defaults for keys that the caller supplies, got ${path}`);
    }
  }
  const problems = new ProblemList();
  const given = Map.groupBy(
    [
      ...givenByFlags(schema, input, problems),
      ...givenByEnvironment(schema, input.env ?? {}, problems),
      ...(input.file === undefined ? [] : givenByFile(schema, input.file, problems)),
    ],
    (one) => one.entry.schemaKey.path,
  );

  const config: Group = {};
  const settings = new Map<string, Setting>();
  for (const schemaKey of schema.keys) {
    const { path } = schemaKey;
    const settled = settle(schemaKey, given.get(path) ?? [], input, problems);
    place(config, path, settled.value);
    const value =
      schemaKey.key.options.secret === true && settled.value !== undefined ? redacted : settled.value;
    settings.set(path, Object.freeze({ path, value, origin: settled.origin, source: settled.source }));
  }

  // The tree of keys has the shape of C (`Keys<C>`), and each value was validated or is a validated default.
  const typed = deepFrozen(config) as C;
  for (const rule of schema.rules) checkRule(rule, typed, settings, problems);
  problems.throwIfAny();
  return Object.freeze({ config: typed, settings, schema });
}

/** Validates everything given for a key and returns what is in force. */
function settle(
  schemaKey: SchemaKey,
  given: readonly Given[],
  input: ConfigInput,
  problems: ProblemList,
): Settled {
  let inForce: Settled | undefined;
  let previous: Given | undefined;
  for (const one of given) {
    const source = one.sourceAt([]);
    if (previous?.origin === one.origin) {
      const expected = `one value, and ${previous.sourceAt([])} gives one`;
      problems.add({ path: schemaKey.path, value: "another", expected, origin: one.origin, source });
    }
    // A hidden reference is not followed: its file may not exist here.
    const hiddenReference = one.entry.secretFile && inForce !== undefined;
    const settled = hiddenReference ? undefined : valid(one, input, problems);
    inForce ??= settled;
    previous = one;
  }
  return inForce ?? absent(schemaKey, input, problems);
}

function valid(one: Given, input: ConfigInput, problems: ProblemList): Settled | undefined {
  const { schemaKey, secretFile } = one.entry;
  const source = one.sourceAt([]);
  if (!secretFile) return checked(one, problems);
  if (typeof one.raw !== "string" || one.raw === "") {
    const value = shownKind(one.raw);
    problems.add(
      { path: `${schemaKey.path}File`, value, expected: "a path", origin: one.origin, source },
      schemaKey.path,
    );
    return undefined;
  }
  if (input.readSecret === undefined) throw new TypeError(`expected readSecret for ${schemaKey.path}File`);
  let secret: string;
  try {
    secret = input.readSecret(one.raw);
  } catch (error) {
    const expected = "a readable file";
    const value = shownName(error instanceof Error ? error.message : String(error));
    problems.add(
      { path: `${schemaKey.path}File`, value, expected, origin: one.origin, source },
      schemaKey.path,
    );
    return undefined;
  }
  return checked({ ...one, raw: secret.replace(/\r?\n$/, "") }, problems);
}

function absent(schemaKey: SchemaKey, input: ConfigInput, problems: ProblemList): Settled {
  const { path, key } = schemaKey;
  const origin = "default";
  const source = "default";
  switch (key.absence.kind) {
    case "default":
      return { value: key.absence.value, origin, source };
    case "optional":
      return { value: undefined, origin, source };
    case "supplied": {
      const raw = input.defaults?.[path];
      // Already spoilt: what was given is the problem, not what would have stood in for it.
      if (problems.spoils(path)) return { value: raw, origin, source };
      const entry = { schemaKey, secretFile: false };
      return (
        checked({ entry, raw, origin, sourceAt: () => source }, problems) ?? { value: raw, origin, source }
      );
    }
    default:
      return key.absence satisfies never;
  }
}

function checkRule<C>(
  rule: Rule<C>,
  config: C,
  settings: ReadonlyMap<string, Setting>,
  problems: ProblemList,
): void {
  if (rule.paths.some((path) => problems.spoils(path))) return;
  const expected = rule.check(config);
  if (expected === undefined) return;
  const involved = rule.paths.map((path) => settings.get(path)!);
  const { path, value, origin, source } = involved.find(({ origin }) => origin !== "default") ?? involved[0]!;
  problems.add({ path, value: shownValue(value), expected, origin, source });
}

interface Group {
  [name: string]: unknown;
}

function place(root: Group, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop()!;
  let group = root;
  for (const name of names) {
    group[name] ??= {};
    group = group[name] as Group;
  }
  group[last] = value;
}

function deepFrozen(value: unknown): unknown {
  if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) deepFrozen(member);
    Object.freeze(value);
  }
  return value;
}
