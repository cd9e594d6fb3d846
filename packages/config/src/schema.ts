import { Key } from "./key.ts";
import { reservedNames } from "./reserved-names.ts";
import { shownValue } from "./shown-value.ts";

type Scalar = string | number | boolean | bigint | null | undefined;

/** The keys of a configuration `C`: the shape of `C` with a {@link Key} for each scalar and list. */
export type Keys<C> = {
  readonly [P in keyof C]-?: [C[P]] extends [Scalar | readonly unknown[]] ? Key<C[P]> : Keys<C[P]>;
};

/** A condition over several keys. */
export interface Rule<C> {
  /**
   * The keys it looks at; it is only checked when each of them is valid by itself. A breach is reported at the first
   * of them that is not left to its default.
   */
  readonly paths: readonly string[];
  /** What was expected, when `config` breaks the rule. May read only the keys of `paths`. */
  check(config: C): string | undefined;
}

/** What {@link defineSchema} takes. */
export interface SchemaDefinition<C> {
  readonly keys: Keys<C>;
  readonly rules?: readonly Rule<C>[];
  /** What the environment variables of this configuration begin with: `MON_`. */
  readonly environmentPrefix: string;
  /** Variables with that prefix that belong to somebody else; others that are unknown are errors. */
  readonly environmentIgnored?: (name: string) => boolean;
}

/** A key in its place. */
export interface SchemaKey {
  /** `listen.grpcPort` */
  readonly path: string;
  readonly key: Key<unknown>;
  /** `MON_LISTEN_GRPC_PORT` */
  readonly variable: string;
  /** The flag's long name, `--grpc-port`; undefined when it has none of its own. */
  readonly flag: string | undefined;
}

/** What a name in a file, a variable or a flag stands for: a key's value, or the path of a file that holds it. */
export interface SchemaEntry {
  readonly schemaKey: SchemaKey;
  readonly secretFile: boolean;
}

/** A group of names in a file. */
export interface SchemaGroup {
  /** `listen`; empty for the root. */
  readonly path: string;
  readonly children: ReadonlyMap<string, SchemaGroup | SchemaEntry>;
}

/** A checked schema; immutable. Made by {@link defineSchema}. */
export interface Schema<C> {
  /** All keys, in the order of their definition. */
  readonly keys: readonly SchemaKey[];
  readonly rules: readonly Rule<C>[];
  readonly root: SchemaGroup;
  /** By full path, references to secrets' files included. */
  readonly entriesByPath: ReadonlyMap<string, SchemaEntry>;
  /** By variable, references to secrets' files included. */
  readonly entriesByVariable: ReadonlyMap<string, SchemaEntry>;
  readonly environmentPrefix: string;
  environmentIgnored(name: string): boolean;
}

/** Whether a member of a group is a key (or a reference to a secret's file) rather than a group. */
export function isEntry(member: SchemaGroup | SchemaEntry): member is SchemaEntry {
  return "schemaKey" in member;
}

/**
 * Makes a schema of a tree of keys. The compiler checks the tree against `C`; this checks what it cannot.
 *
 * @throws {TypeError} for a name that is not camel case, two keys with one variable or flag, a default outside its
 *   own range, a rule over an unknown key
 */
export function defineSchema<C>(definition: SchemaDefinition<C>): Schema<C> {
  const keys: SchemaKey[] = [];
  const entriesByPath = new Map<string, SchemaEntry>();
  const entriesByVariable = new Map<string, SchemaEntry>();
  const flags = new Set<string>();

  const addEntry = (path: string, variable: string, entry: SchemaEntry): void => {
    if (entriesByPath.has(path)) throw new TypeError(`expected one key at ${path}, got two`);
    if (entriesByVariable.has(variable)) throw new TypeError(`expected one key for ${variable}, got two`);
    entriesByPath.set(path, entry);
    entriesByVariable.set(variable, entry);
  };

  const addKey = (
    path: string,
    key: Key<unknown>,
    siblings: Map<string, SchemaGroup | SchemaEntry>,
  ): void => {
    assertDefault(path, key);
    const flag = key.options.flag?.split(" ")[0];
    if (flag !== undefined && flags.has(flag)) throw new TypeError(`expected one key for ${flag}, got two`);
    if (flag !== undefined) flags.add(flag);
    const schemaKey = { path, key, variable: variableOf(definition.environmentPrefix, path), flag };
    keys.push(schemaKey);
    const value = { schemaKey, secretFile: false };
    addEntry(path, schemaKey.variable, value);
    siblings.set(lastName(path), value);
    if (key.options.secret !== true) return;
    const reference = { schemaKey, secretFile: true };
    addEntry(`${path}File`, `${schemaKey.variable}_FILE`, reference);
    siblings.set(`${lastName(path)}File`, reference);
  };

  const addGroup = (path: string, tree: object): SchemaGroup => {
    const children = new Map<string, SchemaGroup | SchemaEntry>();
    for (const [name, member] of Object.entries(tree)) {
      if (!/^[a-z][A-Za-z0-9]*$/.test(name) || reservedNames.has(name)) {
        throw new TypeError(`expected a camel-case name, got ${shownValue(name)}`);
      }
      const memberPath = path === "" ? name : `${path}.${name}`;
      if (member instanceof Key) addKey(memberPath, member, children);
      else children.set(name, addGroup(memberPath, member));
    }
    return { path, children };
  };

  const root = addGroup("", definition.keys);
  const rules = definition.rules ?? [];
  for (const path of rules.flatMap((rule) => rule.paths)) {
    if (!entriesByPath.has(path)) throw new TypeError(`expected rules over known keys, got ${path}`);
  }
  return Object.freeze({
    keys,
    rules,
    root,
    entriesByPath,
    entriesByVariable,
    environmentPrefix: definition.environmentPrefix,
    environmentIgnored: definition.environmentIgnored ?? (() => false),
  });
}

function assertDefault(path: string, key: Key<unknown>): void {
  if (key.absence.kind !== "default" || key.type.check.safeParse(key.absence.value).success) return;
  const value = shownValue(key.absence.value);
  throw new TypeError(`expected the default of ${path} to be ${key.type.expected}, got ${value}`);
}

function variableOf(prefix: string, path: string): string {
  const words = path.replaceAll(".", "_").replace(/([a-z0-9])([A-Z])/g, "$1_$2");
  return prefix + words.toUpperCase();
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}
