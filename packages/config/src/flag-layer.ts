import type { ProblemList } from "./errors.ts";
import { type Given, givenByText } from "./given.ts";
import type { Schema } from "./schema.ts";
import { shownName, shownValue } from "./shown-value.ts";
import { unknownPath } from "./unknown-key.ts";

/** A flag of the command line that sets one key. */
export interface Flag {
  /** As a command line library takes it: `--grpc-port <port>`, `--insecure`. */
  readonly flag: string;
  /** The name under which such a library returns it: `grpcPort`. */
  readonly attribute: string;
  /** The key it sets: `listen.grpcPort`. */
  readonly path: string;
  readonly description: string;
}

/** The flags of a schema, for building a command line of them. Keys without one are reached by `--set`. */
export function listFlags<C>(schema: Schema<C>): Flag[] {
  return schema.keys.flatMap(({ path, key: { options }, flag }) =>
    options.flag === undefined || flag === undefined
      ? []
      : [{ flag: options.flag, attribute: attributeOf(flag), path, description: options.description }],
  );
}

/** What the command line gives. */
export interface FlagInput {
  /** Values by {@link Flag.attribute}; others are not looked at, so all that was parsed may be given. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** The values of `--set`: `path=value`. */
  readonly set?: readonly string[];
}

/** What the flags give, key by key. */
export function givenByFlags<C>(schema: Schema<C>, input: FlagInput, problems: ProblemList): Given[] {
  return [
    ...givenByNamedFlags(schema, input.flags ?? {}, problems),
    ...givenBySet(schema, input.set ?? [], problems),
  ];
}

function givenByNamedFlags<C>(
  schema: Schema<C>,
  values: Readonly<Record<string, unknown>>,
  problems: ProblemList,
): Given[] {
  const given: Given[] = [];
  for (const { path, flag } of schema.keys) {
    const value = flag === undefined ? undefined : values[attributeOf(flag)];
    if (flag === undefined || value === undefined) continue;
    const entry = schema.entriesByPath.get(path)!;
    const one =
      typeof value === "string"
        ? givenByText(entry, value, { origin: "flag", source: flag }, problems)
        : { entry, raw: value, origin: "flag" as const, sourceAt: () => flag };
    if (one !== undefined) given.push(one);
  }
  return given;
}

function givenBySet<C>(schema: Schema<C>, assignments: readonly string[], problems: ProblemList): Given[] {
  const given: Given[] = [];
  for (const assignment of assignments) {
    const separator = assignment.indexOf("=");
    if (separator < 1) {
      const value = shownValue(assignment);
      problems.add({ path: "--set", value, expected: "path=value", origin: "flag", source: "--set" });
      continue;
    }
    const path = assignment.slice(0, separator);
    const entry = schema.entriesByPath.get(path);
    if (entry === undefined) {
      problems.add(unknownPath(schema, path, { origin: "flag", source: `--set ${shownName(path)}` }));
      continue;
    }
    const place = { origin: "flag", source: `--set ${path}` } as const;
    const one = givenByText(entry, assignment.slice(separator + 1), place, problems);
    if (one !== undefined) given.push(one);
  }
  return given;
}

function attributeOf(flag: string): string {
  return flag.slice(2).replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
